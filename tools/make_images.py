"""Draw the site's two skylines, dawn and dusk: bare trees, nests in their crowns, rooks on the wing.

Both are one scene in two lights, so that a page keeps its shape when its reader's colour scheme changes.
Everything is flat shapes in few colours: it prints the mood and packs small. The same input gives the same
picture; chance comes from a seed.

    python3 -m venv /tmp/image && /tmp/image/bin/pip install pillow
    /tmp/image/bin/python tools/make_images.py src/rookery/apps/cdn/site/static/images
"""

# ruff: noqa: INP001  a script, run by its path

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

WIDTH, HEIGHT = 1800, 900  # units of the scene
PIXELS = (1500, 750)
FINE = 2 * PIXELS[0] / WIDTH  # it is drawn twice as large as the picture, then reduced
SUN = (1235.0, 560.0)
COLOURS = 52

Colour = tuple[int, int, int]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The colours of one time of day: the sky from the sun outwards, then land and trees, far to near."""

    sky: tuple[str, ...]
    sun: str
    land: tuple[str, str, str]
    trees: tuple[str, str, str]


DUSK = Light(
    sky=("#f3a56b", "#dd7f5c", "#b95f5b", "#8d4a5c", "#643f5a", "#453751", "#2f2d43", "#1f2333", "#151926",
         "#11141d"),
    sun="#ffd9a3",
    land=("#5b3c52", "#2f2a3d", "#0d1017"),
    trees=("#4a3650", "#262435", "#0d1017"),
)  # fmt: skip
DAWN = Light(
    sky=("#fbe3bd", "#f8dcba", "#f5d9c0", "#f1dacb", "#eedcd3", "#ecdfd9", "#ebe3df", "#ebe7e3", "#ecebe6",
         "#eeeee9"),
    sun="#fff6df",
    land=("#cfd0cd", "#9fabab", "#22302f"),
    trees=("#c3c8c6", "#8d9b9b", "#22302f"),
)  # fmt: skip


def _rgb(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _mix(one: Colour, two: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, two, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """What draws: the picture, and a colour."""

    draw: Any
    colour: Colour

    def polygon(self, points: Sequence[Place]) -> None:
        self.draw.polygon([(x * FINE, y * FINE) for x, y in points], fill=self.colour)

    def disc(self, centre: Place, rx: float, ry: float) -> None:
        (x, y), scale = centre, FINE
        self.draw.ellipse(
            [(x - rx) * scale, (y - ry) * scale, (x + rx) * scale, (y + ry) * scale], fill=self.colour
        )

    def twig(self, start: Place, end: Place, foot: float, tip: float) -> None:
        """Draw one tapered branch."""
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        nx, ny = -math.sin(angle) / 2, math.cos(angle) / 2
        (ax, ay), (bx, by) = start, end
        self.polygon(
            [
                (ax + nx * foot, ay + ny * foot),
                (bx + nx * tip, by + ny * tip),
                (bx - nx * tip, by - ny * tip),
                (ax - nx * foot, ay - ny * foot),
            ]
        )
        self.disc(end, tip / 2, tip / 2)


def _draw_sky(draw: Any, light: Light) -> None:
    """Draw rings of light around the sun, each a shade of its own, three between two named colours."""
    stops = [_rgb(colour) for colour in light.sky]
    shades = [_mix(one, two, step / 3) for one, two in pairwise(stops) for step in range(3)]
    for number, shade in reversed(list(enumerate(shades))):
        reach = 120 + 22 * number + 0.82 * number**2
        Brush(draw=draw, colour=shade).disc(SUN, reach * 1.22, reach * 0.82)
    Brush(draw=draw, colour=_rgb(light.sun)).disc(SUN, 74, 74)


def _draw_land(brush: Brush, chance: Random, level: float, swing: float) -> None:
    """Draw a ridge from edge to edge, a sum of slow waves."""
    phase = [chance.random() * math.tau for _ in range(3)]
    points = [(0.0, float(HEIGHT))]
    for x in range(0, WIDTH + 1, 10):
        wave = sum(math.sin(x / (330 / (n + 1)) + phase[n]) / (n + 1) for n in range(3))
        points.append((x, level - swing * wave))
    brush.polygon([*points, (float(WIDTH), float(HEIGHT))])


def _draw_nest(brush: Brush, chance: Random, place: Place, size: float) -> None:
    """Draw a nest: a bowl, and the twigs it is made of."""
    x, y = place
    brush.disc(place, size, size * 0.62)
    for _ in range(30):
        turn, reach = chance.random() * math.pi, size * (0.85 + 0.55 * chance.random())
        cx, cy = x + (chance.random() - 0.5) * size, y + (chance.random() - 0.5) * size * 0.7
        dx, dy = math.cos(turn) * reach * 0.8, math.sin(turn) * reach * 0.34
        brush.twig((cx - dx, cy - dy), (cx + dx, cy + dy), 2.2, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shoot:
    """A branch about to grow; `depth` is how many times it will still divide."""

    place: Place
    angle: float
    length: float
    width: float
    depth: int


def _grow(brush: Brush, chance: Random, shoot: Shoot) -> list[tuple[Place, int]]:
    """Grow a branch and what grows from it; return the forks, where a nest may sit, with their depth."""
    bend = (chance.random() - 0.5) * 0.22
    half, angle = shoot.length * 0.5, shoot.angle
    middle = (shoot.place[0] + math.cos(angle) * half, shoot.place[1] + math.sin(angle) * half)
    end = (middle[0] + math.cos(angle + bend) * half, middle[1] + math.sin(angle + bend) * half)
    brush.twig(shoot.place, middle, shoot.width, shoot.width * 0.86)
    brush.twig(middle, end, shoot.width * 0.86, shoot.width * 0.72)
    forks = [(end, shoot.depth)]
    if shoot.depth == 0:
        return forks
    upright = -math.pi / 2
    for side in (-1, 1) if chance.random() < 0.86 else (-1, 0, 1):
        heading = angle + bend + side * (0.20 + 0.30 * chance.random())
        heading += (upright - heading) * 0.20
        length = shoot.length * (0.70 + 0.18 * chance.random())
        width = max(1.3, shoot.width * 0.66)
        child = Shoot(place=end, angle=heading, length=length, width=width, depth=shoot.depth - 1)
        forks += _grow(brush, chance, child)
    return forks


def _draw_tree(brush: Brush, chance: Random, root: Place, height: float, *, depth: int, nests: int) -> None:
    """Draw one tree with its nests, high in the crown as rooks build them."""
    lean = -math.pi / 2 + (chance.random() - 0.5) * 0.08
    trunk = Shoot(place=root, angle=lean, length=height * 0.27, width=height * 0.040, depth=depth)
    forks = _grow(brush, chance, trunk)
    high = sorted((place for place, left in forks if depth - 5 <= left <= depth - 3), key=lambda at: at[1])
    taken: list[Place] = []
    for place in high:
        if len(taken) < nests and all(math.dist(place, other) > height * 0.11 for other in taken):
            taken.append(place)
            _draw_nest(brush, chance, place, height * 0.027)
            if height > 400 and len(taken) % 2:
                _draw_sitting_rook(brush, (place[0], place[1] - height * 0.017), height * 0.034)


def _draw_sitting_rook(brush: Brush, place: Place, size: float) -> None:
    """Draw a rook on the rim of its nest, looking towards the sun."""
    shape = ((0.95, 0.25), (0.30, -0.28), (0.0, -0.80), (-0.28, -1.0), (-0.50, -0.86), (-0.92, -0.70),
             (-0.50, -0.66), (-0.46, -0.20), (-0.22, 0.16), (0.20, 0.24))  # fmt: skip
    brush.polygon([(place[0] + dx * size, place[1] + dy * size) for dx, dy in shape])


def _draw_rook(brush: Brush, place: Place, span: float, beat: float) -> None:
    """Draw a rook on the wing; `beat` lifts (positive) or lowers the wing tips."""
    x, y = place
    lift = 0.28 * beat
    for side in (-1, 1):
        wing = ((0.0, -0.03), (side * 0.24, -lift * 0.95), (side * 0.52, -lift * 0.75),
                (side * 0.30, -lift * 0.42), (side * 0.06, 0.07))  # fmt: skip
        brush.polygon([(x + dx * span, y + dy * span) for dx, dy in wing])
    body = ((-0.16, 0.06), (-0.02, -0.05), (0.17, -0.03), (0.23, 0.01), (0.04, 0.07))
    brush.polygon([(x + dx * span, y + dy * span) for dx, dy in body])


# The trees that are placed by hand, as (x, height, nests), and the flock as (x, y, span, beat).
_MIDDLE = ((620, 250, 2), (860, 320, 3), (985, 260, 2), (1395, 300, 2), (70, 215, 1))
_NEAR = ((1110, 520, 4), (1440, 720, 6), (1690, 600, 4))
_FLOCK = ((792, 232, 54, 1.0), (868, 148, 44, -0.5), (830, 300, 30, 0.8), (985, 112, 36, 0.9),
          (1062, 150, 26, -0.4), (930, 226, 22, 0.9))  # fmt: skip


def draw_scene(light: Light) -> Any:
    """Return the picture in one light."""
    from PIL import Image, ImageDraw

    chance = Random(1729)  # noqa: S311  a picture, not a secret
    image = Image.new("RGB", (2 * PIXELS[0], 2 * PIXELS[1]), _rgb(light.sky[-1]))
    draw = ImageDraw.Draw(image)
    lands = [Brush(draw=draw, colour=_rgb(colour)) for colour in light.land]
    trees = [Brush(draw=draw, colour=_rgb(colour)) for colour in light.trees]
    _draw_sky(draw, light)
    _draw_land(lands[0], chance, 742, 26)
    for number in range(15):
        root = (60 + 125 * number + 60 * chance.random(), 770.0)
        _draw_tree(trees[0], chance, root, 130 + 90 * chance.random(), depth=5, nests=number % 3)
    _draw_land(lands[1], chance, 806, 22)
    for x, height, nests in _MIDDLE:
        _draw_tree(trees[1], chance, (x, 830.0), height, depth=7, nests=nests)
    _draw_land(lands[2], chance, 862, 14)
    for x, height, nests in _NEAR:
        _draw_tree(trees[2], chance, (x, 880.0), height, depth=8, nests=nests)
    for x, y, span, beat in _FLOCK:
        _draw_rook(trees[2], (x, y), span, beat)
    small = image.resize(PIXELS, Image.Resampling.BOX)
    return small.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main(folder: str) -> None:
    for name, light in (("dusk", DUSK), ("dawn", DAWN)):
        target = Path(folder) / f"{name}.png"
        draw_scene(light).save(target, optimize=True)
        sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1])
