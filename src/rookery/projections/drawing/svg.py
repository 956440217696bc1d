"""Writes a picture as SVG.

Colours are classes, so that `auto` can follow the reader's colour scheme; the typeface is embedded, so that
texts are as wide as they were measured. `source` is put where draw.io looks for what it can edit: the
attribute `content` of the root, as its own export "Editable SVG" does.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from rookery.projections.drawing.font import FALLBACK, FAMILY, embedded_font
from rookery.projections.drawing.palette import COLOURS, STYLES, Shade, Theme, colour
from rookery.projections.drawing.picture import Arrow, Box, Line, Picture, Point, Ring, Text

_ROUND = 5.0  # radius of a line's bends
_RISE = 5.0  # half the height of a drive's lid


def render_svg(picture: Picture, *, theme: Theme, source: str = "", embed_font: bool = True) -> str:
    """Return the SVG; without `embed_font` the typeface is only named, for a rasteriser that was given it."""
    size = f'width="{picture.width:g}" height="{picture.height:g}"'
    view = f'viewBox="0 0 {picture.width:g} {picture.height:g}"'
    content = f' content="{_attribute(source)}"' if source else ""
    grounds = [box for box in picture.boxes if not box.leaf]
    leaves = [box for box in picture.boxes if box.leaf]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img"{content}>',
        f"<title>{escape(picture.title)}</title>",
        f"<desc>{escape(picture.description)}</desc>" if picture.description else "",
        f"<style>{_style_sheet(picture, theme, embed_font=embed_font)}</style>",
        '<rect class="f-paper" width="100%" height="100%"/>',
        *(_box(box) for box in grounds),
        *(_line(line) for line in picture.lines),
        *(_arrow(arrow) for arrow in picture.arrows),
        *(_dot(place, tone) for place, tone in picture.dots),
        *(_box(box) for box in leaves),
        *(_ring(ring, picture) for ring in picture.rings),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _attribute(text: str) -> str:
    """Escape no more than an attribute in double quotes needs: the source is half of the file."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _style_sheet(picture: Picture, theme: Theme, *, embed_font: bool) -> str:
    text = f"text{{font-family:{FAMILY},{FALLBACK};white-space:pre}}.b{{font-weight:600}}"
    rules = [f"{text}.l{{fill:none;stroke-width:1.5}}"]
    if embed_font:
        rules += [
            f"@font-face{{font-family:{FAMILY};font-weight:{600 if bold else 400};"
            f"src:url(data:font/woff2;base64,{embedded_font(bold=bold)})}}"
            for bold in (False, True)
        ]
    rules.append(_colours(picture, "dark" if theme == "dark" else "light"))
    if theme == "auto":
        rules.append(f"@media(prefers-color-scheme:dark){{{_colours(picture, 'dark')}}}")
    return "\n".join(rules)


def _colours(picture: Picture, shade: Shade) -> str:
    """Return the rules for what the picture uses: `f-` fills, `s-` draws lines."""
    fills = {"paper", "ink", "soft", *(text.tone for box in picture.boxes for text in box.texts)}
    strokes = {arrow.tone for arrow in picture.arrows} | {line.tone for line in picture.lines}
    for box in picture.boxes:
        fills.add(STYLES[box.style].fill)
        strokes.add(STYLES[box.style].stroke)
    fills |= strokes
    if picture.rings:
        fills |= {"mark", "on-mark"}
        strokes.add("mark")
    rules = [f".f-{name}{{fill:{colour(name, shade)}}}" for name in COLOURS if name in fills]
    rules += [f".s-{name}{{stroke:{colour(name, shade)}}}" for name in COLOURS if name in strokes]
    return "".join(rules)


def _box(box: Box) -> str:
    style = STYLES[box.style]
    parts = []
    if box.shape != "bare":
        parts += [
            _outline(box, style.fill, style.stroke, style.radius, 4.0 * sheet)
            for sheet in range(box.sheets, -1, -1)
        ]
    parts += [_text(text) for text in box.texts]
    return "".join(parts)


def _outline(box: Box, fill: str, stroke: str, radius: float, shift: float) -> str:
    classes = f'class="f-{fill} s-{stroke}"'
    x, y = box.x + shift, box.y + shift
    if box.shape == "drive":
        return _drive(x, y, box.width, box.height, classes)
    rounding = box.height / 2 if box.shape == "pill" and box.height < 30 else radius
    size = f'width="{box.width:g}" height="{box.height:g}"'
    return f'<rect {classes} x="{x:g}" y="{y:g}" {size} rx="{rounding:g}"/>'


def _drive(x: float, y: float, width: float, height: float, classes: str) -> str:
    """Return a cylinder: a body whose lid and foot are flat ellipses."""
    rx, ry = width / 2, _RISE
    body = (
        f"M{x:g} {y + ry:g}a{rx:g} {ry:g} 0 0 1 {width:g} 0v{height - 2 * ry:g}"
        f"a{rx:g} {ry:g} 0 0 1 {-width:g} 0z"
        f"m0 0a{rx:g} {ry:g} 0 0 0 {width:g} 0"
    )
    return f'<path {classes} d="{body}"/>'


def _text(text: Text) -> str:
    if not text.text:
        return ""
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    bold = " b" if text.bold else ""
    return (
        f'<text class="f-{text.tone}{bold}" x="{text.x:g}" y="{text.y:g}" font-size="{text.size:g}"{anchor}>'
        f"{escape(text.text)}</text>"
    )


def _line(line: Line) -> str:
    dots = ' stroke-dasharray="1 6" stroke-linecap="round"' if line.dotted else ""
    width = 2.6 if line.dotted else line.width
    return (
        f'<path class="s-{line.tone}" fill="none" stroke-width="{width:g}"{dots} d="{_path(line.points)}"/>'
    )


def _arrow(arrow: Arrow) -> str:
    """Return the line and its head; the line ends inside the head."""
    (x, y), before = arrow.points[-1], arrow.points[-2]
    dx = (x > before[0]) - (x < before[0])
    dy = (y > before[1]) - (y < before[1])
    shaft = (*arrow.points[:-1], (x - 5 * dx, y - 5 * dy))
    left = (x - 7 * dx + 3.2 * dy, y - 7 * dy + 3.2 * dx)
    right = (x - 7 * dx - 3.2 * dy, y - 7 * dy - 3.2 * dx)
    head = f"M{x:g} {y:g}L{left[0]:g} {left[1]:g}L{right[0]:g} {right[1]:g}z"
    return f'<path class="l s-{arrow.tone}" d="{_path(shaft)}"/><path class="f-{arrow.tone}" d="{head}"/>'


def _path(points: tuple[Point, ...]) -> str:
    """Return a line with rounded bends."""
    words = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_ROUND, _length(before, at) / 2, _length(at, after) / 2)
        start, end = _towards(at, before, radius), _towards(at, after, radius)
        words.append(f"L{start[0]:g} {start[1]:g}Q{at[0]:g} {at[1]:g} {end[0]:g} {end[1]:g}")
    words.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(words)


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, to: Point, by: float) -> Point:
    """Return the point `by` from `start`, along a line that is level or upright."""
    dx = (to[0] > start[0]) - (to[0] < start[0])
    dy = (to[1] > start[1]) - (to[1] < start[1])
    return round(start[0] + dx * by, 2), round(start[1] + dy * by, 2)


def _dot(place: Point, tone: str) -> str:
    return f'<circle class="f-{tone}" cx="{place[0]:g}" cy="{place[1]:g}" r="2.6"/>'


def _ring(ring: Ring, picture: Picture) -> str:
    box = next(box for box in picture.boxes if box.id == ring.box)
    x, y = box.x - 3, box.y - 3
    number = Text(
        x=box.right, y=box.y + 3.6, text=str(ring.number), size=10, bold=True, anchor="middle", tone="on-mark"
    )
    return (
        f'<rect class="s-mark" fill="none" stroke-width="2.5" x="{x:g}" y="{y:g}" '
        f'width="{box.width + 6:g}" height="{box.height + 6:g}" rx="8"/>'
        f'<circle class="f-mark" cx="{box.right:g}" cy="{box.y:g}" r="8"/>{_text(number)}'
    )
