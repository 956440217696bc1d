"""The command that draws a system: diagram."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from rookery.cli.options import complete_spec
from rookery.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rookery.design.model import Design
    from rookery.projections.drawing import Mark
    from rookery.run.workspace import Workspace

_Theme = Literal["light", "dark", "auto"]
# What is said of a file that was written, by its ending; the longer endings first.
_KINDS = {
    ".drawio.svg": "a browser shows it, draw.io (app.diagrams.net) opens it for editing",
    ".drawio": "draw.io (app.diagrams.net) opens it",
    ".svg": "a browser shows it",
    ".png": "a picture for pages that take no SVG",
}


@click.command(short_help="Draw a design: servers, daemons, applications.")
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option(
    "-o",
    "--output",
    "file",
    default="",
    help="Where to write it; `-` is standard output.  [default: NAME.drawio.svg]",
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark", "auto"]),
    default="auto",
    show_default=True,
    help="Colours; auto follows the reader's browser, and is light in a PNG.",
)
@click.option("--live", is_flag=True, help="Draw the system that runs, and mark what differs (root).")
def diagram(spec: str | None, *, file: str, theme: _Theme, live: bool) -> int:
    """Draw the design of SPEC: servers, daemons, applications, claims, networks.

    The file's ending says what is written: .drawio.svg (an SVG that draw.io edits), .drawio, .svg, .png. A
    file that is there is replaced. What should be otherwise starts as a change of the spec: draw it again.

    \b
    rookery diagram
    rookery diagram my.yaml -o my.png --theme dark
    rookery diagram --live -o now.svg
    """
    from rookery.drivers.machine.files import write_whole
    from rookery.run.workspace import open_spec

    kind = _kind(file)
    workspace, marks = _look(spec) if live else (open_spec(spec), {})
    content = _render(kind, workspace.design, theme, marks)
    if file == "-":
        click.echo(content, nl=False)
        return ExitCode.DONE
    path = Path(file or f"{workspace.design.name}{kind}")
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", hint="Name another with -o."
        ) from None
    click.echo(f"{path} is written: {_KINDS[kind]}.")
    if live:
        count = "1 difference is" if len(marks) == 1 else f"{len(marks)} differences are"
        click.echo(f"{count} marked in it." if marks else "Nothing differs from the design.")
    return ExitCode.DONE


def _look(system: str | None) -> tuple[Workspace, Mapping[str, Mark]]:
    """Return the workspace of a system that runs, and what differs in it."""
    from rookery.run.marks import marks_of
    from rookery.run.systems import opened

    with opened(system) as running:
        return running.workspace, marks_of(running.system.drift())


def _kind(file: str) -> str:
    """Return the ending that says what to write; raises InputError for one that says nothing."""
    if file in ("", "-"):
        return ".drawio.svg"
    for kind in _KINDS:
        if Path(file).name.endswith(kind):
            return kind
    raise InputError(f"-o {file}: nothing is written by that ending", hint=f"Use one of {', '.join(_KINDS)}.")


def _render(kind: str, design: Design, theme: _Theme, marks: Mapping[str, Mark]) -> bytes:
    from rookery.projections.drawing import render_drawing, render_picture_source, render_plain

    if kind == ".drawio":
        return render_picture_source(design, theme=theme, marks=marks).encode()
    if kind == ".svg":
        return render_plain(design, theme=theme, marks=marks).encode()
    if kind == ".png":
        from rookery.drivers.media.raster import render_png
        from rookery.projections.drawing.font import font_file

        shade: _Theme = "dark" if theme == "dark" else "light"
        svg = render_plain(design, theme=shade, marks=marks, embed_font=False)
        return render_png(svg, fonts=[font_file(bold=False), font_file(bold=True)])
    return render_drawing(design, theme=theme, marks=marks).encode()
