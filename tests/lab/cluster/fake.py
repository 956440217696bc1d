"""Stands in for kubeadm, kubectl, skopeo and ctr: what they ask for and leave behind, and no cluster.

The state that would be etcd's is one file that all servers share. It refuses what the real programs refuse:
an init on a server with leftovers, a join with an old token or key, a configuration that is no YAML or has a
secret missing.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

SHARED = Path("/srv/test")
ETC = Path("/etc/kubernetes")
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
HASH = "sha256:" + "ab" * 32
State = dict[str, Any]
NEW: State = {"nodes": {}, "token": "", "key": "", "made": 0, "dns": False, "fsid": ""}


def say(text: str) -> None:
    sys.stdout.write(text)


def main() -> None:
    name, words = Path(sys.argv[0]).name, sys.argv[1:]
    with (SHARED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = SHARED / "state.json"
        state = json.loads(path.read_text()) if path.exists() else NEW
        with (SHARED / "calls").open("a") as calls:
            calls.write(f"{socket.gethostname()}: {name} {' '.join(words)}\n")
        {"kubeadm": kubeadm, "kubectl": kubectl, "skopeo": skopeo, "ctr": ctr}[name](words, state)
        path.write_text(json.dumps(state, indent=1))


def kubeadm(words: list[str], state: State) -> None:
    said = " ".join(words)
    for beginning, answer in ANSWERS.items():
        if said.startswith(beginning):
            say(f"{answer(state)}\n")
            return
    if words[0] == "init":
        init(option(words, "--config"), state)
    elif words[0] == "join":
        join(option(words, "--config"), state)
    elif words[0] == "reset":
        for path in leftovers():
            path.unlink()
        state["nodes"].pop(socket.gethostname(), None)
    else:
        sys.exit(f"kubeadm: unknown command {said}")


def token(state: State) -> str:
    state["made"] += 1
    state["token"] = f"abcdef.{state['made']:016}"
    return str(state["token"])


def key(state: State) -> str:
    state["made"] += 1
    state["key"] = f"{state['made']:064x}"
    return str(state["key"])


ANSWERS: dict[str, Callable[[State], str]] = {
    "version": lambda _: "v1.36.2",
    "config images list": lambda _: "registry.k8s.io/kube-apiserver:v1.36.0\nregistry.k8s.io/pause:3.10.2",
    "token generate": token,
    "certs certificate-key": key,
    "token create": lambda state: (
        f"kubeadm join 10.0.0.1:6443 --token {token(state)} --discovery-token-ca-cert-hash {HASH} "
    ),
    "init phase upload-certs": lambda state: (
        f"[upload-certs] Storing the certificates\n[upload-certs] Using certificate key:\n{key(state)}"
    ),
}


def leftovers() -> list[Any]:
    names = ("admin.conf", "kubelet.conf", "pki/ca.crt", "manifests/etcd.yaml")
    return [ETC / name for name in names if (ETC / name).exists()]


def write(*names: str) -> None:
    for name in names:
        path = ETC / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("apiVersion: v1\nclusters:\n- cluster:\n    server: https://10.0.0.1:6443\n")


def read(path: str) -> list[Any]:
    assert Path(path).stat().st_mode & 0o777 == 0o600, "secrets that others may read"
    text = Path(path).read_text()
    assert "{{" not in text, text
    if leftovers():
        sys.exit(f"[ERROR] {leftovers()[0]} already exists")
    documents = list(yaml.safe_load_all(text))
    assert documents[0]["patches"]["directory"] == "/etc/kubernetes/patches"
    patch = ETC / "patches/kubeletconfiguration0+merge.yaml"
    assert isinstance(yaml.safe_load(patch.read_text()), dict)
    return documents


def init(path: str, state: State) -> None:
    first, cluster, kubelet = read(path)
    assert [part["kind"] for part in (first, cluster, kubelet)] == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
    ]
    assert cluster["kubernetesVersion"] == "v1.36.2"
    assert (first["bootstrapTokens"][0]["token"], first["certificateKey"]) == (state["token"], state["key"])
    secrets_at_rest()
    write("manifests/etcd.yaml", "pki/ca.crt", "admin.conf")
    if (SHARED / "break-init").exists():
        (SHARED / "break-init").unlink()
        sys.exit("killed")
    write("kubelet.conf")
    add(first, state, labels={CONTROL_PLANE: ""}, taints=[{"key": CONTROL_PLANE, "effect": "NoSchedule"}])
    state["dns"] = True


def join(path: str, state: State) -> None:
    (wanted,) = read(path)
    found = wanted["discovery"]["bootstrapToken"]
    assert (found["token"], found["caCertHashes"]) == (state["token"], [HASH]), found
    write("pki/ca.crt")
    if (SHARED / f"break-join-{socket.gethostname()}").exists():
        (SHARED / f"break-join-{socket.gethostname()}").unlink()
        sys.exit("killed")
    write("kubelet.conf")
    if "controlPlane" in wanted:
        assert wanted["controlPlane"]["certificateKey"] == state["key"]
        secrets_at_rest()
        write("manifests/etcd.yaml", "admin.conf")
        add(
            wanted, state, labels={CONTROL_PLANE: ""}, taints=[{"key": CONTROL_PLANE, "effect": "NoSchedule"}]
        )
    else:
        add(wanted, state, labels={}, taints=wanted["nodeRegistration"].get("taints", []))


def secrets_at_rest() -> None:
    kept = yaml.safe_load((ETC / "encryption.yaml").read_text())
    secret = kept["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    assert len(base64.b64decode(secret, validate=True)) == 32
    assert yaml.safe_load((ETC / "audit-policy.yaml").read_text())["kind"] == "Policy"


def add(configuration: State, state: State, *, labels: dict[str, str], taints: list[dict[str, str]]) -> None:
    name = configuration["nodeRegistration"]["name"]
    assert name == socket.gethostname()
    state["nodes"][name] = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"taints": taints} if taints else {},
    }


def kubectl(words: list[str], state: State) -> None:
    if not Path(option(words, "--kubeconfig")).exists() or not state["dns"]:
        sys.exit("The connection to the server was refused")
    verb, *rest = [word for word in words if not word.startswith("--")]
    nodes = state["nodes"]
    if (verb, *rest) == ("get", "deployment", "coredns"):
        say("deployment.apps/coredns\n")
    elif verb == "get" and rest == ["cephclusters.ceph.rook.io"]:
        say(state["fsid"]) if state["fsid"] else sys.exit("no such resource")
    elif verb == "get" and "--output=json" in words:
        say(json.dumps({"items": list(nodes.values())}))
    elif verb == "get":
        label = option(words, "--selector")
        chosen = [name for name in nodes if not label or label in nodes[name]["metadata"]["labels"]]
        say("".join(f"node/{name}\n" for name in chosen))
    elif verb == "label":
        nodes[rest[1]]["metadata"]["labels"].update(dict(word.split("=", 1) for word in rest[2:]))
    elif verb == "taint":
        taint(nodes[rest[1]]["spec"], rest[2:])
    else:
        sys.exit(f"kubectl: unknown command {words}")


def taint(spec: State, words: list[str]) -> None:
    for word in words:
        name, _, effect = word.partition(":")
        assert effect in ("NoSchedule", "NoSchedule-"), word
        name = name.partition("=")[0]
        kept = [one for one in spec.get("taints", []) if one["key"] != name]
        spec["taints"] = kept if effect.endswith("-") else [*kept, {"key": name, "effect": effect}]


def skopeo(words: list[str], _: State) -> None:
    storage = Path("/var/lib/containers/storage")
    name = words[-1].removeprefix("containers-storage:").replace("/", "_")
    if words[0] == "inspect":
        sys.exit(0 if (storage / name).exists() else 1)
    assert words[0] == "--policy=/etc/crio/policy.json"
    storage.mkdir(parents=True, exist_ok=True)
    source = words[-2].removeprefix("oci-archive:")
    (storage / name).write_bytes(Path(source).read_bytes())


def ctr(words: list[str], _state: State) -> None:
    assert words[:2] == ["--namespace=k8s.io", "images"], words
    verb, *rest = words[2:]
    there = Path("/var/lib/containerd-images")
    images = json.loads(there.read_text()) if there.exists() else {}
    if verb == "list":
        wanted = rest[-1].removeprefix("name==")
        say("".join(f"{name}\n" for name in images if name == wanted))
    elif verb == "import":
        images[option(rest, "--index-name")] = {"size": Path(rest[-1]).stat().st_size}
    elif verb == "label":
        images[rest[0]] |= dict([rest[1].split("=")])
    else:
        sys.exit(f"ctr: unknown command {words}")
    there.write_text(json.dumps(images))


def option(words: list[str], name: str) -> str:
    return next((word.partition("=")[2] for word in words if word.startswith(f"{name}=")), "")


if __name__ == "__main__":
    os.umask(0o022)
    main()
