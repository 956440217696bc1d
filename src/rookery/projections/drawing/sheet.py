"""The paper that a layout draws on: it collects boxes, arrows and lines, and finds what was drawn by id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rookery.projections.drawing.font import fit_text, text_width
from rookery.projections.drawing.picture import Arrow, Box, Line, Point, Ring, Text

ROW = 24.0  # height of a program's box


class Sheet:
    """Collects the parts of a picture, in the order of painting."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}
        self.arrows: list[Arrow] = []
        self.lines: list[Line] = []
        self.dots: list[tuple[Point, str]] = []
        self.rings: list[Ring] = []

    def add(self, box: Box) -> Box:
        assert box.id not in self.boxes, f"{box.id} is drawn twice"
        self.boxes[box.id] = box
        return box

    def words(self, name: str, texts: Iterable[Text], parent: str = "") -> None:
        """Add texts that stand by themselves."""
        for number, text in enumerate(texts):
            self.add(
                Box(
                    id=f"{name}-{number}" if number else name,
                    parent=parent,
                    x=text.left - 1,
                    y=text.y - text.size,
                    width=text.width + 2,
                    height=text.size * 1.3,
                    style="bare",
                    shape="bare",
                    texts=(text,),
                )
            )

    def arrow(self, source: str, target: str, points: tuple[Point, ...], tone: str) -> None:
        """Add an arrow; its id says from where to where."""
        name = f"{source}→{target}"
        assert source in self.boxes, source
        assert target in self.boxes, target
        turns = _straight(points)
        self.arrows.append(Arrow(id=name, source=source, target=target, points=turns, tone=tone))


def _straight(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return the points without those that do not turn."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and _between(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _between(first: Point, middle: Point, last: Point) -> bool:
    return first[0] == middle[0] == last[0] or first[1] == middle[1] == last[1]


def with_row(box: Box, label: str, note: str) -> Box:
    """Return a program's box with its name at the left and, if it fits, a note at the right."""
    inner = box.width - 16
    name = fit_text(label, inner, 11, bold=True)
    texts = [Text(x=box.x + 8, y=box.y + 16, text=name, bold=True)]
    shown = _shortened(note, inner - texts[0].width - 8)
    if shown:
        texts.append(Text(x=box.right - 8, y=box.y + 16, text=shown, size=9.5, anchor="end", tone="soft"))
    return replace(box, texts=tuple(texts))


def _shortened(note: str, room: float) -> str:
    """Return as many of a note's words, from the left, as there is room for."""
    words = note.split()
    while words and text_width(" ".join(words), 9.5) > room:
        words.pop()
    return " ".join(words).rstrip(",")


def with_lines(box: Box, lines: tuple[str, ...], size: float = 9.5) -> Box:
    """Return a box with a few centred lines, the first of them bold; below the lid in a drive."""
    leading = size + 3.5
    lid = 4 if box.shape == "drive" else 0
    first = box.y + lid + box.height / 2 - leading * (len(lines) - 1) / 2 + size * 0.36
    texts = tuple(
        Text(
            x=box.x + box.width / 2,
            y=round(first + number * leading, 1),
            text=fit_text(line, box.width - 6, size if number else size + 0.5, bold=not number),
            size=size if number else size + 0.5,
            bold=not number,
            anchor="middle",
            tone="soft" if number else "ink",
        )
        for number, line in enumerate(lines)
    )
    return replace(box, texts=texts)
