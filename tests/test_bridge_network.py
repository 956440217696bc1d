"""Kubernetes without Cilium: a bridge on each node, kube-proxy, and a load balancer in front of the nodes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rookery.design.cluster import gateway_address
from rookery.design.model import Design, Role
from rookery.manifest import Manifest, Objects, Release, Wait
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.balancer import render_balancer
from tests.kit.designs import design
from tests.kit.playbooks import fill, write
from tests.kit.servers_image import MISSING, entering

_PATTERN = {"pattern": "production-minimum", "network": {"public": "10.0.0.0/24"}}
LAB: dict[str, Any] = {**_PATTERN, "provider": "lab", "platform": "kubernetes"}
SERVERS: dict[str, Any] = {**_PATTERN, "provider": "existing", "kubernetes": {"network": "bridge"}}
BOTH = pytest.mark.parametrize("data", [LAB, SERVERS], ids=["lab", "existing"])
CILIUM = {**LAB, "kubernetes": {"network": "cilium"}}
CILIUM_KINDS = {
    *("CiliumNetworkPolicy", "CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy"),
    *("Gateway", "TLSRoute", "HTTPRoute", "ReferenceGrant"),
}


def files(of: Design) -> dict[str, str]:
    return {file.path: file.content.decode() for file in render_kubernetes(of)}


def objects(of: Design) -> list[Manifest]:
    items = [item for stage in build_stages(of) for item in stage.items]
    return [one for item in items if isinstance(item, Objects) for one in item.objects]


def values(of: Design) -> dict[str, Manifest]:
    items = [item for stage in build_stages(of) for item in stage.items]
    return {item.name: item.values for item in items if isinstance(item, Release)}


def initial(data: dict[str, Any]) -> dict[str, Any]:
    """Return kubeadm's documents for the first control plane, by kind."""
    text = files(design(data))["00-bootstrap/kubeadm/init.yaml"]
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def test_who_connects_pods_follows_from_where_they_run() -> None:
    networks = {
        provider: cluster.network
        for provider in ("lab", "existing", "hetzner")
        if (cluster := design({"provider": provider, "platform": "kubernetes"}).kubernetes)
    }
    assert networks == {"lab": "bridge", "existing": "cilium", "hetzner": "cilium"}


@BOTH
def test_nothing_is_left_that_wants_cilium_or_a_gateway(data: dict[str, Any]) -> None:
    of = design(data)
    assert CILIUM_KINDS & {one["kind"] for one in objects(of)} == set()
    assert "cilium" not in values(of)
    network = next(stage for stage in build_stages(of) if stage.name == "20-network")
    assert network.items == (Wait(kind="node", name="--all", condition="condition=Ready", seconds=600),)
    assert values(of)["kube-prometheus-stack"]["kubeProxy"] == {"enabled": True}


def test_what_is_left_to_cilium_stays() -> None:
    of = design(CILIUM)
    assert {one["kind"] for one in objects(of)} >= CILIUM_KINDS
    assert values(of)["kube-prometheus-stack"]["kubeProxy"] == {"enabled": False}
    assert "haproxy.cfg" not in files(of)
    assert "KubeProxyConfiguration" not in initial(CILIUM)


@BOTH
def test_policies_are_kubernetes_own_and_name_the_port_alone(data: dict[str, Any]) -> None:
    found = {one["metadata"]["name"]: one for one in objects(design(data)) if one["kind"] == "NetworkPolicy"}
    edge = found["cdn-edge-from-gateway"]["spec"]
    assert edge["policyTypes"] == ["Ingress"]
    assert edge["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8443}]}]
    database = found["database-to-api-server"]["spec"]
    assert database["egress"] == [{"ports": [{"protocol": "TCP", "port": 6443}]}]


@BOTH
def test_each_name_has_a_port_on_every_node(data: dict[str, Any]) -> None:
    found = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]
        for one in objects(design(data))
        if one["kind"] == "Service" and one["spec"].get("type") == "NodePort"
    }

    def spec(port: int, target: int | str, node_port: int, pods: dict[str, str]) -> dict[str, Any]:
        listed = [{"name": "https", "port": port, "targetPort": target, "nodePort": node_port}]
        return {"type": "NodePort", "selector": pods, "ports": listed}

    edge = {"name": "cdn", "component": "edge", "part-of": "media-site"}
    assert found == {
        ("media", "site-outside"): spec(
            443, "https", 30443, {f"app.kubernetes.io/{key}": value for key, value in edge.items()}
        ),
        ("rook-ceph", "s3-outside"): spec(
            443, 443, 30444, {"app": "rook-ceph-rgw", "rook_object_store": "store"}
        ),
        ("rook-ceph", "dashboard-outside"): spec(
            8443, 8443, 30445, {"app": "rook-ceph-mgr", "mgr_role": "active"}
        ),
    }


def test_the_site_is_served_by_the_pods_that_its_service_has() -> None:
    found = {one["metadata"]["name"]: one for one in objects(design(LAB)) if one["kind"] == "Service"}
    assert found["site-outside"]["spec"]["selector"] == found["cdn-edge"]["spec"]["selector"]


def test_kube_proxy_serves_services() -> None:
    found = initial(SERVERS)
    assert found["ClusterConfiguration"]["proxy"] == {"disabled": False}
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": "10.244.0.0/16",
        "metricsBindAddress": "0.0.0.0:10249",
    }
    assert found["KubeProxyConfiguration"] == proxy
    lab = initial({**LAB, "kubernetes": {"monitoring": False}})["KubeProxyConfiguration"]
    assert "metricsBindAddress" not in lab
    # What belongs to the machine around a server of a lab is left as it is.
    assert lab["conntrack"] == {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    }


def test_kubeone_installs_kube_proxy_and_no_network() -> None:
    of = design({**SERVERS, "kubernetes": {"network": "bridge", "bootstrap": "kubeone"}})
    tree = files(of)
    network = yaml.safe_load(tree["00-bootstrap/kubeone.yaml"])["clusterNetwork"]
    assert (network["cni"], network["kubeProxy"]) == ({"external": {}}, {"skipInstallation": False})
    roles = {path.split("/")[2] for path in tree if path.startswith("00-bootstrap/roles/")}
    assert sorted(roles) == ["bridge", "drives", "host", "images", "nodes"]


@BOTH
def test_pods_are_connected_when_all_nodes_are_there(data: dict[str, Any]) -> None:
    plays = yaml.safe_load(files(design(data))["00-bootstrap/site.yaml"])
    assert [(play["hosts"], [role["role"] for role in play["roles"]]) for play in plays][-3:] == [
        ("control_plane[0]", ["nodes"]),
        ("all", ["bridge"]),
        ("workers", ["images"]),
    ]


def test_a_lab_names_its_drives_itself_and_has_its_machines_kernel() -> None:
    tree = files(design(LAB))
    inventory = yaml.safe_load(tree["00-bootstrap/inventory.yaml"])
    assert [drive["device"] for drive in inventory["all"]["hosts"]["storage-k"]["drives"]] == [
        "/dev/disk/by-id/lab-vdb",
        "/dev/disk/by-id/lab-vdc",
    ]
    assert yaml.safe_load(tree["00-bootstrap/group_vars/all.yaml"])["upgrade_first"] is False
    assert values(design(LAB))["rook-ceph"]["allowLoopDevices"] is True
    assert "allowLoopDevices" not in values(design(SERVERS))["rook-ceph"]


def test_the_gateway_of_a_lab_has_an_address_that_no_server_has() -> None:
    of = design(CILIUM)
    assert gateway_address(of) == "10.0.0.4"
    assert gateway_address(of) not in {host.address for host in of.hosts}
    pool = next(one for one in objects(of) if one["kind"] == "CiliumLoadBalancerIPPool")
    assert pool["spec"] == {"blocks": [{"cidr": "10.0.0.4/32"}]}
    assert gateway_address(design({**SERVERS, "kubernetes": {}})) == "10.0.0.2"


# --- the load balancer ---


def section(text: str, head: str) -> list[str]:
    """Return the lines of a section of haproxy.cfg."""
    found = next(part for part in text.split("\n\n") if part.startswith(f"{head}\n"))
    return [line.strip() for line in found.splitlines()[1:]]


def heads(text: str) -> list[str]:
    return [part.splitlines()[0] for part in text.split("\n\n")]


@BOTH
def test_a_name_leads_to_its_port_on_the_workers(data: dict[str, Any]) -> None:
    of = design(data)
    text = files(of)["haproxy.cfg"]
    assert text == render_balancer(of)
    names = {name: f"{name}.{of.name}.internal" for name in ("site", "s3", "dashboard")}
    assert section(text, "frontend by-name") == [
        "bind :443",
        "tcp-request inspect-delay 5s",
        f"tcp-request content accept if {{ req.ssl_sni -i {' '.join(names.values())} }}",
        "tcp-request content reject",
        *(f"use_backend {name} if {{ req.ssl_sni -i {host} }}" for name, host in names.items()),
    ]
    workers = [(host.name, host.address) for host in of.with_role(Role.WORKER)]
    assert len(workers) == 2
    for name, port in (("site", 30443), ("s3", 30444), ("dashboard", 30445)):
        servers = [f"server {worker} {address}:{port} check" for worker, address in workers]
        assert section(text, f"backend {name}") == ["balance leastconn", *servers]
    assert "http-request redirect scheme https code 301" in section(text, "frontend clear")


def test_the_api_is_behind_it_where_the_endpoint_is_its_address() -> None:
    lab = render_balancer(design(LAB))
    assert section(lab, "listen api") == [
        "bind :6443",
        "balance leastconn",
        "option httpchk GET /readyz",
        "http-check expect status 200",
        "server cp-1 10.0.0.10:6443 check check-ssl verify none",
    ]
    assert "bind 10.0.0.2:9000" in section(lab, "frontend status")
    others = render_balancer(design(SERVERS))
    assert "listen api" not in heads(others)
    assert "bind 127.0.0.1:9000" in section(others, "frontend status")


def test_with_a_gateway_it_is_for_the_api_alone() -> None:
    text = render_balancer(design(CILIUM))
    assert heads(text) == ["global", "defaults", "frontend status", "listen api"]


@pytest.mark.parametrize("data", [LAB, SERVERS, CILIUM], ids=["lab", "existing", "cilium"])
def test_haproxy_takes_it(data: dict[str, Any], tmp_path: Path) -> None:
    """The servers' image has one: to install it would start it on this machine. Where there is one
    here too, which may be older, it is asked as well."""
    text = render_balancer(design(data))
    (tmp_path / "haproxy.cfg").write_text(text)
    # Whoever tests has neither its user nor, as a rule, its rights.
    kept = [line for line in text.splitlines() if line.strip() not in _ITS_OWN]
    (tmp_path / "kept.cfg").write_text("\n".join(kept) + "\n")
    asked = []
    if inside := entering(tmp_path):
        asked.append((*inside, "haproxy", "-c", "-f", "/srv/haproxy.cfg"))
    if shutil.which("haproxy"):
        asked.append(("haproxy", "-c", "-f", str(tmp_path / "kept.cfg")))
    if not asked:
        pytest.skip(f"there is no haproxy: {MISSING}")
    for argv in asked:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr


_ITS_OWN = {"user haproxy", "group haproxy"}


def test_the_guide_tells_what_stands_in_front() -> None:
    guide = files(design(SERVERS))["README.md"]
    assert "[haproxy.cfg](haproxy.cfg) is what it runs" in guide
    assert "(30443 site, 30444 s3, 30445 dashboard)" in guide
    assert "Gateway" not in guide
    assert "stay NotReady" not in guide
    assert "--tags bridge" in guide
    none = files(design({**SERVERS, "kubernetes": {"network": "bridge", "bootstrap": "none"}}))["README.md"]
    assert "kube-proxy and a network plugin of its own, which nothing here replaces" in none


# --- what the role lays on a server ---

NODES = {
    "cp-1": {"spec": {"podCIDR": "10.244.0.0/24"}, "address": "10.0.0.10"},
    "worker-a": {"spec": {"podCIDR": "10.244.1.0/24"}, "address": "10.0.0.32"},
    "storage-k": {"spec": {"podCIDR": "10.244.2.0/24"}, "address": "10.0.0.128"},
}


def filled(tmp_path: Path, template: str) -> str:
    """Return a template of the role as Ansible fills it on worker-a."""
    items = [
        {
            "metadata": {"name": name},
            "spec": node["spec"],
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": name},
                    {"type": "InternalIP", "address": node["address"]},
                ]
            },
        }
        for name, node in NODES.items()
    ]
    folder = write(tmp_path, SERVERS)
    role = yaml.safe_load((folder / "roles/bridge/vars/main.yaml").read_text())
    told = {**role, "bridge_read": {"stdout": json.dumps({"items": items})}}
    return fill(folder, f"roles/bridge/templates/{template}.j2", told)


def test_each_server_knows_where_the_pods_of_the_others_are(tmp_path: Path) -> None:
    assert filled(tmp_path, "routes").splitlines()[1:] == [
        "10.244.0.0/24 10.0.0.10",
        "10.244.2.0/24 10.0.0.128",
    ]


def test_pods_get_addresses_of_their_nodes_part_and_keep_them_among_each_other(tmp_path: Path) -> None:
    bridge, ports = yaml.safe_load(filled(tmp_path, "10-rookery.conflist"))["plugins"]
    assert bridge == {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "mtu": design(SERVERS).network.mtu,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.244.1.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    assert ports == {"type": "portmap", "capabilities": {"portMappings": True}}


def test_what_leaves_for_anybody_but_pods_and_nodes_gets_the_servers_address(tmp_path: Path) -> None:
    """Others in the nodes' own network too: they know no way back to a pod."""
    rules = filled(tmp_path, "pods.nft")
    assert "elements = { 10.0.0.10, 10.0.0.128, 10.0.0.32 }" in rules
    assert "ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 ip daddr != @nodes masquerade" in rules


def routes_script(
    tmp_path: Path, *, there: str = "", refused: str = "nothing"
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script that sets routes, and return what it told `ip` and `nft`.

    `there` is what `ip` says of the routes of before; it sets none by the address `refused`.
    """
    script = write(tmp_path, SERVERS) / "roles/bridge/templates/rookery-routes.j2"
    routes = tmp_path / "routes"
    routes.write_text("# The pods.\n10.244.0.0/24 10.0.0.10\n10.244.2.0/24 10.0.0.128\n")
    (tmp_path / "there").write_text(there)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ip", "nft"):
        program = programs / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/told\n'
            f'case "$*" in\n*show*) cat {tmp_path}/there ;;\n*{refused}*) exit 2 ;;\nesac\n'
        )
        program.chmod(0o755)
    text = script.read_text().replace("/etc/rookery/routes", str(routes))
    env = {"PATH": f"{programs}:/usr/bin:/bin"}
    argv = ["sh", "-c", text]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    return done, (tmp_path / "told").read_text().splitlines()


def test_routes_are_set_and_those_of_lost_nodes_removed(tmp_path: Path) -> None:
    there = "10.244.0.0/24 via 10.0.0.10 dev eth0\n10.244.7.0/24 via 10.0.0.34 dev eth0\n"
    done, told = routes_script(tmp_path, there=there)
    assert (done.returncode, done.stderr) == (0, "")
    assert told == [
        "ip route replace 10.244.0.0/24 via 10.0.0.10 proto 84",
        "ip route replace 10.244.2.0/24 via 10.0.0.128 proto 84",
        "ip -4 route show proto 84",
        "ip route delete 10.244.7.0/24 proto 84",
        "nft --file /etc/rookery/pods.nft",
    ]


def test_a_router_between_servers_is_refused(tmp_path: Path) -> None:
    done, told = routes_script(tmp_path, refused="10.0.0.128")
    assert done.returncode == 1
    assert done.stderr == (
        "rookery-routes: there is no way to 10.244.2.0/24 by 10.0.0.128. A bridge for pods takes servers that"
        " reach each other without a router between them; 'network: cilium' below 'kubernetes' in the spec"
        " does not.\n"
    )
    assert told[-1] == "ip route replace 10.244.2.0/24 via 10.0.0.128 proto 84"
