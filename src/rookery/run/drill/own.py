"""What the system had itself, before and after: of each thing that stood still, whether it is back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rookery.run.drill.model import THINGS, OwnData

_MOST = 5

Census = Mapping[str, Mapping[str, Any]]
"""By kind: `things`, a digest by the name of each, or why they could not be seen, `unseen`."""


def stood_still(before: Census, after: Census) -> dict[str, dict[str, Any]]:
    """Return of two looks what was the same in both, by kind."""
    found: dict[str, dict[str, Any]] = {}
    for kind, one in before.items():
        other = after.get(kind, {"unseen": "nobody looked"})
        if why := one.get("unseen") or other.get("unseen"):
            found[kind] = {"unseen": why}
        else:
            found[kind] = {"things": dict(one["things"].items() & other["things"].items())}
    return found


def judge_own(still: Census, now: Census) -> tuple[OwnData, ...]:
    """Return of each kind what became of the things that stood still."""
    return tuple(_judge(kind, one, now.get(kind, {"unseen": "nobody looked"})) for kind, one in still.items())


def _judge(kind: str, still: Mapping[str, Any], now: Mapping[str, Any]) -> OwnData:
    if why := still.get("unseen") or now.get("unseen"):
        return OwnData(kind=kind, things=0, problems=(), unseen=str(why))
    wanted, there = still["things"], now["things"]
    missing = [name for name in wanted if name not in there]
    other = [name for name, digest in wanted.items() if name in there and there[name] != digest]
    problems = (_said(missing, kind, "are missing"), _said(other, kind, "have another content"))
    return OwnData(kind=kind, things=len(wanted), problems=tuple(filter(None, problems)))


def _said(names: Iterable[str], kind: str, what: str) -> str:
    names = sorted(names)
    if not names:
        return ""
    first = ", ".join(names[:_MOST])
    return f"{len(names)} {THINGS[kind]} {what}: {first}{', ...' if len(names) > _MOST else ''}"
