"""A cluster in memory, behind the same commands: what is applied is there, what is deleted is gone.

It knows no controller. What one would do (a release's status, a pod that becomes ready) is said by the test.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import yaml

from rookery.drivers.kubernetes.helm import Helm, Installed
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.process import CommandError

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeKubectl(Kubectl):
    """kubectl on objects in memory; `asked` has every command. Kinds of custom resources are known once an
    object of them was applied, or where they are among `kinds`. Of what was applied from a file or a URL it
    knows that alone, in `sources`. What programs in pods say is in `answers`, by their names; what they were
    fed, in `fed`."""

    kubeconfig: Path = Path("/nowhere/kubeconfig")
    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    fed: list[bytes] = field(default_factory=list)

    def run(self, *words: str, namespace: str = "", stdin: str = "", limit: float = 30.0) -> str:
        self.asked.append(words)
        verb, *rest = words
        if verb == "get" and rest[:2] == ["--raw", "/readyz"]:
            return "ok"
        answer = getattr(self, f"_{verb}")(rest, namespace, stdin)
        return "" if answer is None else str(answer)

    def feed(
        self,
        target: str,
        command: Sequence[str],
        write: Callable[[IO[bytes]], None],
        *,
        namespace: str,
        limit: float,
    ) -> str:
        given = io.BytesIO()
        write(given)
        self.asked.append(("exec", target, *command))
        self.fed.append(given.getvalue())
        return self._exec([target, "--", *command], namespace, "")

    def _exec(self, words: list[str], _namespace: str, _stdin: str) -> str:
        program = words[words.index("--") + 1]
        if program not in self.answers:
            raise CommandError(("kubectl", "exec", *words), exit_code=1, output=f"{program} fails")
        return self.answers[program]

    def put(self, found: Mapping[str, Any]) -> None:
        """Put an object there, whoever made it."""
        meta = found["metadata"]
        key = (kind_of(found["kind"]), meta.get("namespace", ""), meta["name"])
        self.objects[key] = copy.deepcopy(dict(found))

    def _apply(self, words: list[str], _namespace: str, stdin: str) -> None:
        if words[-1] != "-":
            self.sources.add(words[-1])
            return
        for one in yaml.safe_load_all(stdin):
            self.put(one)

    def _diff(self, words: list[str], _namespace: str, stdin: str) -> None:
        if words[-1] != "-" and words[-1] not in self.sources:
            raise CommandError(("kubectl", "diff"), exit_code=1, output="differs")
        for one in yaml.safe_load_all(stdin):
            meta = one["metadata"]
            there = self.objects.get((kind_of(one["kind"]), meta.get("namespace", ""), meta["name"]))
            if there is None or any(there.get(key) != value for key, value in one.items()):
                raise CommandError(("kubectl", "diff"), exit_code=1, output="differs")

    def _create(self, words: list[str], _namespace: str, stdin: str) -> None:
        assert "--dry-run=server" not in words, "what an API server refuses is tested with one"
        self.put(json.loads(stdin))

    def _get(self, words: list[str], namespace: str, _stdin: str) -> str:
        kind = kind_of(words[0])
        name = words[1] if len(words) > 1 and not words[1].startswith("--") else ""
        if name:
            found = self.objects.get((kind, namespace, name))
            if found is None:
                raise CommandError(("kubectl", *words), exit_code=1, output="Error (NotFound): not found")
            return json.dumps(found)
        items = [
            one
            for (its_kind, its_namespace, _), one in sorted(self.objects.items())
            if its_kind == kind and namespace in ("", its_namespace) and _selected(one, words)
        ]
        return json.dumps({"items": items})

    def _delete(self, words: list[str], namespace: str, _stdin: str) -> None:
        kind = kind_of(words[0])
        if "--all" in words or "--selector" in words:
            chosen = [key for key, one in self.objects.items() if _selected(one, words)]
            for key in [key for key in chosen if key[:2] == (kind, namespace)]:
                del self.objects[key]
            return
        self.objects.pop((kind, namespace, words[1]), None)
        if kind == "namespace":
            for key in [key for key in self.objects if key[1] == words[1]]:
                del self.objects[key]

    def _patch(self, words: list[str], namespace: str, _stdin: str) -> None:
        there = self.objects[kind_of(words[0]), namespace, words[1]]
        for key, value in json.loads(words[-1])["spec"].items():
            there["spec"][key] = value

    def _label(self, words: list[str], namespace: str, _stdin: str) -> None:
        node = self.objects[kind_of(words[0]), namespace, words[1]]
        labels = node["metadata"].setdefault("labels", {})
        labels |= dict(word.split("=", 1) for word in words[2:] if "=" in word)

    def _annotate(self, words: list[str], namespace: str, _stdin: str) -> None:
        notes = self.objects[kind_of(words[0]), namespace, words[1]]["metadata"].setdefault("annotations", {})
        for word in words[2:]:
            name, given, value = word.partition("=")
            if given:
                notes[name] = value
            elif not name.startswith("--"):
                notes.pop(name.removesuffix("-"), None)

    def _scale(self, words: list[str], namespace: str, _stdin: str) -> None:
        count = int(words[2].removeprefix("--replicas="))
        self.objects[kind_of(words[0]), namespace, words[1]]["spec"]["replicas"] = count

    def _taint(self, words: list[str], namespace: str, _stdin: str) -> None:
        node = self.objects[kind_of(words[0]), namespace, words[1]]
        key, _, effect = words[2].partition("=:")
        node["spec"].setdefault("taints", []).append({"key": key, "effect": effect})

    def _rollout(self, words: list[str], namespace: str, stdin: str) -> None:
        self._wait([words[1].partition("/")[0]], namespace, stdin)

    def _wait(self, words: list[str], _namespace: str, _stdin: str) -> None:
        if words[0] not in self.kinds:
            raise CommandError(("kubectl", "wait"), exit_code=1, output="error: timed out waiting")


def _selected(one: Mapping[str, Any], words: list[str]) -> bool:
    """Whether an object has the label of `--selector` and the name that `--field-selector` leaves."""
    options = dict(pairwise(words))
    label, _, value = options.get("--selector", "").partition("=")
    left = options.get("--field-selector", "").partition("metadata.name!=")[2]
    labels, name = one["metadata"].get("labels", {}), one["metadata"]["name"]
    return bool((not label or labels.get(label) == value) and name != left)


def kind_of(word: str) -> str:
    """Return a kind as it is kept, from any way to write it: `nodes`, `Node`, `clusters.cnpg.io`."""
    name = word.partition(".")[0].lower()
    return name if name.endswith("class") else name.removesuffix("s")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeHelm(Helm):
    """Helm's releases in memory."""

    kubeconfig: Path = Path("/nowhere/kubeconfig")
    installed: dict[tuple[str, str], tuple[str, str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def releases(self) -> tuple[Installed, ...]:
        return tuple(
            Installed(name=name, namespace=namespace, chart=chart, status=status)
            for (namespace, name), (chart, status, _) in sorted(self.installed.items())
        )

    def values(self, name: str, namespace: str) -> Any:
        return self.installed[namespace, name][2]

    def upgrade(
        self,
        name: str,
        *,
        namespace: str,
        chart: str,
        values: Mapping[str, Any],
        options: tuple[str, ...] = (),
        limit: float,
    ) -> None:
        self.asked.append(f"upgrade {name}")
        version = options[options.index("--version") + 1] if "--version" in options else "local"
        kept = json.loads(json.dumps(values))
        self.installed[namespace, name] = (f"{chart}-{version}", "deployed", kept)

    def unlock(self, name: str, namespace: str) -> None:
        self.asked.append(f"unlock {name}")
        del self.installed[namespace, name]

    def uninstall(self, name: str, namespace: str) -> None:
        self.asked.append(f"uninstall {name}")
        self.installed.pop((namespace, name), None)
