"""What is written of a drawing: SVG in its themes, and the source that draw.io edits."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rookery.projections.drawing import render_drawing, render_picture_source, render_plain
from rookery.projections.drawing.layout import build_picture
from rookery.projections.drawing.palette import STYLES, Shade, colour
from rookery.spec.load import pattern_names
from tests.kit.drawings import ALL, MARKS, design, each_design, each_picture, picture, words

GOLDEN = Path(__file__).parent / "golden" / "drawing"


@pytest.mark.parametrize("name", pattern_names())
def test_the_drawing_of_a_pattern_is_the_reviewed_one(name: str) -> None:
    """Renew them with RENEW_GOLDEN=1, and look at each before it is committed."""
    path = GOLDEN / f"{name}.drawio.svg"
    text = render_drawing(design(name))
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, (
        f"{path} is another drawing; look at both, then RENEW_GOLDEN=1 pytest tests/test_drawing_files.py"
    )
    assert len(text.encode()) < 140_000


def test_the_same_design_gives_the_same_bytes() -> None:
    build_picture(design("compact"), MARKS)
    assert render_drawing(design("thirty")) == render_drawing(design("thirty"))


def source_of(svg: str) -> ET.Element:
    content = ET.fromstring(svg).get("content")
    assert content is not None
    return ET.fromstring(content)


@each_picture
def test_draw_io_gets_shapes_in_their_containers_and_bound_edges(name: str, marked: bool) -> None:
    found = picture(name, marked)
    svg = render_drawing(design(name), marks=MARKS if marked else {})
    root = source_of(svg).find("./diagram/mxGraphModel/root")
    assert root is not None
    cells = {cell.get("id"): cell for cell in root.iter("mxCell")}
    assert len(cells) == len(list(root.iter("mxCell")))
    assert [one for one, cell in cells.items() if one != "0" and cell.get("parent") not in cells] == []
    for box in found.boxes:
        cell = cells[box.id]
        assert cell.get("vertex") == "1"
        assert cell.get("parent") == (box.parent or "1")
        assert absolute(cells, box.id) == pytest.approx((box.x, box.y), abs=0.3)
        assert ("container=1" in str(cell.get("style"))) == (not box.leaf)
    for arrow in found.arrows:
        cell = cells[arrow.id]
        assert (cell.get("source"), cell.get("target"), cell.get("edge")) == (arrow.source, arrow.target, "1")
        points = [(float(p.get("x", "")), float(p.get("y", ""))) for p in cell.iter("mxPoint")]
        assert points == [pytest.approx(point, abs=0.3) for point in arrow.points[1:-1]]
    assert {ring.box for ring in found.rings} <= set(cells)


def absolute(cells: dict[str | None, ET.Element], name: str | None) -> tuple[float, float]:
    """Return a cell's place on the page: its geometry counts from its parent's."""
    x = y = 0.0
    while name != "1":
        geometry = cells[name].find("mxGeometry")
        assert geometry is not None
        x, y = x + float(geometry.get("x", "0")), y + float(geometry.get("y", "0"))
        name = cells[name].get("parent")
    return x, y


def test_every_text_is_in_the_source_too() -> None:
    source = source_of(render_drawing(design("production-minimum")))
    values = "\n".join(cell.get("value", "") for cell in source.iter("mxCell"))
    assert [word for word in words("production-minimum") if word not in values] == []


def test_the_source_alone_is_what_the_svg_holds() -> None:
    source = render_picture_source(design("compact"))
    assert ET.fromstring(render_drawing(design("compact"))).get("content") == source
    assert ET.fromstring(render_plain(design("compact"))).get("content") is None


def test_what_a_person_wrote_is_escaped() -> None:
    root = ET.fromstring(render_drawing(design("long-words")))
    description = root.findtext("{http://www.w3.org/2000/svg}desc")
    assert description is not None
    assert description.endswith("gesellschaft & <more>")


def fills(svg: str) -> dict[str, str]:
    """Return the first colour of each class that fills."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"\.f-([a-z0-9-]+)\{fill:(#[0-9a-f]{6})\}", svg):
        found.setdefault(name, value)
    return found


def test_themes() -> None:
    light, dark, auto = (render_plain(design("compact"), theme=theme) for theme in ("light", "dark", "auto"))
    assert (fills(light)["paper"], fills(dark)["paper"], fills(auto)["paper"]) == (
        "#fdfcf9",
        "#14171f",
        "#fdfcf9",
    )
    assert "prefers-color-scheme" not in light + dark
    assert fills(auto.partition("@media(prefers-color-scheme:dark)")[2]) == fills(dark)
    model = source_of(render_drawing(design("compact"), theme="dark")).find("./diagram/mxGraphModel")
    assert model is not None
    assert model.get("background") == "#14171f"


@each_design
def test_every_colour_that_is_used_is_defined(name: str) -> None:
    svg = render_plain(design(name), marks=MARKS)
    sheet, _, body = svg.partition("</style>")
    used = {one for names in re.findall(r'class="([^"]*)"', body) for one in names.split()} - {"b", "l", "s-"}
    assert used <= set(re.findall(r"\.([fs]-[a-z0-9-]+)\{", sheet))


def luminance(value: str) -> float:
    """Return the relative luminance of `#rrggbb`, by WCAG 2.2."""
    parts = [int(value[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("shade", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(shade: Shade) -> None:
    """WCAG 2.2 asks for a contrast of 4.5."""
    pairs = set()
    for name in ALL:
        boxes = {box.id: box for box in picture(name, True).boxes}
        for box in boxes.values():
            ground = box
            while ground.shape == "bare" and ground.parent:
                ground = boxes[ground.parent]
            fill = STYLES[ground.style].fill or "paper"
            pairs |= {(text.tone, fill) for text in box.texts}
    for tone, fill in sorted(pairs):
        one, other = luminance(colour(tone, shade)), luminance(colour(fill, shade))
        assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= 4.5, (tone, fill)
