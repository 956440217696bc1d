"""Designs, plans, states and results as tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rookery.design.capacity import raw_bytes, usable_by_pool
from rookery.design.checks import Finding, Severity
from rookery.design.model import Design, Host
from rookery.design.survival import Survives, survival
from rookery.plan.step import Step
from rookery.run.engine import phase_seconds
from rookery.run.fullness import NEARLY_FULL, Look
from rookery.run.prepared import Arrival
from rookery.run.state import AppInstance, State
from rookery.run.verify.result import Outcome, Result
from rookery.systems.protocol import Endpoint, HostStatus
from rookery.units import format_seconds, format_size

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_MOST_ROWS = 40
_INDENT = (0, 0, 0, 2)


def _table(*columns: str, title: str = "") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


def design_view(design: Design) -> RenderableType:
    """Return the hosts with what runs on them, the pools, and the capacity."""
    head = Text.assemble(
        (design.name, "bold"),
        f"  {design.ceph_title}, {design.platform} on {design.provider}, {design.network.public}",
    )
    return Group(head, Text(design.description, style="dim"), Text(), _hosts(design), Text(), _pools(design))


def _hosts(design: Design) -> Table:
    table = _table("host", "address", "machine", "runs")
    for host in design.hosts[:_MOST_ROWS]:
        table.add_row(host.name, host.address, _machine(host), _runs(host))
    if len(design.hosts) > _MOST_ROWS:
        table.add_row("…", f"{len(design.hosts) - _MOST_ROWS} more", "", "")
    return table


def _machine(host: Host) -> str:
    words = [f"{host.cpus} CPU", format_size(host.memory)]
    if host.drives:
        words.append(f"{len(host.drives)}×{format_size(host.drives[0].size)}")
    return " ".join(words)


def _runs(host: Host) -> str:
    osds = [daemon.id for daemon in host.daemons if daemon.kind == "osd"]
    words = [str(daemon.kind) for daemon in host.daemons if daemon.kind != "osd"]
    words += [f"osd.{','.join(osds)}"] if osds else []
    words += [instance.name for instance in host.instances]
    if not words and "load-balancer" in host.roles:
        return "load balancer"
    return " ".join(words) or ("administration" if "control-plane" in host.roles else "nothing yet")


def _pools(design: Design) -> Table:
    table = _table("pool", "for", "kept as", "goes on with", "PGs", "holds at most")
    usable = dict(usable_by_pool(design))
    for pool in design.pools:
        code = pool.erasure_code
        kept = (
            f"{code.k}+{code.m} chunks" if code else ("1 copy" if pool.size == 1 else f"{pool.size} copies")
        )
        most = format_size(usable[pool.name] // 10**8 * 10**8) if pool.share else "small"
        table.add_row(pool.name, pool.application, kept, str(pool.min_size), str(pool.pg_num), most)
    table.caption = f"raw {format_size(raw_bytes(design))}; each pool's most is what it holds were it alone"
    table.caption_justify = "left"
    return table


def survival_view(design: Design) -> RenderableType:
    table = _table("losing", "data", "service", "heals", "because")
    for row in survival(design):
        table.add_row(row.subject, _yes(row, "data"), _yes(row, "service"), _yes(row, "heals"), row.reason)
    return table


def _yes(row: Survives, name: str) -> Text:
    words = {"data": ("safe", "lost"), "service": ("goes on", "stops"), "heals": ("yes", "no")}
    good = bool(getattr(row, name))
    return Text(words[name][0 if good else 1], style="green" if good else "yellow")


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """Return each finding over two or three lines: what is so, then what to do."""
    lines: list[RenderableType] = []
    for finding in findings:
        head = Text.assemble(
            (f"{finding.code} {finding.severity}", _STYLES[finding.severity]), f"  {finding.path}"
        )
        lines.append(head)
        lines.append(Padding(Text(finding.message), _INDENT))
        if finding.hint:
            lines.append(Padding(Text(finding.hint, style="dim"), _INDENT))
    return Group(*lines) if lines else Text("no findings", style="green")


def notices_view(notices: Sequence[str]) -> RenderableType:
    """Return what is to be known before something begins, a paragraph each."""
    return Group(*(Padding(Text(notice), _INDENT) for notice in notices))


def steps_view(steps: Sequence[Step] | None, *, errors: int = 0) -> RenderableType:
    """Return what is left to do, by phase; `steps` is None where this version cannot bring the system up."""
    if errors:
        return Text(f"nothing: it refuses a design with {'an error' if errors == 1 else f'{errors} errors'}")
    if steps is None:
        return Text(
            "nothing: this version brings up the lab, and Kubernetes on servers that are there already"
            " (provider: existing); what is above can be drawn, priced and rendered"
        )
    phases: dict[str, list[str]] = {}
    for step in steps:
        phases.setdefault(step.phase, []).append(step.title)
    table = _table("phase", "steps")
    for phase, titles in phases.items():
        table.add_row(phase, "; ".join(titles) if len(titles) <= 12 else f"{len(titles)} steps")
    return table if phases else Text("nothing is left to do", style="green")


def results_view(results: Sequence[Result]) -> RenderableType:
    table = _table("", "check", "seen")
    marks = {
        Outcome.PASS: ("✓", "green"),
        Outcome.FAIL: ("✗", "bold red"),
        Outcome.NOT_OBSERVED: ("?", "yellow"),
    }
    for result in results:
        mark, style = marks[result.outcome]
        table.add_row(Text(mark, style=style), result.title, Text(result.seen, style="dim"))
    return table


def results_summary(results: Sequence[Result]) -> str:
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def apps_view(instances: Sequence[AppInstance]) -> RenderableType:
    """Return a row for each component: where its instances run, and what each is among them."""
    rows: dict[tuple[str, str], list[AppInstance]] = {}
    for instance in instances:
        rows.setdefault((instance.app, instance.component), []).append(instance)
    table = _table("app", "component", "up", "where")
    for (app, component), group in rows.items():
        up = sum(instance.running and not instance.trouble for instance in group)
        where = []
        for instance in group:
            words = [word for word in (instance.note, instance.trouble) if word]
            note = ", ".join(words) if instance.running else "down"
            style = "" if instance.running and not instance.trouble else "bold red"
            where.append((f"{instance.host}{f' ({note})' if note else ''}  ", style))
        style = "green" if up == len(group) else "bold red"
        table.add_row(app, component, Text(f"{up}/{len(group)}", style=style), Text.assemble(*where))
    return table if rows else Text("none")


def status_view(statuses: Sequence[HostStatus], design: Design) -> RenderableType:
    addresses = {host.name: host.address for host in design.hosts}
    table = _table("host", "address", "memory", "programs")
    for status in statuses:
        memory = format_size(status.memory // 2**20 * 2**20) if status.memory is not None else ""
        programs = Text("off", style="bold red")
        if status.running:
            parts = [(f"{p.name} ", "" if p.running else "bold red") for p in status.programs]
            trouble = [(f"{status.trouble}: ", "bold red")] if status.trouble else []
            programs = Text.assemble(*trouble, *parts)
        table.add_row(status.name, addresses[status.name], memory, programs)
    return table


def health_line(state: State) -> str:
    """Return how the cluster is, and which Ceph it runs: several versions in the middle of an upgrade."""
    versions = " and ".join(state.versions)
    return f"{state.health}, Ceph {versions}" if versions else state.health


def fullness_view(look: Look) -> RenderableType:
    """Return how full volumes, drives and the disk are, the fullest first, red where writes stop soon; and by
    what volumes are attached."""
    table = _table("what", "name", "used", "of", "full")
    for one in sorted(look.seen, key=lambda one: -one.part):
        full = Text(f"{one.part:.0%}", style="bold red" if one.part >= NEARLY_FULL else "")
        used, size = (format_size(part // 2**20 * 2**20) for part in (one.used, one.size))
        table.add_row(one.kind, one.name, used, size, full)
    for name in look.unseen:
        table.add_row("", name, "", "", Text("not seen", style="dim"))
    if not look.ways:
        return table
    return Group(table, *(Text(f"Volumes are attached {way}.") for way in look.ways))


def endpoints_view(endpoints: Sequence[Endpoint]) -> RenderableType:
    """Return where each service is and how to log in; passwords are shown by `rookery open` alone, so that
    what is printed here may be kept and passed on."""
    table = _table("service", "URL", "log in as")
    table.columns[1].no_wrap = True
    for endpoint in endpoints:
        login = endpoint.credentials
        words = Text(f"{login.user}, " if login else "")
        words.append(f"rookery open {endpoint.name}" if login else "", style="dim")
        table.add_row(endpoint.name, endpoint.url, words)
    return table


def times_view(arrival: Arrival) -> RenderableType:
    table = _table("phase", "from", "to", "took")
    for phase, began, ended in phase_seconds(arrival.timings):
        table.add_row(phase, f"{began:.1f} s", f"{ended:.1f} s", format_seconds(ended - began))
    table.add_row("verify", "", "", format_seconds(arrival.verify_seconds))
    table.add_row(Text("all", style="bold"), "", "", Text(format_seconds(arrival.seconds), style="bold"))
    return table


def print_blocks(console: Console, *blocks: tuple[str, RenderableType]) -> None:
    """Print titled blocks with a line between them."""
    for title, block in blocks:
        console.print()
        if title:
            console.print(Text(title, style="bold"))
        console.print(block)
