"""The public, versioned model of a spec.

The spec forgives omission (every field but `apiVersion` has a default, most come from the pattern) and never
an unknown key. It holds what a person decides; what follows from that is computed by `rookery.design`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from rookery.providers import PROVIDERS, Provider
from rookery.releases import DEFAULT_RELEASE, ReleaseName
from rookery.units import GB, GIB
from rookery.versions import KUBERNETES

# A number and a unit, or several (`parse_duration` of `rookery.prices` reads it).
DURATION_FORM = r"^([0-9]+(min|h|d|w))+$"
API_VERSION = "rookery/v1"

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=32),
]


def _readable(kind: Callable[[str], Any], what: str) -> AfterValidator:
    """Return a validator that refuses what `kind` cannot be made of, with the reason."""

    def validate(text: str) -> str:
        try:
            kind(text)
        except ValueError as error:
            raise ValueError(f"is no {what}: {error}") from None
        return text

    return AfterValidator(validate)


def _distinct(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse a list that is a set and has something twice."""
    twice = sorted({str(item) for item in items if items.count(item) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} more than once; keep one")
    return items


# A number and a unit, and nothing behind them: pydantic reads as far as it understands, `20GB, 5` as 20 GB.
SIZE_FORM = r"^\s*([0-9]*\.)?[0-9]+\s*[A-Za-z]*\s*$"


def _whole(value: object) -> object:
    """Refuse a text of which only the beginning is a size."""
    if isinstance(value, str) and not re.match(SIZE_FORM, value):
        raise ValueError(f"is {value!r}; write a size with its unit, like 20GB or 4GiB")
    return value


Size = Annotated[ByteSize, BeforeValidator(_whole)]


def _folder(text: str) -> str:
    """Refuse what names no folder: empty it would be the spec's own, and the system has no NUL in names."""
    if not text.strip():
        raise ValueError("is empty; name a folder, `.` for the one that the spec is in")
    if "\0" in text:
        raise ValueError("has a NUL character, which no name of a folder has")
    return text


Folder = Annotated[str, AfterValidator(_folder)]

# A DNS name: labels of 1 to 63 letters, digits and hyphens, no hyphen at either end (RFC 1123, 2.1), 253
# characters in all; names below it, `dashboard.` the longest, have to fit too.
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_LONGEST_DOMAIN = _LONGEST_NAME - len("dashboard.")


def _domain(text: str) -> str:
    """Refuse what no client could ask a name server for, and no API server takes for the name of a host."""
    for label in text.split("."):
        if not 0 < len(label) <= _LONGEST_LABEL:
            raise ValueError(
                f"has a part of {len(label)} characters between dots; each has 1 to {_LONGEST_LABEL}"
            )
        if label.startswith("-") or label.endswith("-"):
            raise ValueError(f"has the part {label!r}; none may begin or end with a hyphen")
    if len(text) > _LONGEST_DOMAIN:
        raise ValueError(
            f"has {len(text)} characters; with `dashboard.` before it a name has at most {_LONGEST_NAME}, so"
            f" {_LONGEST_DOMAIN} are left"
        )
    return text


Cidr = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$"),
    _readable(IPv4Network, "IPv4 network"),
]
Address = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"), _readable(IPv4Address, "IPv4 address")
]
Domain = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), AfterValidator(_domain)
]
Platform = Literal["native", "kubernetes"]


class Model(BaseModel):
    """Base of every part of a spec: immutable, camelCase in files, unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `count: yes`, which would count as 1."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind in (int, int | None, ByteSize):
            raise ValueError(f"is {str(value).lower()}; it must be a number")
        return value


class Machine(Model):
    """The size of each server of one role."""

    cpus: int = Field(2, ge=1, le=1024, description="Virtual CPUs of each server.")
    memory: Size = Field(ByteSize(4 * GIB), ge=512 * 1024**2, description="Memory of each server.")
    disk: Size = Field(ByteSize(20 * GB), ge=GB, description="System disk of each server.")
    addresses: Annotated[tuple[Address, ...], AfterValidator(_distinct)] = Field(
        (),
        json_schema_extra={"uniqueItems": True},
        description="Where servers that are there already are reached, one for each (`provider: existing`).",
    )


class ControlPlane(Machine):
    """Servers for etcd, the API server, the scheduler and the controllers; administration starts here."""

    count: int = Field(1, ge=0, le=99, description="How many; odd, because etcd needs a majority.")


class Workers(Machine):
    """Servers for the applications."""

    count: int = Field(2, ge=0, le=9999, description="How many.")


class Drives(Model):
    """A set of identical data drives that every storage node has."""

    count: int = Field(2, ge=1, le=64, description="How many of this kind on each storage node.")
    size: Size = Field(ByteSize(20 * GB), ge=5 * GB, description="Size of each; Ceph refuses below 5 GB.")
    device_class: Literal["hdd", "ssd", "nvme"] = Field(
        "ssd", alias="class", description="CRUSH device class that the OSD on it gets."
    )


class StorageNodes(Machine):
    """Servers for Ceph's daemons; all alike, so one drive more means one more on every node."""

    count: int = Field(4, ge=1, le=9999, description="How many; 4 heal fully after one is lost.")
    drives: tuple[Drives, ...] = Field((Drives(),), min_length=1, description="Data drives of every node.")
    also: Annotated[tuple[Literal["worker", "control-plane"], ...], AfterValidator(_distinct)] = Field(
        (),
        json_schema_extra={"uniqueItems": True},
        description="Further roles of these servers: hyperconverged or compact systems.",
    )


class Hosts(Model):
    """The servers by role."""

    control_plane: ControlPlane = ControlPlane()
    workers: Workers = Workers()
    storage: StorageNodes = StorageNodes()


class Network(Model):
    """Where the servers live."""

    public: Cidr | None = Field(
        None, description="IPv4 network of all servers; by default derived from the system's name."
    )
    balancer: Address | None = Field(
        None,
        description="Where clients come to: a free address of the public network, by default its second, on "
        "aws its fourth.",
    )
    cluster: Cidr | None = Field(
        None, description="A second network for OSD replication only; none by default."
    )
    mtu: int | None = Field(
        None,
        ge=1280,
        le=9000,
        description="Largest packet of both networks, in bytes; by default what the provider's carry: 1450 on"
        " hetzner, 1460 on gcp, 1500 elsewhere.",
    )
    encryption: bool = Field(
        default=False, description="Ceph traffic in msgr2's secure mode instead of crc mode."
    )


class ErasureCoding(Model):
    """k data and m coding chunks per object, each on another host."""

    k: int = Field(2, ge=2, le=20)
    m: int = Field(2, ge=1, le=10)


class Pool(Model):
    """How a pool keeps its data."""

    replicas: int = Field(3, ge=1, le=10, description="Copies, each on another host.")
    erasure_coding: ErasureCoding | None = Field(None, description="Instead of replicas, for the data only.")

    @model_validator(mode="after")
    def _one_scheme(self) -> Pool:
        if self.erasure_coding and "replicas" in self.model_fields_set:
            raise ValueError(
                "has both replicas and erasureCoding: a pool's data is kept in one way; drop one"
            )
        return self


class Block(Model):
    """RBD: block volumes."""

    enabled: bool = True
    pool: Pool = Pool()


class Mds(Model):
    """Metadata servers of CephFS."""

    active: int = Field(1, ge=1, le=64, description="Ranks that share the metadata load.")
    standby: int = Field(1, ge=0, le=64, description="Daemons that wait to take over a rank.")


class FileStorage(Model):
    """CephFS: a shared file system."""

    enabled: bool = True
    mds: Mds = Mds()
    pool: Pool = Pool()


class ObjectStorage(Model):
    """RGW: S3 object storage."""

    enabled: bool = True
    gateways: int = Field(2, ge=1, le=256, description="RGW daemons, each on another host while hosts last.")
    pool: Pool = Pool()


class Storage(Model):
    """Ceph, and what it offers."""

    distribution: Literal["rook", "ksd"] = Field(
        "rook", description="Who packages Rook on Kubernetes; without effect on the native platform."
    )
    ceph: ReleaseName | None = Field(
        None,
        description="Release of Ceph, in quotes. By default, on the native platform"
        f' "{DEFAULT_RELEASE}", or what a running lab has; on Kubernetes what the distribution packages.',
    )
    mons: int = Field(3, ge=1, le=99, description="Monitors; odd, because they need a majority.")
    mgrs: int = Field(2, ge=1, le=9, description="Managers: one active, the others stand by.")
    dashboard: bool = Field(default=True, description="Ceph's own dashboard, over TLS.")
    block: Block = Block()
    file: FileStorage = FileStorage()
    object: ObjectStorage = ObjectStorage()


class Kubernetes(Model):
    """Kubernetes, where the platform is that."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]{1,2}$")] = Field(
        KUBERNETES, description="Minor version; every pinned component was chosen for the default."
    )
    bootstrap: Literal["kubeadm", "kubeone", "none"] = Field(
        "kubeadm",
        description="Who installs it: kubeadm with CRI-O by Ansible, KubeOne with containerd, or nobody: a"
        " cluster that is there already.",
    )
    domain: Domain | None = Field(
        None,
        description="Domain of the site (`site.DOMAIN`), S3 and the dashboard; NAME.internal by default.",
    )
    network: Literal["cilium", "bridge"] | None = Field(
        None,
        description="Who connects pods: Cilium, which also enforces policies and encrypts, or a plain bridge"
        " on each node with routes between them, which does neither; bridge on the lab by default, cilium"
        " elsewhere.",
    )
    pods: Cidr | None = Field(None, description="Network of the pods; 10.244.0.0/16 by default.")
    services: Cidr = Field("10.96.0.0/12", description="Network of the Services' addresses.")
    monitoring: bool = Field(
        default=True, description="Prometheus, Grafana and Alertmanager, with Ceph's rules and dashboards."
    )


class AppSettings(Model):
    """Base of every application's settings; the fields come from the application's own folder."""


class Apps(Model):
    """The applications of the system, each by its name; `spec_model` adds a field for every known one."""

    def chosen(self) -> tuple[tuple[str, AppSettings], ...]:
        """Return name and settings of each application that the spec asks for, in the table's order."""
        named = ((name, getattr(self, name)) for name in type(self).model_fields)
        return tuple((name, settings) for name, settings in named if settings is not None)


class Spec(Model):
    """One demo system, as its user describes it. `spec_model` says what `apps` and `backup` are made of."""

    api_version: Literal["rookery/v1"] = Field(description="Version of this format.")
    name: Name = Field("rookery-demo", description="Names the system and everything made for it.")
    description: str = Field("", description="What it is for, in a sentence or two.")
    provider: Provider = Field("lab", description="Where the servers come from.")
    lease: Annotated[str, StringConstraints(pattern=DURATION_FORM)] | None = Field(
        None,
        description="On a cloud: how long the system is wanted, from its first `up` on, like 8h or 3d."
        " `rookery down --expired` ends it then.",
    )
    platform: Platform | None = Field(
        None, description="What runs on them; native on the lab by default, kubernetes elsewhere."
    )
    hosts: Hosts = Hosts()
    network: Network = Network()
    storage: Storage = Storage()
    kubernetes: Kubernetes = Kubernetes()
    apps: Apps = Apps()
    backup: AppSettings | None = None

    def chosen(self) -> tuple[tuple[str, AppSettings], ...]:
        """Return name and settings of each application that the spec asks for, and of what backs them up."""
        return (*self.apps.chosen(), *([("backup", self.backup)] if self.backup is not None else []))

    @model_validator(mode="after")
    def _native_runs_on_the_lab(self) -> Spec:
        if self.platform == "native" and not PROVIDERS[self.provider].native:
            there = ", ".join(name for name, traits in PROVIDERS.items() if traits.native)
            raise ValueError(
                f"platform: native runs on provider: {there} only, not on {self.provider}; "
                "use platform: kubernetes"
            )
        return self
