"""Draw Rookery Twig, the site's display typeface, and write it as WOFF2.

Every letter is a handful of twigs: a stroke grows from a broad, level foot to a thinner tip that is cut
aslant, and round letters are twigs bent into a nest whose end sticks out. The letters stand below as centre
lines, so that the typeface can be read, argued about and changed. The same input gives the same bytes.

    python3 -m venv /tmp/font && /tmp/font/bin/pip install fonttools==4.68.0 brotli==1.2.1 skia-pathops
    /tmp/font/bin/python tools/make_font.py src/rookery/apps/cdn/site/static/fonts/rookery-twig.woff2
"""

# ruff: noqa: INP001  a script, run by its path

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

FOOT, TIP = 98.0, 78.0  # widths of a twig's two ends, in units of 1/1000 em
CUT = 17.0  # how far a tip is cut aslant
ASCENT, DESCENT, CAP_HEIGHT, X_HEIGHT = 780, -240, 700, 500

Point = tuple[float, float]
Sample = tuple[Point, Point]  # a place on a centre line and the direction in which the twig grows there

# Each glyph: advance width, then strokes separated by semicolons. A stroke starts at `x y` and goes on with
# `L x y` (straight) and `A cx cy rx ry from to` (an arc, in degrees; it may also start a stroke). `D x y r`
# is a dot. A prefix of two letters says how a stroke starts and ends: f level, b square, t aslant.
GLYPHS: dict[str, tuple[int, str]] = {
    " ": (230, ""),
    "A": (650, "fb: 66 0 L 322 700; 584 0 L 304 752; 150 208 L 526 208"),
    "B": (596, ("112 0 L 112 700; bb: 112 654 L 300 654 A 300 512 142 142 90 -90 L 112 370; "
               "bb: 112 370 L 322 370 A 322 208 164 162 90 -90 L 112 46")),
    "C": (650, "A 372 350 306 310 44 316"),
    "D": (686, "112 0 L 112 700; bb: 112 654 L 296 654 A 296 350 304 304 90 -90 L 112 46"),
    "E": (536, "112 0 L 112 700; 112 654 L 484 654; 112 356 L 436 356; 112 46 L 492 46"),
    "F": (510, "112 0 L 112 700; 112 654 L 480 654; 112 340 L 430 340"),
    "G": (716, "bb: A 372 350 306 310 44 354; 402 318 L 694 318"),
    "H": (692, "112 0 L 112 700; 580 0 L 580 700; bb: 112 356 L 580 356"),
    "I": (224, "112 0 L 112 700"),
    "J": (436, "312 700 L 312 212 A 164 212 148 168 0 -150"),
    "K": (610, "112 0 L 112 700; 130 262 L 528 700; fb: 556 0 L 256 392"),
    "L": (492, "112 0 L 112 700; 112 46 L 466 46"),
    "M": (812, "112 0 L 112 700; 700 0 L 700 700; ff: 406 110 L 132 700; ff: 406 110 L 680 700"),
    "N": (704, "112 0 L 112 700; 592 0 L 592 700; ff: 588 0 L 116 700"),
    "O": (744, "bt: A 372 350 308 310 46 406 L 512 646"),
    "P": (566, "112 0 L 112 700; bb: 112 654 L 312 654 A 312 488 168 166 90 -90 L 112 322"),
    "Q": (744, "bt: A 372 350 308 310 46 406 L 512 646; bt: 420 216 L 676 -60"),
    "R": (600, ("112 0 L 112 700; bb: 112 654 L 312 654 A 312 494 162 160 90 -90 L 112 334; "
               "fb: 560 0 L 300 340")),
    "S": (556, "A 282 506 166 150 36 270 A 282 200 184 156 90 -148"),
    "T": (570, "fb: 285 0 L 285 690; 36 654 L 540 654"),
    "U": (670, "110 700 L 110 262 A 335 262 225 218 180 360 L 560 700"),
    "V": (622, "311 0 L 58 700; 311 0 L 566 700"),
    "W": (916, "252 0 L 58 700; fb: 252 0 L 456 560; fb: 664 0 L 456 560; 664 0 L 858 700"),
    "X": (606, "62 0 L 540 700; 544 0 L 66 700"),
    "Y": (600, "fb: 300 0 L 300 330; bt: 300 290 L 54 700; bt: 300 290 L 548 700"),
    "Z": (570, "60 654 L 508 654; ff: 92 46 L 478 654; 60 46 L 524 46"),
    "a": (584, "bb: A 268 250 206 212 0 360; 476 0 L 476 500"),
    "b": (586, "108 0 L 108 744; bb: A 318 250 206 212 180 540"),
    "c": (494, "A 270 250 208 212 46 314"),
    "d": (586, "bb: A 268 250 206 212 0 360; 478 0 L 478 744"),
    "e": (538, "bb: 70 246 L 470 246; A 270 250 206 212 -2 306"),
    "f": (344, "fb: 142 0 L 142 570 A 270 570 128 128 180 84; 34 454 L 318 454"),
    "g": (584, "bb: A 268 250 206 212 0 360; bt: 476 500 L 476 0 A 284 -10 192 154 0 -138"),
    "h": (566, "108 0 L 108 744; bf: A 284 282 176 180 176 0 L 460 0"),
    "i": (216, "108 0 L 108 500; D 112 644 60"),
    "j": (234, "bt: 126 500 L 126 -30 A 6 -30 120 126 0 -84; D 130 644 60"),
    "k": (528, "108 0 L 108 744; 120 190 L 440 500; fb: 482 0 L 226 306"),
    "l": (216, "108 0 L 108 744"),
    "m": (854, "108 0 L 108 500; bf: A 266 306 158 156 176 0 L 424 0; bf: A 582 306 158 156 176 0 L 740 0"),
    "n": (566, "108 0 L 108 500; bf: A 284 282 176 180 176 0 L 460 0"),
    "o": (540, "bt: A 270 250 208 212 50 410 L 352 457"),
    "p": (586, "108 -212 L 108 500; bb: A 318 250 206 212 180 540"),
    "q": (586, "bb: A 268 250 206 212 0 360; 478 -212 L 478 500"),
    "r": (376, "108 0 L 108 500; bt: A 266 294 158 168 176 52"),
    "s": (446, "A 226 362 124 100 38 270 A 226 150 138 112 90 -146"),
    "t": (366, "bt: 146 650 L 146 172 A 270 172 124 128 180 292; 34 454 L 330 454"),
    "u": (562, "fb: 106 500 L 106 220 A 280 220 174 182 180 356; 454 0 L 454 500"),
    "v": (506, "253 0 L 50 500; 253 0 L 458 500"),
    "w": (752, "210 0 L 50 500; fb: 210 0 L 376 420; fb: 542 0 L 376 420; 542 0 L 704 500"),
    "x": (504, "54 0 L 448 500; 450 0 L 58 500"),
    "y": (506, "134 -212 L 460 500; bt: 264 70 L 48 500"),
    "z": (462, "52 454 L 412 454; ff: 82 46 L 380 454; 52 46 L 424 46"),
    "0": (590, "bb: A 295 350 206 310 90 450"),
    "1": (590, "320 0 L 320 700; bt: 330 664 L 132 540"),
    "2": (590, "bb: A 290 490 186 166 168 -40 L 96 46; 84 46 L 518 46"),
    "3": (590, "bb: A 282 512 156 142 150 -92; bt: A 282 208 188 162 92 -150"),
    "4": (590, "412 0 L 412 700; ff: 82 196 L 404 700; 56 190 L 540 190"),
    "5": (590, "bb: 138 350 L 154 690; 134 654 L 484 654; A 276 226 204 180 132 -150"),
    "6": (590, "bb: A 295 218 200 172 180 540; tb: A 536 222 442 478 102 180"),
    "7": (590, "56 654 L 524 654; ff: 208 0 L 488 654"),
    "8": (590, "bb: A 295 522 156 138 270 630; bb: A 295 206 196 160 90 450"),
    "9": (590, "bb: A 295 482 200 172 0 360; tb: A 54 478 442 478 282 360"),
    ".": (200, "D 100 52 60"), ",": (200, "bt: 128 96 L 76 -104"),
    ":": (200, "D 100 52 60; D 100 430 60"), ";": (200, "bt: 128 96 L 76 -104; D 100 430 60"),
    "!": (220, "bb: 110 210 L 110 700; D 110 52 60"),
    "?": (470, "bb: A 222 520 150 142 160 -60; bb: 234 190 L 234 378; D 234 52 60"),
    "-": (360, "56 262 L 306 262"), "\u2013": (560, "56 262 L 508 262"), "\u2014": (860, "56 262 L 808 262"),
    "'": (190, "bb: 95 470 L 95 720"), '"': (320, "bb: 95 470 L 95 720; bb: 226 470 L 226 720"),
    "\u2019": (200, "bt: 128 720 L 76 520"), "\u2018": (200, "bt: 76 520 L 128 720"),
    "\u201c": (340, "bt: 76 520 L 128 720; bt: 216 520 L 268 720"),
    "\u201d": (340, "bt: 128 720 L 76 520; bt: 268 720 L 216 520"),
    "(": (320, "A 420 320 316 450 122 238"), ")": (320, "A -100 320 316 450 58 -58"),
    "/": (420, "40 -80 L 380 760"),
    "&": (690, "A 292 530 142 130 -40 230 L 560 0; A 268 196 200 160 130 372"),
    "+": (540, "bb: 270 90 L 270 530; bb: 50 310 L 490 310"),
    "=": (540, "56 400 L 484 400; 56 210 L 484 210"),
    "\u00d7": (540, "bb: 106 140 L 434 480; bb: 434 140 L 106 480"), "\u00b7": (220, "D 110 300 60"),
    "%": (800, "bb: A 208 530 122 124 90 450; bb: A 592 170 122 124 90 450; 190 0 L 610 700"),
    "\u2192": (720, "bb: 56 300 L 600 300; bb: 652 300 L 470 500; bb: 652 300 L 470 100"),
    "\u2026": (640, "D 110 52 60; D 320 52 60; D 530 52 60"),
}  # fmt: skip

KERNING = """
feature kern {
  @capA = [A]; @slant = [V W Y T v w y];
  pos [T V W Y] [a c d e g o q s u period comma] -52; pos [L] [T V W Y y v] -58; pos [A] [T V W Y v w y] -44;
  pos [P F T V W Y] [A] -56; pos [r f] [a c d e g o q period comma] -18; pos [k x] [o e c] -18;
  pos [o e b p] [v w y x] -14; pos [K R] [o e y] -20;
} kern;
"""


def _arc(centre: Point, radii: Point, start: float, end: float) -> list[Sample]:
    """Return an elliptic arc as samples about every 15 degrees, which quadratic curves join unseen."""
    steps = max(2, round(abs(end - start) / 15))
    turn = 1.0 if end > start else -1.0
    (cx, cy), (rx, ry) = centre, radii
    samples = []
    for step in range(steps + 1):
        angle = math.radians(start + (end - start) * step / steps)
        dx, dy = -math.sin(angle) * rx * turn, math.cos(angle) * ry * turn
        length = math.hypot(dx, dy)
        place = (cx + rx * math.cos(angle), cy + ry * math.sin(angle))
        samples.append((place, (dx / length, dy / length)))
    return samples


def _centre_line(text: str) -> list[Sample]:
    """Read one stroke's centre line."""
    samples: list[Sample] = []
    words, place = text.split(), (0.0, 0.0)
    while words:
        if words[0] == "A":
            cx, cy, rx, ry, start, stop = (float(word) for word in words[1:7])
            samples += _arc((cx, cy), (rx, ry), start, stop)
            place, words = samples[-1][0], words[7:]
        elif words[0] == "L":
            end = (float(words[1]), float(words[2]))
            length = math.dist(place, end)
            along = ((end[0] - place[0]) / length, (end[1] - place[1]) / length)
            samples += [(place, along), (end, along)]
            place, words = end, words[3:]
        else:
            place, words = (float(words[0]), float(words[1])), words[2:]
    return samples


def _ends(samples: list[Sample], given: str) -> str:
    """Return how a stroke starts and ends: level where it rises from the ground, aslant at its tip."""
    return given or ("f" if abs(samples[0][1][1]) > 0.6 else "b") + "t"


def _shift(sample: Sample, side: float, end: str, outward: float) -> Point:
    """Return the corner of a twig's end on one side: level, square or aslant."""
    (x, y), (dx, dy) = sample
    cx, cy = x - dy * side, y + dx * side
    if end == "f":
        slide = (y - cy) / dy
    elif end == "t":
        slide = math.copysign(CUT, side)
    else:
        return cx, cy
    slide *= outward if end == "t" else 1.0
    return cx + dx * slide, cy + dy * slide


def _side(samples: list[Sample], sign: float, ends: str) -> list[Sample]:
    """Return one edge of a twig, from foot to tip, with its directions."""
    lengths = [0.0]
    for (one, _), (two, _) in pairwise(samples):
        lengths.append(lengths[-1] + math.dist(one, two))
    edge: list[Sample] = []
    for number, (sample, length) in enumerate(zip(samples, lengths, strict=True)):
        half = sign * (FOOT + (TIP - FOOT) * length / (lengths[-1] or 1)) / 2
        end = ends[0] if number == 0 else ends[1] if number == len(samples) - 1 else "b"
        edge.append((_shift(sample, half, end, -1.0 if number == 0 else 1.0), sample[1]))
    return edge


def _trace(pen: Any, edge: list[Sample]) -> None:
    """Draw along an edge: straight where two directions agree, else a quadratic curve between them."""
    for (one, (ax, ay)), (two, (bx, by)) in pairwise(edge):
        cross = ax * by - ay * bx
        if abs(cross) < 1e-3:
            pen.lineTo(two)
            continue
        along = ((two[0] - one[0]) * by - (two[1] - one[1]) * bx) / cross
        pen.qCurveTo((one[0] + ax * along, one[1] + ay * along), two)


def _draw_stroke(pen: Any, text: str) -> None:
    given, _, line = text.rpartition(": ")
    if line.split()[0] == "D":
        x, y, r = (float(word) for word in line.split()[1:])
        samples = _arc((x, y), (r, r * 0.94), 0, 360)
        pen.moveTo(samples[0][0])
        _trace(pen, samples)
        pen.closePath()
        return
    samples = _centre_line(line)
    ends = _ends(samples, given.strip())
    left, right = _side(samples, 1.0, ends), _side(samples, -1.0, ends)
    pen.moveTo(left[0][0])
    _trace(pen, left)
    back = [(place, (-dx, -dy)) for place, (dx, dy) in reversed(right)]
    pen.lineTo(back[0][0])
    _trace(pen, back)
    pen.closePath()


def _outline(strokes: str) -> Any:
    """Return a glyph's outline, its twigs merged into one shape."""
    import pathops
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    merged = pathops.Path()
    for stroke in filter(None, (part.strip() for part in strokes.split(";"))):
        shape = pathops.Path()
        _draw_stroke(shape.getPen(), stroke)
        shape.simplify(fix_winding=True, keep_starting_points=False)
        merged = pathops.op(merged, shape, pathops.PathOp.UNION)
    pen = TTGlyphPen(None)
    merged.draw(Cu2QuPen(pen, max_err=0.6, reverse_direction=False))
    return pen.glyph()


def build_font() -> Any:
    """Return the typeface as a fontTools font, without any date in it."""
    from fontTools.agl import UV2AGL
    from fontTools.fontBuilder import FontBuilder

    names = {ord(char): UV2AGL.get(ord(char), f"uni{ord(char):04X}") for char in GLYPHS}
    box = "tt: 60 0 L 60 700; 440 0 L 440 700; bb: 60 46 L 440 46; bb: 60 654 L 440 654"
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {".notdef": _outline(box), **{names[ord(c)]: _outline(text) for c, (_, text) in GLYPHS.items()}}
    builder.setupGlyf(glyphs)
    widths = {".notdef": 500, **{names[ord(char)]: width for char, (width, _) in GLYPHS.items()}}
    table = builder.font["glyf"]
    builder.setupHorizontalMetrics({name: (width, table[name].xMin if table[name].numberOfContours else 0)
                                    for name, width in widths.items()})  # fmt: skip
    builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    builder.setupNameTable({"familyName": "Rookery Twig", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=ASCENT, sTypoDescender=DESCENT, usWinAscent=ASCENT, usWinDescent=-DESCENT,
                     sCapHeight=CAP_HEIGHT, sxHeight=X_HEIGHT, usWeightClass=600)  # fmt: skip
    builder.setupPost(keepGlyphNames=False)
    builder.addOpenTypeFeatures(KERNING)
    builder.font["head"].created = builder.font["head"].modified = (
        3_786_912_000  # a constant, as seconds since 1904
    )
    builder.font.recalcTimestamp = False
    return builder.font


def main(target: str) -> None:
    font = build_font()
    font.flavor = "woff2"
    font.save(target)
    sys.stdout.write(f"{target}: {FilePath(target).stat().st_size} bytes, {len(GLYPHS)} characters\n")


if __name__ == "__main__":
    main(sys.argv[1])
