"""The drawing of a running system, its files and its command; what it is measured with."""

from __future__ import annotations

import struct
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rookery.apps.table import PLACERS, SETTINGS
from rookery.cli.main import cli
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.drivers.media.raster import render_png
from rookery.errors import InputError, RookeryError
from rookery.projections.drawing import Mark, MarkKind, render_drawing, render_plain
from rookery.projections.drawing.cards import _rank
from rookery.projections.drawing.folding import fold_hosts, names_of
from rookery.projections.drawing.font import fit_text, font_file, text_width, wrap_text
from rookery.projections.drawing.layout import build_picture
from rookery.run.marks import marks_of
from rookery.spec.load import load_pattern, read_pattern
from rookery.spec.parse import parse_spec
from rookery.systems.protocol import Deviation, DeviationKind

DOWN = Mark(kind=MarkKind.DOWN, note="exited")
FONTS = [font_file(bold=False), font_file(bold=True)]


def design(storage: int = 4) -> Design:
    if storage == 4:
        return build_design(load_pattern("production-minimum", settings=SETTINGS), placers=PLACERS)
    text = "apiVersion: rookery/v1\npattern: production-minimum\n"
    spec = parse_spec(
        f"{text}hosts: {{storage: {{count: {storage}}}}}\n",
        file="spec.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


# Marks.


def notes(found: Design, marks: Mapping[str, Mark]) -> dict[str, list[str]]:
    """Return the lines of each note of differences."""
    boxes = build_picture(found, marks).boxes
    return {box.parent: [text.text for text in box.texts] for box in boxes if box.id.endswith("/differs")}


def test_each_marked_element_has_a_ring_whose_number_its_note_carries() -> None:
    marks = {
        "storage-l": Mark(kind=MarkKind.DOWN, note="the server is off"),
        "osd.7": DOWN,
        "worker-b/cdn-edge": Mark(kind=MarkKind.DIFFERENT, note="another port"),
        "storage-k/vdc": Mark(kind=MarkKind.MISSING),
    }
    found = build_picture(design(), marks)
    assert [(ring.number, ring.box, str(ring.kind)) for ring in found.rings] == [
        (1, "worker-b/cdn-edge", "different"),
        (2, "storage-k/vdc", "missing"),
        (3, "storage-l", "down"),
        (4, "osd.7", "down"),
    ]
    assert notes(design(), marks) == {
        "worker-b": ["1 cdn-edge: differs, another port"],
        "storage-k": ["2 vdc: missing"],
        "storage-l": ["3 storage-l: down, the server is off"],
        "storage-n": ["4 osd.7: down, exited"],
    }
    assert "differs from the design" in [text.text for box in found.boxes for text in box.texts]


def test_what_the_design_does_not_have_is_listed_at_its_host_or_at_the_foot() -> None:
    extra = Mark(kind=MarkKind.EXTRA, note="20 GB")
    marks = {"storage-k/vdz": extra, "lb-1/haproxy": DOWN, "osd.99": Mark(kind=MarkKind.EXTRA)}
    found = build_picture(design(), marks)
    assert found.rings == ()
    assert notes(design(), marks) == {
        "storage-k": ["1 vdz: not in the design, 20 GB"],
        "lb-1": ["2 haproxy: down, exited"],
    }
    foot = [text.text for box in found.boxes if box.id.startswith("note") for text in box.texts]
    assert foot[-1] == "3 osd.99: not in the design"


def test_without_marks_there_is_neither_ring_nor_note() -> None:
    found = build_picture(design(), {})
    assert found.rings == ()
    assert notes(design(), {}) == {}
    assert "differs from the design" not in [text.text for box in found.boxes for text in box.texts]


def test_a_marked_host_stands_apart_from_those_it_is_like() -> None:
    many = design(40)
    alike = [box.stands_for for box in build_picture(many, {}).boxes if "storage-z" in box.stands_for]
    assert len(alike[0]) > 20
    apart = [
        box.stands_for for box in build_picture(many, {"storage-z": DOWN}).boxes if box.id == "storage-z"
    ]
    assert apart == [("storage-z",)]


def test_hosts_with_the_same_marks_share_a_box() -> None:
    many = design(40)
    marks = {host.name: DOWN for host in many.servers[-20:]}
    assert notes(many, marks) == {"storage-ae": ["1 storage-ae and 19 more: down, exited"]}


def test_more_marks_than_a_page_holds_are_counted() -> None:
    many = design(40)
    marks = {osd.name: Mark(kind=MarkKind.DOWN, note=osd.id) for host in many.hosts for osd in host.daemons}
    picture = build_picture(many, marks)
    cards = [box for box in picture.boxes if box.style == "host" and box.id.startswith("storage")]
    assert len(cards) <= 12
    assert any("more differences" in text.text for box in picture.boxes for text in box.texts)


def test_names_of_folded_hosts_are_runs() -> None:
    storage = [host for host in design(40).hosts if host.drives]
    assert [names_of(card) for card in fold_hosts(storage, 6, {})] == [
        *("storage-k … storage-m", "storage-n, storage-o", "storage-p, storage-q"),
        *("storage-r, storage-s", "storage-t … storage-ax"),
    ]
    scattered = [*storage[9:12], storage[15], *storage[17:19]]
    assert [names_of(card) for card in fold_hosts(scattered, 1, {})] == [
        "storage-t … storage-v, storage-z, storage-ab, storage-ac"
    ]


# Marks of a running system.


def deviation(kind: str, subject: str, item: str, what: str) -> Deviation:
    return Deviation(kind=DeviationKind(kind), subject=subject, item=item, what=what)


def test_a_system_that_is_as_designed_has_no_marks() -> None:
    assert marks_of(()) == {}


def test_each_deviation_is_marked_where_it_is_drawn() -> None:
    found = (
        deviation("missing", "storage-l", "", "does not run"),
        deviation("missing", "storage-k", "osd.0", "exited: too quickly"),
        deviation("different", "storage-k", "osd.0", "down"),
        deviation("missing", "worker-a", "cdn-edge", "stopped"),
        deviation("extra", "storage-k", "vdz", "a drive that is not designed"),
        deviation("extra", "cluster", "pool mine", "not designed"),
        deviation("different", "cp-1", "/etc/ceph/ceph.conf", "changed by hand"),
        deviation("missing", "cp-1", "/etc/hosts", "not there"),
    )
    assert marks_of(found) == {
        "storage-l": Mark(kind=MarkKind.DOWN, note="does not run"),
        "osd.0": Mark(kind=MarkKind.MISSING, note="exited: too quickly"),
        "worker-a/cdn-edge": Mark(kind=MarkKind.MISSING, note="stopped"),
        "storage-k/vdz": Mark(kind=MarkKind.EXTRA, note="a drive that is not designed"),
        "cluster/pool mine": Mark(kind=MarkKind.EXTRA, note="not designed"),
        "cp-1": Mark(kind=MarkKind.DIFFERENT, note="/etc/ceph/ceph.conf and 1 more, not as laid"),
    }


# Lines.


def test_lines_that_turn_right_turn_from_the_outermost_inwards() -> None:
    """No pattern has two of them; turning in the other order would cross them."""
    exits, entries = [100.0, 107.0, 114.0], [60.0, 150.0, 210.0]
    assert [_rank(number, exits, entries) for number in range(3)] == [0, 1, 0]


# Text.


def test_widths_are_those_of_the_typeface() -> None:
    """Inter 4.001 has 2048 units to the em."""
    assert [text_width(text, 2048) for text in (" ", "n", "nn")] == [576, 1210, 2420]
    assert text_width("n", 2048, bold=True) == 1253
    assert text_width("葛", 10) == 10.0


@pytest.mark.parametrize("bold", [False, True])
def test_a_rasteriser_draws_a_text_as_wide_as_it_was_measured(bold: bool) -> None:
    text = "storage-k 10.146.163.128 · Ünï Ωж"
    weight = 600 if bold else 400
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="40">'
        f'<text x="10" y="25" font-family="Inter" font-size="20" font-weight="{weight}">{text}</text></svg>'
    )
    drawn = ink(render_png(svg, fonts=FONTS, zoom=1.0))
    assert drawn[0] == pytest.approx(10, abs=3)
    assert drawn[1] == pytest.approx(10 + text_width(text, 20, bold=bold), abs=3)


def ink(png: bytes) -> tuple[int, int]:
    """Return the first and last column of a PNG (8-bit RGBA) in which something is drawn."""
    import zlib

    width, height = struct.unpack_from(">II", png, 16)
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    rows = unfiltered(zlib.decompress(data), width * 4)
    assert len(rows) == height
    columns = {x for row in rows for x in range(width) if row[4 * x + 3]}
    return min(columns), max(columns)


def unfiltered(data: bytes, stride: int) -> list[bytearray]:
    """Undo PNG's filters (RFC 2083, section 6), four bytes to the pixel."""
    rows: list[bytearray] = []
    above = bytearray(stride)
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + stride])
        for x in range(stride):
            left, up = row[x - 4] if x > 3 else 0, above[x]
            corner = above[x - 4] if x > 3 else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda near: abs(guess - near))
            row[x] = (row[x] + (0, left, up, (left + up) // 2, paeth)[kind]) % 256
        rows.append(row)
        above = row
    return rows


def test_a_text_is_shortened_to_what_fits() -> None:
    assert fit_text("storage-k", 200, 11) == "storage-k"
    short = fit_text("storage-k … storage-z", 60, 11)
    assert short == "storage-…"
    assert text_width(short, 11) <= 60
    assert fit_text("storage", 1, 11) == ""


def test_a_text_is_broken_between_words() -> None:
    lines = wrap_text("one two three four five", 60, 11)
    assert " ".join(lines) == "one two three four five"
    assert len(lines) == 3
    assert max(text_width(line, 11) for line in lines) <= 60


# Files.


def test_a_png_needs_no_font_of_the_machine() -> None:
    svg = render_plain(design(), theme="light", embed_font=False)
    png = render_png(svg, fonts=FONTS)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    root = ET.fromstring(svg)
    assert struct.unpack_from(">II", png, 16) == (
        int(root.attrib["width"]) * 2,
        int(root.attrib["height"]) * 2,
    )
    assert render_png(svg, fonts=[]) != png
    assert render_png(svg, fonts=FONTS) == png


def test_what_is_no_svg_is_refused() -> None:
    with pytest.raises(RookeryError, match="the drawing cannot be made a PNG"):
        render_png("<html/>", fonts=FONTS)


def test_an_embedded_font_is_a_font() -> None:
    import base64

    svg = render_plain(design())
    fonts = [part.partition(")")[0] for part in svg.split("font/woff2;base64,")[1:]]
    assert [base64.b64decode(font)[:4] for font in fonts] == [b"wOF2", b"wOF2"]
    assert "@font-face" not in render_plain(design(), embed_font=False)


# The command.


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["diagram", *words], standalone_mode=False)


def test_the_default_is_an_svg_that_draw_io_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("compact")
    assert result.output == (
        "compact.drawio.svg is written: a browser shows it, "
        "draw.io (app.diagrams.net) opens it for editing.\n"
    )
    compact = build_design(load_pattern("compact", settings=SETTINGS), placers=PLACERS)
    assert (tmp_path / "compact.drawio.svg").read_text() == render_drawing(compact)


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("a.drawio", b"<mxfile host='rookery'>"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="1481" height="'),
        ("a.png", b"\x89PNG"),
    ],
)
def test_the_ending_says_what_is_written(tmp_path: Path, file: str, start: bytes) -> None:
    path = tmp_path / file
    result = run("production-minimum", "-o", str(path))
    assert result.output.startswith(f"{path} is written: ")
    assert path.read_bytes().startswith(start)


def test_standard_output_holds_the_drawing_alone() -> None:
    result = run("production-minimum", "-o", "-", "--theme", "dark")
    assert result.output == render_drawing(design(), theme="dark")


def test_an_ending_that_says_nothing_is_refused(tmp_path: Path) -> None:
    result = run("-o", str(tmp_path / "a.pdf"))
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"-o {tmp_path}/a.pdf: nothing is written by that ending\n"
        "  Use one of .drawio.svg, .drawio, .svg, .png."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("-o", str(tmp_path / "file" / "a.svg"))
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(f"{tmp_path}/file/a.svg cannot be written: ")


def test_drawing_an_svg_loads_no_rasteriser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert run("compact", "-o", "-").exit_code == 0
    assert isinstance(run("compact", "-o", "compact.png").exception, ImportError)
