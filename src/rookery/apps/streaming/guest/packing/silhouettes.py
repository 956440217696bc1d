"""Draws trees with nests, and birds, as grey pictures for ffmpeg to multiply a sky with.

White is the sky, darker is nearer. The same scene always gives the same pictures: chance comes from its
seed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 960, 540
_STRIP = 2 * WIDTH  # trees stand in a strip that comes round again

_MARGIN = 400  # pixels beside the strip that branches may reach into, folded back at the end
_SKY, _WOOD = b"\xff", b"\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Trees at one distance: the strip's rows, twice side by side, and how they move, in pixels a second."""

    rows: tuple[bytes, ...]
    speed: float
    sway: float


class Wood:
    """A strip of sky with trees drawn into it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rows = [bytearray(_SKY * (_STRIP + 2 * _MARGIN)) for _ in range(HEIGHT)]

    def dot(self, x: float, y: float, radius: float) -> None:
        reach = max(0, int(radius))
        left = max(0, int(x - radius) + _MARGIN)
        dark = _WOOD * (2 * reach + 1)
        for row in range(max(0, int(y) - reach), min(HEIGHT, int(y) + reach + 1)):
            self._rows[row][left : left + len(dark)] = dark

    def branch(self, x: float, y: float, angle: float, length: float, thick: float) -> None:
        """Draw a branch and what grows from it; angles in radians, 0 upwards."""
        steps = max(2, int(length / max(1.0, thick * 0.6)))
        bend = self._chance.uniform(-0.35, 0.35)
        for step in range(steps):
            part = step / steps
            angle += bend / steps
            x += math.sin(angle) * length / steps
            y -= math.cos(angle) * length / steps
            self.dot(x, y, thick * (1 - 0.35 * part) / 2)
        if length < 5:
            return
        for side in (-1, 1):
            turn = side * self._chance.uniform(0.18, 0.62)
            shorter = length * self._chance.uniform(0.66, 0.86)
            self.branch(x, y, angle * 0.92 + turn, shorter, thick * 0.66)
        if length < 26 and self._chance.random() < 0.014:
            self.nest(x, y, self._chance.uniform(5, 8))

    def nest(self, x: float, y: float, size: float) -> None:
        for _ in range(60):
            turn = self._chance.uniform(0, math.tau)
            far = size * math.sqrt(self._chance.random())
            self.dot(x + far * math.cos(turn) * 1.3, y + far * math.sin(turn) * 0.6, 1.4)

    def ground(self, height: float, rough: float) -> None:
        for x in range(_STRIP):
            turn = math.tau * x / _STRIP
            wave = math.sin(turn * 3) + 0.5 * math.sin(turn * 7 + 1) + 0.3 * math.sin(turn * 23 + 2)
            top = int(HEIGHT - height - rough * wave)
            for row in range(max(0, top), HEIGHT):
                self._rows[row][x + _MARGIN] = 0

    def rows(self, shade: int) -> Iterator[bytes]:
        """The strip's rows, twice side by side, so that a view of any part of it is one slice."""
        lighter = bytes([shade]) + bytes(range(1, 256))
        for row in self._rows:
            middle = _both(
                row[_MARGIN : _MARGIN + _STRIP], row[_MARGIN + _STRIP :] + _SKY * (_STRIP - _MARGIN)
            )
            whole = _both(middle, _SKY * (_STRIP - _MARGIN) + row[:_MARGIN])
            yield whole.translate(lighter) * 2


def _both(one: bytes | bytearray, other: bytes | bytearray) -> bytes:
    """Lay two pictures over each other. Shades are powers of two less one: the darker one wins."""
    together = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return together.to_bytes(len(one), "little")


def make_layer(scene: dict[str, Any]) -> Layer:
    """Grow the trees of one layer of a scene."""
    chance = random.Random(scene["seed"])  # noqa: S311 - trees, not keys
    wood = Wood(chance)
    wood.ground(scene["ground"], scene["ground"] * 0.25)
    for index in range(scene["trees"]):
        x = (index + chance.uniform(0.15, 0.85)) * _STRIP / scene["trees"]
        length = scene["size"] * chance.uniform(0.75, 1.15)
        wood.branch(x, HEIGHT - scene["ground"] * 0.45, chance.uniform(-0.08, 0.08), length, length * 0.15)
    return Layer(rows=tuple(wood.rows(scene["shade"])), speed=scene["speed"], sway=scene.get("sway", 0))


def draw_layer(layer: Layer, time: float) -> bytes:
    """Draw a layer as it stands at a time in seconds; the tops sway most."""
    gust = math.sin(time * 1.7) + 0.6 * math.sin(time * 4.1 + 1) + 0.3 * math.sin(time * 9.7)
    parts = []
    for number, row in enumerate(layer.rows):
        up = (HEIGHT - number) / HEIGHT
        shift = int(layer.speed * time + layer.sway * gust * up * up) % _STRIP
        parts.append(row[shift : shift + WIDTH])
    return b"".join(parts)


def wing(size: int, beat: int) -> list[tuple[int, int]]:
    """The pixels of a bird, seen from behind or ahead, at one of eight beats of its wings."""
    lift = math.sin(beat * math.tau / 8)
    pixels = []
    for dx in range(-size, size + 1):
        out = abs(dx) / size
        dy = round(-lift * size * 0.75 * out + 0.5 * size * out * out * lift)
        pixels.append((dx, dy))
        if out < 0.55:
            pixels.append((dx, dy + 1))
        if out < 0.2:
            pixels.append((dx, dy + 2))
    return pixels


def murmuration(chance: random.Random) -> Callable[[float], tuple[float, float, float]]:
    """One bird of a flock that turns as one body: where it is at a time, and how near (0 to 1)."""
    a, b, c = (chance.uniform(0, math.tau) for _ in range(3))
    spread = math.sqrt(chance.random())

    def place(time: float) -> tuple[float, float, float]:
        lag = time - 0.25 * spread
        fold = 1.1 * math.sin(0.33 * lag + 1.5 * math.sin(a))
        x = 0.5 + 0.2 * math.sin(0.21 * lag) + spread * 0.27 * math.cos(a + 0.55 * lag + fold)
        y = 0.36 + 0.08 * math.sin(0.37 * lag + 1) + spread * 0.15 * math.sin(b + 0.4 * lag - 1.6 * fold)
        near = 0.5 + 0.5 * math.sin(c + 0.5 * lag + fold)
        return x + 0.02 * math.sin(3 * b + time), y + 0.015 * math.sin(3 * c + 1.3 * time), near

    return place


def crossing(chance: random.Random) -> Callable[[float], tuple[float, float, float]]:
    """One bird on its way across the picture, rising from the trees."""
    start, height = chance.uniform(-1.1, 0.75), chance.uniform(0.12, 0.5)
    speed, near, wave = chance.uniform(0.045, 0.075), chance.random(), chance.uniform(0, math.tau)

    def place(time: float) -> tuple[float, float, float]:
        rise = 0.22 * math.exp(-max(0.0, time - 2) / 5)
        return start + speed * time, height + rise + 0.025 * math.sin(0.9 * time + wave), near

    return place


FLIGHTS = {"murmuration": murmuration, "crossing": crossing}


class Flock:
    """All birds of a scene."""

    def __init__(self, scene: dict[str, Any]) -> None:
        chance = random.Random(scene["seed"])  # noqa: S311 - birds, not keys
        self._birds = [
            (FLIGHTS[scene["flight"]](chance), chance.uniform(1.6, 2.6), chance.random() * 8)
            for _ in range(scene["birds"])
        ]
        self._smallest, self._largest = scene["span"]
        self._shades = scene["shades"]
        self._wings = {
            (size, beat): wing(size, beat) for size in range(1, self._largest + 2) for beat in range(8)
        }

    def draw(self, frame: bytearray, time: float) -> None:
        far, close = self._shades
        for place, rate, phase in self._birds:
            x, y, near = place(time)
            column, line = int(x * WIDTH), int(y * HEIGHT)
            size = round(self._smallest + near * (self._largest - self._smallest))
            if not (size < column < WIDTH - size - 1 and size + 3 < line < HEIGHT - size - 3):
                continue
            shade = int(far + near * (close - far))
            for dx, dy in self._wings[size, int(time * rate * 8 + phase) % 8]:
                frame[(line + dy) * WIDTH + column + dx] = shade


def draw(scene: dict[str, Any], *, rate: int, frames: int, at: float = 0) -> Iterator[bytes]:
    """Draw `frames` pictures at `rate` a second, from `at` seconds on; birds fly behind the front."""
    back, front = (make_layer(layer) for layer in scene["layers"])
    flock = Flock(scene["flock"])
    for number in range(frames):
        time = at + number / rate
        frame = bytearray(draw_layer(back, time))
        flock.draw(frame, time)
        yield _both(frame, draw_layer(front, time))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a scene's pictures, raw and grey, to stdout.")
    parser.add_argument("--scene", required=True, type=json.loads)
    parser.add_argument("--rate", required=True, type=int)
    parser.add_argument("--frames", required=True, type=int)
    parser.add_argument("--at", default=0.0, type=float)
    given = parser.parse_args()
    for frame in draw(given.scene, rate=given.rate, frames=given.frames, at=given.at):
        sys.stdout.buffer.write(frame)


if __name__ == "__main__":
    main()
