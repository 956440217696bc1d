"""A picture: boxes, texts, lines and arrows at their places, before anyone writes them as SVG or mxGraph.

Lengths are pixels, y grows downwards, all places are absolute. Colours are names of `palette`; what a box
stands for is its id: a host's name, a daemon's (`osd.3`), `HOST/INSTANCE`, `HOST/DRIVE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from rookery.projections.drawing.font import text_width

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
Shape = Literal["box", "drive", "pill", "bare"]


class MarkKind(StrEnum):
    """How an element of a running system differs from the design."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A difference between the design and what runs; `note` says it in a few words."""

    kind: MarkKind
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text. `y` is its baseline; `tone` is a colour of the palette."""

    x: float
    y: float
    text: str
    size: float = 11
    bold: bool = False
    anchor: Anchor = "start"
    tone: str = "ink"

    @property
    def left(self) -> float:
        part = {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return self.x - part * self.width

    @property
    def width(self) -> float:
        return text_width(self.text, self.size, bold=self.bold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with its texts. `parent` is the id of the box around it; a `leaf` holds no other box.

    `stands_for` names what the design has in its place: its own id, or all that was folded into it. `sheets`
    is how many further outlines show behind it, as of a stack.
    """

    id: str
    x: float
    y: float
    width: float
    height: float
    style: str
    parent: str = ""
    shape: Shape = "box"
    texts: tuple[Text, ...] = ()
    leaf: bool = True
    stands_for: tuple[str, ...] = ()
    sheets: int = 0

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A line with a head, along `points`, from one box to another (their ids)."""

    id: str
    source: str
    target: str
    points: tuple[Point, ...]
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that connects nothing: the dotted one of the persistent volumes, a network's rail."""

    id: str
    points: tuple[Point, ...]
    tone: str
    dotted: bool = False
    width: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """What makes a marked box visible: an outline around it, and a number that its note carries too."""

    box: str
    kind: MarkKind
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The whole drawing; boxes are in the order of painting, each after the one around it."""

    title: str
    description: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    lines: tuple[Line, ...] = ()
    dots: tuple[tuple[Point, str], ...] = ()
    rings: tuple[Ring, ...] = ()
