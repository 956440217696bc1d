"""Commands on mirrors: `pull` fills a folder for networks without internet, `show`, `serve` serves it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click
from rich.text import Text

from rookery.cli.journaling import Keeping, journal_options, recorded
from rookery.cli.options import complete_spec, output_option, terminal_width
from rookery.errors import ExitCode
from rookery.providers import ELSEWHERE, PLAIN
from rookery.units import format_amount

if TYPE_CHECKING:
    from rookery.mirror.folder import Mirror, Thing
    from rookery.mirror.pull import Pulled
    from rookery.projections.kubernetes.sources import Sources

_KINDS = {
    "binary": "programs",
    "chart": "charts",
    "remote": "others' objects",
    "packages": "package repositories",
    "image": "images",
}
_folder = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@click.group(short_help="Bring all that Kubernetes needs into one folder.")
def mirror() -> None:
    """A folder with everything that Kubernetes needs from elsewhere, for networks without internet.

    \b
    rookery mirror pull /srv/mirror my.yaml     where there is internet
    rookery mirror show /srv/mirror
    rookery mirror serve /srv/mirror            where there is none, to the servers
    ROOKERY_MIRROR=/srv/mirror ./apply.sh       in a rendered tree, where there is none
    """


@mirror.command("pull")
@_folder
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option(
    "--provider",
    type=click.Choice(ELSEWHERE),
    help="For Kubernetes there, whatever the spec says.",
)
@click.option("--check", is_flag=True, help="Fetch nothing; exit 4 where something is missing or damaged.")
@click.option("--through", default="", hidden=True, metavar="URL", help="Ask URL/HOST/PATH for HOST/PATH.")
@output_option
@journal_options
def pull(
    *,
    directory: Path,
    spec: str | None,
    provider: str | None,
    check: bool,
    through: str,
    output: str,
    keeping: Keeping,
) -> int:
    """Fetch into DIR what the design of SPEC needs on Kubernetes, or what of it is missing or damaged.

    Charts, manifests, helm and kubectl, the Debian packages of Kubernetes and CRI-O, and every image, each
    from its official place and checked by its digest. What is there whole is not fetched again. Broken off
    anywhere, the same command goes on. Several specs may share a folder.

    \b
    rookery mirror pull /srv/mirror
    rookery mirror pull /srv/mirror my.yaml --provider existing
    rookery mirror pull /srv/mirror --check
    """
    from rookery.run.answers import to_json

    sources = _sources(spec, provider or "")
    if check:
        from rookery.mirror.pull import check_mirror

        with Shown() as shown:
            problems = check_mirror(directory, sources, watcher=shown)
        if output == "json":
            click.echo(to_json({"folder": str(directory.absolute()), "problems": problems}))
        else:
            click.echo("\n".join(problems) or "everything is there, and whole")
        return ExitCode.VIOLATED if problems else ExitCode.DONE
    with recorded(keeping, system="") as record:
        done = _pull(directory, sources, through)
        said = _summary(done)
        record.ends(ExitCode.DONE, said)
    click.echo(to_json(_pulled_data(done)) if output == "json" else said)
    return ExitCode.DONE


def _pull(folder: Path, sources: Sources, through: str) -> Pulled:
    from rookery.mirror.downloads import Web
    from rookery.mirror.pull import pull_mirror

    with Web(through=through) as web, Shown() as shown:
        return pull_mirror(folder, sources, web=web, watcher=shown)


@mirror.command("show")
@_folder
@click.option("--all", "everything", is_flag=True, help="List each thing, with its version and its source.")
@output_option
def show(*, directory: Path, everything: bool, output: str) -> int:
    """Show what is in the mirror DIR: how many of each kind, and how large they are."""
    from rookery.mirror.folder import Mirror
    from rookery.run.answers import to_json

    opened = Mirror.open(directory)
    if output == "json":
        click.echo(to_json(_mirror_data(opened)))
    else:
        _print(opened, everything=everything)
    return ExitCode.DONE


@mirror.command("serve")
@_folder
@click.option(
    "--listen",
    default=":5080",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where to listen; without an address on all of this machine's.",
)
@click.option("--quiet", is_flag=True, help="Do not log each request on standard error.")
def serve(*, directory: Path, listen: str, quiet: bool) -> int:
    """Serve the mirror DIR to servers by HTTP, read-only, until interrupted: to nodes and to apt.

    Images are at HOST:PORT/REGISTRY/PATH for every container runtime, packages below /debs, and whatever else
    the mirror's index names at its path. Everyone who reaches the port may read all of it, and nobody may
    change anything. Servers need it as long as they live: pods move, and servers are added.

    \b
    rookery mirror serve /srv/mirror
    rookery mirror serve /srv/mirror --listen 10.0.0.5:5080 --quiet
    skopeo inspect --no-tags --tls-verify=false docker://10.0.0.5:5080/quay.io/ceph/ceph:v20.2.4
    """
    from rookery.mirror.serving.bounded import parse_listen
    from rookery.mirror.serving.server import MirrorServer
    from rookery.mirror.serving.shelf import Shelf

    at = parse_listen(listen)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    def log(line: str) -> None:
        if not quiet:
            with contextlib.suppress(OSError):  # who read it is gone; servers are not
                click.echo(line, err=True)

    with MirrorServer(Shelf(directory), at, log=log) as server:
        address = f"[{at.host}]" if ":" in at.host else at.host or "every address of this machine"
        click.echo(f"{directory} is served at {address}, port {server.port}; Ctrl-C ends it")
        ended.wait()
    return ExitCode.DONE


def _sources(spec: str | None, provider: str) -> Sources:
    from rookery.projections.kubernetes import build_stages
    from rookery.projections.kubernetes.sources import build_sources
    from rookery.run.workspace import open_spec

    design = open_spec(spec, as_new=True, provider=provider).design
    if design.kubernetes is None:
        click.echo("the native lab needs nothing from here; this is for the same on Kubernetes", err=True)
        design = open_spec(spec, as_new=True, provider=PLAIN).design
    return build_sources(design, build_stages(design))


def _summary(done: Pulled) -> str:
    there, new = len(done.mirror.things), len(done.new)
    if not new:
        size = format_amount(_size(done.mirror))
        return f"nothing was missing: {there} things, {size}, are in {done.mirror.folder}"
    fetched = format_amount(sum(thing.size for thing in done.new))
    return f"{new} things fetched, {fetched}; {there} are in {done.mirror.folder}"


def _size(opened: Mirror, kind: str = "") -> int:
    """Return the bytes of a mirror's files, or of those of a kind; what several images share counts once."""
    files = {
        file.path: file.size
        for thing in opened.things.values()
        if not kind or thing.kind == kind
        for file in thing.files
    }
    return sum(files.values())


def _of_kind(opened: Mirror, kind: str) -> Sequence[Thing]:
    return sorted((one for one in opened.things.values() if one.kind == kind), key=lambda one: one.key)


def _pulled_data(done: Pulled) -> dict[str, Any]:
    return {"new": [thing.key for thing in done.new], **_mirror_data(done.mirror)}


def _mirror_data(opened: Mirror) -> dict[str, Any]:
    return {
        "folder": str(opened.folder),
        "architecture": opened.architecture,
        "size": _size(opened),
        "kinds": {
            kind: {"count": len(_of_kind(opened, kind)), "size": _size(opened, kind)} for kind in _KINDS
        },
        "things": [
            {
                "kind": thing.kind,
                "name": thing.name,
                "version": thing.version,
                "source": thing.source,
                "path": thing.files[0].path,
                "sha256": thing.files[0].sha256,
                "size": thing.size,
            }
            for kind in _KINDS
            for thing in _of_kind(opened, kind)
        ],
    }


def _print(opened: Mirror, *, everything: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("size", justify="right")
    for kind, words in _KINDS.items():
        table.add_row(words, str(len(_of_kind(opened, kind))), format_amount(_size(opened, kind)))
    table.add_row("in all", str(len(opened.things)), format_amount(_size(opened)), style="bold")
    console.print(table)
    if everything:
        for kind in _KINDS:
            for thing in _of_kind(opened, kind):
                click.echo(f"{thing.title}  {format_amount(thing.size)}  {thing.source}")


class Shown:
    """Shows on standard error what is there now, and on a terminal also what is under way."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
        self._status = self._console.status("looking at what is there")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def done(self, text: str) -> None:
        with self._lock:
            self._console.print(f"  {text}", markup=False)

    def under_way(self, text: str) -> None:
        if self._console.is_terminal:
            with self._lock:
                self._status.update(Text(text))
