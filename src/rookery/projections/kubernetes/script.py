"""apply.sh: the whole tree applied with kubectl and helm, in order, as often as one likes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from rookery.design.model import Design
from rookery.manifest import (
    JOB_LABEL,
    ROLLED_OUT,
    NeededSecret,
    NeededSecrets,
    Objects,
    Release,
    Remote,
    Wait,
    jobs_of,
)
from rookery.projections.kubernetes.placed import Placed
from rookery.projections.kubernetes.sources import is_tree, remote_path

# Seconds that helm waits for a release. Images are pulled over whatever line there is.
_RELEASE_LIMIT = 900

_HEAD = """\
#!/bin/sh
# Applies this tree to the cluster that kubectl points at, stage after stage. It may be run again at any time:
# what is there already stays, what was changed here is changed there.
#
#     ./apply.sh                     everything
#     ./apply.sh 50-storage          one stage
#     ./apply.sh --from 50-storage   that stage and all that follow
#
# Charts and others' objects come from where they are published, or from the mirror that ROOKERY_MIRROR names:
# a folder that `rookery mirror pull` filled.
set -eu
# What programs say is in English and in UTF-8, whatever the terminal speaks.
LC_ALL=C.UTF-8 LANGUAGE=
export LC_ALL LANGUAGE
mirror=
if [ -n "${ROOKERY_MIRROR:-}" ]; then
    [ -f "$ROOKERY_MIRROR/index.json" ] || {
        echo "apply.sh: ROOKERY_MIRROR=$ROOKERY_MIRROR is no mirror: it has no index.json" >&2
        exit 2
    }
    mirror=$(cd -- "$ROOKERY_MIRROR" && pwd)
fi
cd "$(dirname -- "$0")"

absent=
for command in PROGRAMS; do
    # kubectl fetches a folder of others' objects with git; a mirror has it as files.
    if [ "$command" = git ] && [ -n "$mirror" ]; then continue; fi
    command -v "$command" > /dev/null || { echo "apply.sh: $command is missing" >&2; absent=yes; }
done
[ -z "$absent" ] || exit 3

say() { printf '\\n== %s\\n' "$*"; }

apply() { kubectl apply --server-side --force-conflicts --field-manager=rookery "$@"; }

# A Job's namespace, work and name: those that did the same before it go. One that ended would keep its work
# from being done when it is wanted again.
only() {
    kubectl --namespace "$1" delete jobs --selector "LABEL=$2" --field-selector "metadata.name!=$3" \\
        --cascade=foreground
}

# Others' objects: -f or -k, their URL, and their path in a mirror.
remote() {
    if [ -n "$mirror" ]; then apply "$1" "$mirror/$3"; else apply "$1" "$2"; fi
}

# A release's name, namespace, chart, version, repository, values, and further options.
release() {
    name=$1 namespace=$2 chart=$3 version=$4 repository=$5 values=$6
    shift 6
    if [ -n "$mirror" ]; then
        set -- "$mirror/charts/$chart-$version.tgz" "$@"
    else
        set -- "$chart" --repo "$repository" --version "$version" "$@"
    fi
    helm upgrade --install "$name" "$@" --namespace "$namespace" --values "$values"
}

# A password that is made once: a secret that is there is left alone.
secret() {
    name=$1 namespace=$2 user=$3 labels=$4 key=${5:-password}
    kubectl --namespace "$namespace" get secret "$name" > /dev/null 2>&1 && return
    password=$(openssl rand -hex 24)
    # It goes by standard input: arguments show to everyone who lists processes.
    set -- --from-file="$key"=/dev/stdin
    [ -z "$user" ] || set -- --type=kubernetes.io/basic-auth --from-literal=username="$user" "$@"
    printf '%s' "$password" | kubectl --namespace "$namespace" create secret generic "$name" "$@"
    [ -z "$labels" ] || kubectl --namespace "$namespace" label secret "$name" $labels
}

# What must be true before the next step. The object itself may be made by a controller a moment later.
wait_for() {
    namespace=$1 kind=$2 name=$3 condition=$4 seconds=$5
    echo "waiting up to ${seconds} s: $kind $name, $condition"
    left=60
    while [ "$name" != --all ] && ! kubectl $namespace get "$kind" "$name" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "apply.sh: there is no $kind $name after 60 s" >&2; exit 1; }
        sleep 1
    done
    if [ "$condition" = "ROLLED_OUT" ]; then
        kubectl $namespace rollout status "$kind/$name" --timeout="${seconds}s"
    else
        kubectl $namespace wait "$kind" "$name" --for="$condition" --timeout="${seconds}s"
    fi
}

chosen=${1:-} missing=${1:-}
if [ "$chosen" = --from ]; then missing=${2:?which stage} chosen=; fi
wanted() {
    [ "$missing" != "$1" ] || missing=
    if [ -n "$chosen" ]; then [ "$chosen" = "$1" ]; else [ -z "$missing" ]; fi
}
"""

_TAIL = """
[ -z "$missing" ] || { echo "apply.sh: there is no stage $missing" >&2; exit 2; }
"""


def render_script(design: Design, placed: tuple[Placed, ...]) -> str:
    """Return the script."""
    del design
    head = _HEAD.replace("LABEL", JOB_LABEL).replace("ROLLED_OUT", ROLLED_OUT)
    parts = [head.replace("PROGRAMS", " ".join(needed_programs(placed)))]
    stages = dict.fromkeys(one.stage.name for one in placed)
    for name in stages:
        items = [one for one in placed if one.stage.name == name]
        lines = [f"say {shlex.quote(items[0].stage.title)}"]
        lines += [line for one in items for line in _lines(one)]
        body = "\n".join(f"    {line}" for line in lines)
        parts.append(f"\nif wanted {name}; then\n{body}\nfi\n")
    return "".join((*parts, _TAIL))


def needed_programs(placed: Iterable[Placed]) -> Iterator[str]:
    """Yield the programs that the script calls beside those that POSIX has."""
    items = [one.item for one in placed]
    yield "kubectl"
    if any(isinstance(item, Release) for item in items):
        yield "helm"
    if any(isinstance(item, NeededSecrets) for item in items):
        yield "openssl"
    if any(isinstance(item, Remote) and is_tree(item) for item in items):
        yield "git"


def _lines(one: Placed) -> Iterator[str]:
    item = one.item
    if isinstance(item, Objects):
        for job in jobs_of(item):
            yield f"only {job.namespace} {job.work} {job.name}"
        yield f"apply -f {one.path}"
    elif isinstance(item, Remote):
        words = ("-k" if is_tree(item) else "-f", item.url, remote_path(item))
        yield f"remote {' '.join(shlex.quote(word) for word in words)}"
    elif isinstance(item, NeededSecrets):
        yield from _secret_lines(item.secrets)
    elif isinstance(item, Release):
        yield _release_line(item, one.path)
    else:
        yield _wait_line(item)


def _secret_lines(secrets: Iterable[NeededSecret]) -> Iterator[str]:
    for needed in secrets:
        labels = " ".join(f"{key}={value}" for key, value in needed.labels)
        key = "" if needed.username else f" {needed.key}"
        user = needed.username or "''"
        yield f"secret {needed.name} {needed.namespace} {user} {shlex.quote(labels)}{key}"


def _release_line(item: Release, path: str) -> str:
    chart = item.chart
    words = (item.name, item.namespace, chart.name, chart.version, chart.repository, path)
    waits = f" --wait --timeout {_RELEASE_LIMIT}s" if item.waits else ""
    return f"release {' '.join(words)}{waits}"


def _wait_line(item: Wait) -> str:
    namespace = f"--namespace={item.namespace}" if item.namespace else ""
    words = (namespace, item.kind, item.name, item.condition, str(item.seconds))
    return f"wait_for {' '.join(shlex.quote(word) for word in words)}"
