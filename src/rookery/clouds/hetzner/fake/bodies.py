"""What requests may say, each as a model that refuses what Hetzner would."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Labels = dict[str, Any]  # looked at by `selectors.check_labels`
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^\S(.*\S)?$")]
HostName = Annotated[
    str,
    StringConstraints(
        max_length=253,
        pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
    ),
]
VolumeName = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$")
]
IdOrName = int | str
Port = Annotated[int, Field(ge=1, le=65535)]


class Body(BaseModel):
    """What is alike in all: types are as they are said, and what is not known is passed over."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Nothing(Body):
    """A request that says nothing."""


class NamedBody(Body):
    """What can be changed of most things."""

    name: Name | None = None
    labels: Labels | None = None


class ChangeServer(Body):
    name: HostName | None = None
    labels: Labels | None = None


class ChangeVolume(Body):
    name: VolumeName | None = None
    labels: Labels | None = None


class ChangeNetwork(NamedBody):
    expose_routes_to_vswitch: bool | None = None


class ChangePrimaryIp(NamedBody):
    auto_delete: bool | None = None


class ChangeImage(Body):
    description: str | None = None
    type: Literal["snapshot"] | None = None
    labels: Labels | None = None


class Protect(Body):
    delete: bool | None = None
    rebuild: bool | None = None


class ReverseName(Body):
    ip: str
    dns_ptr: str | None


class CreateSshKey(Body):
    name: Name
    public_key: str
    labels: Labels = Field(default_factory=dict)


class CreatePlacementGroup(Body):
    name: Name
    type: Literal["spread"]
    labels: Labels = Field(default_factory=dict)


class FirewallId(Body):
    firewall: int


class PublicNet(Body):
    enable_ipv4: bool = True
    enable_ipv6: bool = True
    ipv4: int | None = None
    ipv6: int | None = None


class CreateServer(Body):
    name: HostName
    server_type: IdOrName
    image: IdOrName
    location: IdOrName | None = None
    datacenter: IdOrName | None = None
    start_after_create: bool | None = True
    placement_group: int | None = None
    ssh_keys: list[IdOrName] | None = None
    volumes: list[int] | None = None
    networks: list[int] | None = None
    firewalls: list[FirewallId] | None = None
    user_data: Annotated[str, StringConstraints(max_length=32 * 1024)] | None = None
    labels: Labels | None = None
    automount: bool | None = None
    public_net: PublicNet | None = None


class CreateVolume(Body):
    name: VolumeName
    size: Annotated[int, Field(ge=10, le=10240)]
    location: IdOrName | None = None
    server: int | None = None
    format: Literal["xfs", "ext4"] | None = None
    automount: bool | None = None
    labels: Labels | None = None


class AttachVolume(Body):
    server: int
    automount: bool | None = None


class ResizeVolume(Body):
    size: Annotated[int, Field(ge=10, le=10240)]


class SubnetBody(Body):
    type: Literal["cloud", "server", "vswitch"]
    network_zone: str
    ip_range: str | None = None
    vswitch_id: int | None = None


class RouteBody(Body):
    destination: str
    gateway: str


class IpRange(Body):
    ip_range: str


class CreateNetwork(Body):
    name: Name
    ip_range: str
    labels: Labels | None = None
    subnets: list[SubnetBody] | None = None
    routes: list[RouteBody] | None = None
    expose_routes_to_vswitch: bool | None = None


class AttachToNetwork(Body):
    network: int
    ip: str | None = None
    ip_range: str | None = None
    alias_ips: list[str] | None = None


class NetworkId(Body):
    network: int


class AliasIps(Body):
    network: int
    alias_ips: list[str]


class Id(Body):
    id: int


class SelectorBody(Body):
    selector: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class FirewallResource(Body):
    type: Literal["server", "label_selector"]
    server: Id | None = None
    label_selector: SelectorBody | None = None


class Rule(Body):
    direction: Literal["in", "out"]
    protocol: Literal["tcp", "udp", "icmp", "esp", "gre"]
    port: str | None = None
    source_ips: Annotated[list[str], Field(max_length=100)] | None = None
    destination_ips: Annotated[list[str], Field(max_length=100)] | None = None
    description: Annotated[str, StringConstraints(max_length=255)] | None = None


class SetRules(Body):
    rules: Annotated[list[Rule], Field(max_length=50)]


class CreateFirewall(Body):
    name: Name
    labels: Labels | None = None
    rules: Annotated[list[Rule], Field(max_length=50)] | None = None
    apply_to: list[FirewallResource] | None = None


class ApplyTo(Body):
    apply_to: list[FirewallResource]


class RemoveFrom(Body):
    remove_from: list[FirewallResource]


class CheckHttp(Body):
    domain: str | None = None
    path: str = "/"
    response: str | None = None
    status_codes: list[str] | None = None
    tls: bool | None = None


class Check(Body):
    protocol: Literal["tcp", "http"] | None = None
    port: Port | None = None
    interval: Annotated[int, Field(ge=3, le=60)] | None = None
    timeout: Annotated[int, Field(ge=1, le=60)] | None = None
    retries: Annotated[int, Field(ge=1, le=5)] | None = None
    http: CheckHttp | None = None


class ServiceHttp(Body):
    cookie_name: Annotated[str, StringConstraints(max_length=100)] | None = None
    cookie_lifetime: Annotated[int, Field(ge=30, le=86400)] | None = None
    certificates: list[int] | None = None
    redirect_http: bool | None = None
    sticky_sessions: bool | None = None
    timeout_idle: int | None = None


class Service(Body):
    protocol: Literal["tcp", "http", "https"]
    listen_port: Port | None = None
    destination_port: Port | None = None
    proxyprotocol: bool | None = None
    health_check: Check | None = None
    http: ServiceHttp | None = None


class UpdateService(Body):
    listen_port: Port
    protocol: Literal["tcp", "http", "https"] | None = None
    destination_port: Port | None = None
    proxyprotocol: bool | None = None
    health_check: Check | None = None
    http: ServiceHttp | None = None


class DeleteService(Body):
    listen_port: Port


class TargetIp(Body):
    ip: str


class TargetBody(Body):
    type: Literal["server", "label_selector", "ip"]
    server: Id | None = None
    label_selector: SelectorBody | None = None
    ip: TargetIp | None = None
    use_private_ip: bool | None = None


class Algorithm(Body):
    type: Literal["round_robin", "least_connections"]


class CreateLoadBalancer(Body):
    name: Name
    load_balancer_type: IdOrName
    algorithm: Algorithm | None = None
    services: list[Service] | None = None
    targets: list[TargetBody] | None = None
    labels: Labels | None = None
    public_interface: bool | None = None
    network: int | None = None
    network_zone: str | None = None
    location: IdOrName | None = None


class ChangeBalancerType(Body):
    load_balancer_type: IdOrName


class ChangeServerType(Body):
    server_type: IdOrName
    upgrade_disk: bool


class Rebuild(Body):
    image: IdOrName
    user_data: str | None = None


class CreateImage(Body):
    type: Literal["snapshot", "backup"] | None = None
    description: str | None = None
    labels: Labels | None = None


class Rescue(Body):
    type: Literal["linux64"] | None = None
    ssh_keys: list[int] | None = None


class PlacementGroupId(Body):
    placement_group: int


class CreatePrimaryIp(Body):
    name: Name
    type: Literal["ipv4", "ipv6"]
    assignee_type: Literal["server"] = "server"
    assignee_id: int | None = None
    auto_delete: bool | None = None
    location: IdOrName | None = None
    datacenter: IdOrName | None = None
    labels: Labels | None = None


class AssignPrimaryIp(Body):
    assignee_id: int
    assignee_type: Literal["server"]


class CreateCertificate(Body):
    name: Name
    type: Literal["uploaded", "managed"] | None = None
    certificate: str | None = None
    private_key: str | None = None
    domain_names: list[str] | None = None
    labels: Labels | None = None
