"""What tests ask of Kubernetes objects: which there are, and whether they meet rules that Kubernetes has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.apps.pod_image import image_reference
from rookery.apps.table import APPS, PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.manifest import Item, Manifest, NeededSecrets, Objects
from rookery.spec.load import load_pattern
from rookery.spec.parse import parse_spec

# Pod Security Standard `restricted`, as Kubernetes documents it: the volumes that it leaves.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"} | {
    "persistentVolumeClaim"
}


def design_of(pattern: str, provider: str = "hetzner") -> Design:
    """Return a pattern's design on Kubernetes."""
    spec = load_pattern(pattern, settings=SETTINGS).model_copy(update={"provider": provider})
    return build_design(spec, placers=PLACERS)


def design_from(text: str) -> Design:
    """Return the design of a spec of the test's own."""
    text = f"apiVersion: rookery/v1\nprovider: hetzner\n{text}"
    spec = parse_spec(text, file="x", settings=SETTINGS, read_pattern=lambda name: (name, ""))
    return build_design(spec, placers=PLACERS)


def app_items(design: Design, *names: str) -> tuple[Item, ...]:
    """Return the items of all applications, or of those of these names."""
    found: list[Item] = []
    for app in design.apps:
        pods = APPS[app.name].in_pods
        if pods is not None and (not names or app.name in names):
            found += pods.items(design, app, image_reference())
    return tuple(found)


def objects_of(items: tuple[Item, ...]) -> list[Manifest]:
    return [one for item in items if isinstance(item, Objects) for one in item.objects]


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the one object of that kind and name; a Job's name goes on with the hash of its content."""
    found = [
        one
        for one in objects
        if one["kind"] == kind
        and (one["metadata"]["name"] if kind != "Job" else one["metadata"]["name"].rpartition("-")[0]) == name
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def pod_templates(objects: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each pod template with what it belongs to."""
    for one in objects:
        # Of these two it is a template of something else.
        other = one["kind"] in ("Certificate", "Schedule")
        template = None if other else one.get("spec", {}).get("template")
        if one["kind"] == "CronJob":
            template = one["spec"]["jobTemplate"]["spec"]["template"]
        if template:
            yield f"{one['kind']} {one['metadata']['name']}", template


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def restricted_problems(pod: dict[str, Any]) -> list[str]:
    """Return what in a pod's specification the Pod Security Standard `restricted` refuses."""
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", ()):
        found += [f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} - _VOLUMES]
    whole = pod.get("securityContext", {})
    found += ["sysctls are set"] if whole.get("sysctls") else []
    for container in containers_of(pod):
        said = [*_container_problems(whole, container)]
        found += [f"{container['name']}: {problem}" for problem in said]
    return found


def _container_problems(pod: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**pod, **own}
    capabilities = own.get("capabilities", {})
    checks = (
        (own.get("privileged") in (None, False), "is privileged"),
        (own.get("allowPrivilegeEscalation") is False, "may become more than it is"),
        ("ALL" in capabilities.get("drop", ()), "keeps capabilities"),
        (set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}, "adds capabilities"),
        (both.get("runAsNonRoot") is True, "may run as root"),
        (both.get("runAsUser") != 0, "runs as root"),
        (
            both.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "has no seccomp profile",
        ),
        (own.get("procMount") in (None, "Default"), "sees /proc unmasked"),
        (not any("hostPort" in port for port in container.get("ports", ())), "has a port of the host's"),
    )
    yield from (problem for holds, problem in checks if not holds)


def referenced(pod: dict[str, Any]) -> set[tuple[str, str]]:
    """Return every Secret and ConfigMap that a pod needs, as kind and name."""
    found: set[tuple[str, str]] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef"):
                    found.add(("Secret" if key.startswith("secret") else "ConfigMap", inner["name"]))
                elif key == "configMap" and not inner.get("optional"):
                    found.add(("ConfigMap", inner["name"]))
                elif key == "secret":
                    found.add(("Secret", inner.get("secretName") or inner["name"]))
                walk(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner)

    walk(pod)
    return found


def made(items: tuple[Item, ...]) -> set[tuple[str, str]]:
    """Return every Secret and ConfigMap that these items, or controllers told by them, make."""
    found = {
        ("Secret", one.name) for item in items if isinstance(item, NeededSecrets) for one in item.secrets
    }
    for one in objects_of(items):
        name = one["metadata"]["name"]
        if one["kind"] in ("ConfigMap", "Secret"):
            found.add((one["kind"], name))
        elif one["kind"] == "Certificate":
            found.add(("Secret", one["spec"]["secretName"]))
        elif one["kind"] == "ObjectBucketClaim":
            found |= {("Secret", name), ("ConfigMap", name)}
    return found


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of labels alone matches."""
    assert not selector.get("matchExpressions")
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def writable(pod: dict[str, Any]) -> list[str]:
    """Return the folders of a pod's first container that it may write to: those of its empty volumes."""
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    return [one["mountPath"] for one in pod["containers"][0]["volumeMounts"] if one["name"] in empty]
