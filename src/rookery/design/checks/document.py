"""docs/findings.md and docs/patterns.md: from the table of checks, and from the designs of the patterns."""

from __future__ import annotations

from collections.abc import Iterable

from rookery.design.capacity import gigabytes, safe_capacity
from rookery.design.checks.finding import Check
from rookery.design.checks.table import CHECKS, check_design
from rookery.design.model import Design, Role
from rookery.design.survival import survival
from rookery.units import format_size

_HEAD = """\
# Findings

What the checks say of a design before anything runs. An error would not work, a warning works less well
than it looks, an info is good to know. Each finding names the place in the spec that decides it.

This page is generated from the table in `src/rookery/design/checks/table.py`.
"""


_PATTERNS_HEAD = """\
# Patterns

A pattern is a complete spec for a common use. A spec builds on one with `pattern: NAME` and changes what it
wants otherwise; a pattern may build on another. They are the files in `src/rookery/spec/patterns`.

What each survives is computed from its design. *Data*: nothing stored is lost. *Service*: every client's
reads and writes go on. *Heals*: what was lost is made again on what is left, without anybody's help.

This page is generated from the patterns.
"""


def render_patterns_document(patterns: Iterable[tuple[str, Design]]) -> str:
    """Return the text of docs/patterns.md: a section for each pattern, given by name with its design."""
    found = list(patterns)
    overview = ["| pattern | servers | what for | losing a storage node |", "|---|---:|---|---|"]
    overview += [_overview(name, design) for name, design in found]
    return "\n".join((_PATTERNS_HEAD, *overview, "", *(_pattern(name, design) for name, design in found)))


def _overview(name: str, design: Design) -> str:
    lost = next(said for said in survival(design) if said.subject == "any one storage node")
    service = "service goes on" if lost.service else "service stops"
    healing = "heals" if lost.heals else "heals when the node is back"
    use = design.description.partition(".")[0].partition(":")[0]
    return f"| [{name}](#{name}) | {len(design.servers)} | {use}. | {service}, {healing} |"


def _pattern(name: str, design: Design) -> str:
    statements = (
        f"| {said.subject} | {_yes(said.data)} | {_yes(said.service)} | {_yes(said.heals)} | {said.reason} |"
        for said in survival(design)
    )
    room = safe_capacity(design)
    store = (
        f"Safe to store: {gigabytes(room.under_nearfull)}, so that losing a storage node heals."
        if room.heals
        else "A lost storage node is not healed until it is back."
    )
    warnings = sorted({finding.code for finding in check_design(design) if finding.severity != "info"})
    return "\n".join(
        (
            f"## {name}\n\n{design.description}\n",
            *_servers(design),
            f"\n{store} Findings: {', '.join(warnings) or 'none'} (see [findings](findings.md)).\n",
            "| without | data | service | heals | why, in the worst case |",
            "|---|---|---|---|---|",
            *statements,
            "",
        )
    )


def _servers(design: Design) -> tuple[str, ...]:
    rows = ["| servers | roles | CPUs | memory | drives of each |", "|---|---|---|---|---|"]
    for role in (Role.CONTROL_PLANE, Role.WORKER, Role.STORAGE):
        hosts = [host for host in design.with_role(role) if role is Role.STORAGE or not host.drives]
        if hosts:
            host = hosts[0]
            drives = ", ".join(f"{format_size(drive.size)} {drive.device_class}" for drive in host.drives)
            roles = ", ".join(host.roles)
            size = f"{host.cpus} | {format_size(host.memory)}"
            rows.append(f"| {len(hosts)} | {roles} | {size} | {drives or 'none'} |")
    return tuple(rows)


def _yes(well: bool) -> str:  # noqa: FBT001 - a word for a cell
    return "yes" if well else "no"


def render_findings_document() -> str:
    """Return the text of docs/findings.md: an overview, then a section for each check."""
    overview = ["| code | severity | finding |", "|---|---|---|"]
    overview += [
        f"| [{check.code}](#{_anchor(check)}) | {_severities(check)} | {check.title} |" for check in CHECKS
    ]
    sections = [f"## {_heading(check)}\n\nSeverity: {_severities(check)}.\n\n{check.why}" for check in CHECKS]
    return "\n".join((_HEAD, *overview, "")) + "\n" + "\n\n".join(sections) + "\n"


def _heading(check: Check) -> str:
    return f"{check.code}: {check.title}"


def _anchor(check: Check) -> str:
    """Return the anchor that a Markdown viewer gives a section's heading."""
    kept = "".join(c for c in _heading(check).lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _severities(check: Check) -> str:
    return " or ".join(check.severities)
