"""README.md of the tree: a guide through it in the order in which it is applied, and why each part is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rookery.apps.table import APPS
from rookery.design.cluster import has_cilium
from rookery.design.model import Cluster, Design, Role
from rookery.manifest import (
    ROLLED_OUT,
    NeededSecret,
    NeededSecrets,
    Objects,
    OneJob,
    Release,
    Remote,
    Stage,
    Wait,
    jobs_of,
)
from rookery.projections.kubernetes.balancer import needs_balancer
from rookery.projections.kubernetes.doors import doors_of
from rookery.projections.kubernetes.nodes import marking
from rookery.projections.kubernetes.placed import Placed
from rookery.projections.kubernetes.recovery import recovery_items
from rookery.projections.kubernetes.script import needed_programs
from rookery.versions import DISTRIBUTIONS

_APPLY = """\
## Apply it

1. Servers: {servers}, Ubuntu 22.04, each with the address that the inventory names, reachable by SSH.
2. [00-bootstrap](00-bootstrap) makes a cluster of them; {nodes}.
3. `./apply.sh` applies all stages in order, and waits where something has to be ready first. It needs
   {programs}, asks for them first, may be run again at any time, and takes `--from STAGE`
   or a single stage.

By hand, each stage below has the commands that `apply.sh` runs (`./apply.sh 50-storage` runs those of one
stage). With GitOps, render with `--gitops flux`.
"""
_IMAGE = """\
Pods name the applications' image `{name}`, as `render --image` was told.
What `rookery image` builds must be there by this name, in a registry or on every node. Another version of it
needs another name: a node never asks again for one that it has.
"""
_NOT_READY = "its nodes stay NotReady until stage 20"
_READY = "at its end pods are connected, by a bridge on each node"

_BOOTSTRAP = {
    "kubeadm": """\
## 00-bootstrap: from servers to a cluster

kubeadm with CRI-O, by Ansible. The roles prepare the hosts (modules, sysctls, no swap, time), give the data
drives names that do not change (`/dev/rookery/vdb`), install CRI-O and kubeadm at pinned versions, make the
first control plane, join the others, and label and taint the nodes.{bridge}

```sh
rookery image -o rookery-apps.tar         # what the applications' pods run{image}
cd 00-bootstrap
pip install ansible-core
export LC_ALL=C.UTF-8                     # Ansible wants a locale in UTF-8
ansible-playbook site.yaml --extra-vars apps_image_archive=../rookery-apps.tar
export KUBECONFIG="$PWD/kubeconfig"
```

It may be interrupted anywhere and run again: tokens and certificate keys for joining expire (24 and 2 hours),
so each run makes new ones for the hosts that are still missing.

To try KubeOne instead, set `kubernetes.bootstrap: kubeone` in the spec and render again. KubeOne knows
containerd only, no CRI-O.
""",
    "kubeone": """\
## 00-bootstrap: from servers to a cluster

KubeOne with containerd, on the servers that the inventory names. Ansible prepares hosts and drives, KubeOne
installs Kubernetes, Ansible labels and taints the nodes.{bridge}

```sh
rookery image -o rookery-apps.tar         # what the applications' pods run{image}
cd 00-bootstrap
export LC_ALL=C.UTF-8                     # Ansible wants a locale in UTF-8
ansible-playbook prepare.yaml
kubeone apply --manifest kubeone.yaml
export KUBECONFIG="$PWD/{name}-kubeconfig"
ansible-playbook finish.yaml --extra-vars apps_image_archive=../rookery-apps.tar
```

KubeOne knows containerd only; kubeadm with CRI-O is `kubernetes.bootstrap: kubeadm` in the spec.
""",
}

_BRIDGE = """ The last role but one, `bridge`,
connects pods: after a node was added or removed, play it for all (`--tags bridge`), because each has a route
to every other."""

_BUILT_HERE = "; no registry has it"
_NAMED = ", unless a registry has it"

_NO_BOOTSTRAP = """\
## The cluster

It is there already (`kubernetes.bootstrap: none`), with a node of each name in the table above, {network}
Data drives are at `/dev/rookery/vdb` and so on, by links that last over a restart. `rookery image` builds
the applications' image and says how a node imports it. Label and taint the nodes first:

```sh
{commands}
```
"""

_NETWORK_FOR_CILIUM = """without
kube-proxy and without a network plugin of its own: stage 20 installs Cilium in their place."""
_OWN_NETWORK = """with
kube-proxy and a network plugin of its own, which nothing here replaces."""

_RECOVERY = """\
## recovery: what is applied on the day of need

Nothing applies these files by itself. Each is complete but for what only that day knows (a moment, a name, an
address): read its first lines, put that in, then `kubectl apply --server-side --field-manager=rookery -f` it,
so that `apply.sh` goes on with it as with its own.

{files}
"""

_UPGRADES = """\
## Upgrades

Ceph and Rook first, Kubernetes second, one minor version at a time, and never while Ceph is not HEALTH_OK.

- **Rook**: its versions stand in the chart lines above. Upgrade the operator (`rook-ceph`), then
  `ceph-csi-drivers`, then `rook-ceph-cluster`; Rook then moves the daemons one failure domain after the
  other. Read the release's upgrade guide: custom resource definitions come with the operator's chart.
- **Ceph** is the image in the cluster's values: change the tag, apply the stage, watch `ceph versions`.
- **Kubernetes**: `kubeadm upgrade plan`, then control planes one by one (`kubeadm upgrade apply`, then
  `kubeadm upgrade node`), then drain, upgrade and uncordon each worker and each storage node. Before a
  storage node, wait for `active+clean`; Rook's disruption budgets make `kubectl drain` wait for it by
  themselves.
"""

_RUN = """\
## What has run where

Everything here is rendered by a program and checked without a cluster: built-in kinds by Kubernetes' own
schemas, custom resources by the definitions of the pinned releases, chart values by the charts' schemas and
default keys. That shows that the objects are accepted. It does not show that they work together; only a run
does.
"""


def render_guide(design: Design, placed: tuple[Placed, ...], image: str = "") -> str:
    """Return the guide."""
    cluster = design.kubernetes
    assert cluster is not None
    stages = {one.stage.name: one.stage for one in placed}
    parts = [
        *_introduction(design, image),
        _APPLY.format(
            servers=len(design.servers),
            programs=", ".join(f"`{name}`" for name in needed_programs(placed)),
            nodes=_NOT_READY if has_cilium(design) else _READY,
        ),
        _bootstrap(design, _NAMED if image else _BUILT_HERE),
        *(_stage(stage, [one for one in placed if one.stage.name == name]) for name, stage in stages.items()),
        *_by_hand(design),
        *_recovery(design),
        _UPGRADES,
        _RUN,
    ]
    return "\n".join(parts)


def _by_hand(design: Design) -> Iterator[str]:
    """Yield what is to be brought by hand, for each application of which no tree holds all."""
    for app in design.apps:
        pods = APPS[app.name].in_pods
        if pods is not None and pods.sending is not None:
            yield pods.sending.by_hand(design, app)


def _recovery(design: Design) -> Iterator[str]:
    """Yield the section on what is applied by hand; nothing where there is nothing."""
    found = recovery_items(design)
    if found:
        lines = (f"- [{item.name}.yaml]({path}): {item.why}" for path, item in found)
        yield _RECOVERY.format(files="\n".join(lines))


def _bootstrap(design: Design, image: str) -> str:
    cluster = design.kubernetes
    assert cluster is not None
    cilium = has_cilium(design)
    if cluster.bootstrap != "none":
        bridge = "" if cilium else _BRIDGE
        return _BOOTSTRAP[cluster.bootstrap].format(name=design.name, bridge=bridge, image=image)
    commands = [f"kubectl {' '.join(words)}" for host in design.servers for words in marking(host)]
    network = _NETWORK_FOR_CILIUM if cilium else _OWN_NETWORK
    return _NO_BOOTSTRAP.format(commands="\n".join(commands), network=network)


def _introduction(design: Design, image: str) -> Iterator[str]:
    cluster = design.kubernetes
    assert cluster is not None
    distribution = DISTRIBUTIONS[design.distribution]
    yield f"# {design.name} on Kubernetes\n"
    yield (
        f"Rendered by rookery from the system's spec; change the spec and render again, not these files.\n"
        f"Kubernetes {cluster.version} by {cluster.bootstrap}, {distribution.title} with\n"
        f"`{distribution.ceph_image}`, for {design.provider}.\n"
    )
    yield "| host | address | roles | drives |\n|---|---|---|---|"
    for host in design.servers:
        roles = ", ".join(str(role) for role in host.roles)
        yield f"| {host.name} | {host.address} | {roles} | {' '.join(d.name for d in host.drives)} |"
    balancer = design.load_balancer
    if balancer is not None and Role.LOAD_BALANCER in balancer.roles:
        yield f"| {balancer.name} | {balancer.address} | load balancer; the API is at {cluster.endpoint} | |"
    yield f"\n{_doors(design, cluster)}\n"
    if image:
        yield _IMAGE.format(name=image)


def _doors(design: Design, cluster: Cluster) -> str:
    """Return what is reached from outside, and where its names must lead."""
    names = ", ".join(f"`https://{door.name}.{cluster.domain}`" for door in doors_of(design))
    if not names:
        return "Nothing of this system is reached from outside: it has no site, no S3 and no dashboard."
    reached = f"What people reach: {names}.\n"
    if has_cilium(design):
        return (
            f"{reached}These names must lead to the address of the Gateway "
            "(`kubectl -n media get gateway public`): in your DNS, or in\n`/etc/hosts` for a trial."
        )
    ports = ", ".join(f"{door.node_port} {door.name}" for door in doors_of(design))
    runs = "[haproxy.cfg](haproxy.cfg) is what it runs: " if needs_balancer(design) else ""
    return (
        f"{reached}These names must lead to a load balancer in front of the nodes, in your DNS, or in "
        f"`/etc/hosts` for a trial.\n{runs}by the name that a client asks for (SNI) it passes TLS through "
        f"to a port of the workers ({ports}).\nAny other load balancer that does so will do."
    )


def _stage(stage: Stage, placed: list[Placed]) -> str:
    """Return a stage's section: why it is there, what its files are, the commands that apply them."""
    said = [f"- {sentence}" for one in placed if (sentence := _sentence(one))]
    commands = [command for one in placed if (command := _command(one))]
    lines = [f"## {stage.name}: {stage.title}", "", stage.why, *(["", *said] if said else [])]
    lines += ["", "```sh", *commands, "```", ""]
    return "\n".join(lines)


def _sentence(one: Placed) -> str:
    """Return what an item is for; nothing of a wait, which its command says whole."""
    item = one.item
    if isinstance(item, Wait):
        return ""
    if isinstance(item, NeededSecrets):
        names = ", ".join(f"`{secret.name}` ({secret.why})" for secret in item.secrets)
        return f"Secrets that are made where they are missing, and never rendered: {names}."
    name = f"[{one.path.partition('/')[2]}]({one.path}): " if one.path else ""
    return f"{name}{item.why}"


def _command(one: Placed) -> str:
    """Return the command that applies an item; a long one in several lines."""
    item = one.item
    if isinstance(item, Objects):
        return "\n".join((*map(_others_command, jobs_of(item)), f"kubectl apply --server-side -f {one.path}"))
    if isinstance(item, Release):
        chart = item.chart
        return (
            f"helm upgrade --install {item.name} {chart.name} --version {chart.version} \\\n"
            f"    --repo {chart.repository} \\\n"
            f"    --namespace {item.namespace} --values {one.path}"
        )
    if isinstance(item, Remote):
        option = "-k" if "?ref=" in item.url else "-f"
        return f"kubectl apply --server-side {option} \\\n    {item.url}"
    if isinstance(item, NeededSecrets):
        return "\n".join(_secret_command(needed) for needed in item.secrets)
    return _wait_command(item)


def _wait_command(item: Wait) -> str:
    where = f" --namespace {item.namespace}" if item.namespace else ""
    if item.condition == ROLLED_OUT:
        return f"kubectl rollout status {item.kind}/{item.name}{where} \\\n    --timeout={item.seconds}s"
    name = item.name if item.name == "--all" else shlex.quote(item.name)
    waits = f"--for='{item.condition}' --timeout={item.seconds}s"
    return f"kubectl wait {item.kind} {name}{where} \\\n    {waits}"


def _others_command(job: OneJob) -> str:
    """Return the command that removes the Jobs that one takes the place of."""
    verb, kind, *options = job.others
    first, second = " ".join(options[:2]), " ".join(options[2:])
    return f"kubectl {verb} {kind} --namespace {job.namespace} {first} \\\n    {second}"


def _secret_command(needed: NeededSecret) -> str:
    user = f"    --type=kubernetes.io/basic-auth --from-literal=username={needed.username} \\\n"
    made = (
        f"kubectl create secret generic {needed.name} --namespace {needed.namespace} \\\n"
        f"{user if needed.username else ''}"
        f"    --from-file={needed.key}=<(openssl rand -hex 24 | tr -d '\\n')"
    )
    if not needed.labels:
        return made
    labels = " ".join(f"{key}={value}" for key, value in needed.labels)
    return f"{made}\nkubectl label secret {needed.name} --namespace {needed.namespace} {labels}"
