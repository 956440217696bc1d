"""Small pictures, drawn from the design: a tree for a storage host, its nests for drives, eggs for copies.

They are inline SVG without any colour of their own: classes take the colours from the style sheet, so they
follow the reader's colour scheme, and the strict content policy has nothing to refuse.
"""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.model import Host, Role
from rookery.markup.html import Html, element, join

# Where the nests sit in a tree of 160 x 190 units, by their number; more than six are not drawn.
_NESTS: dict[int, tuple[tuple[float, float], ...]] = {
    0: (),
    1: ((80, 62),),
    2: ((46, 80), (112, 56)),
    3: ((36, 92), (80, 46), (124, 84)),
    4: ((30, 100), (58, 54), (104, 46), (132, 94)),
    5: ((28, 108), (46, 62), (82, 36), (118, 64), (134, 108)),
    6: ((26, 112), (38, 70), (66, 38), (104, 38), (126, 72), (136, 114)),
}
MOST_NESTS = 6


def mark() -> Html:
    """Return the system's mark: three eggs in one nest."""
    eggs = (
        element("ellipse", cx=x, cy=y, rx=4.2, ry=5.6) for x, y in ((8.4, 13.4), (23.6, 13.4), (16.0, 11.6))
    )
    twigs = (
        "M2 16.5 C6 29 26 29 30 16.5",
        "M4 22 C12 17 22 29 29.5 20",
        "M1.5 19 L13 26.5",
        "M30.5 18 L19 26",
    )
    return element(
        "svg",
        element("g", join(eggs), class_="eggs"),
        element("g", join(element("path", d=twig) for twig in twigs), class_="twigs"),
        viewBox="0 0 32 32",
        class_="mark",
        aria_hidden="true",
        focusable="false",
    )


def _nest(x: float, y: float, egg: str) -> Html:
    """Return a nest, and in it an egg of the given class, where there is one."""
    shell = element("ellipse", cx=x, cy=y - 9, rx=9.0, ry=12.0, class_=f"egg {egg}") if egg else ""
    low, rim, left, right = y + 15, y - 6, x - 21, x + 21
    bowl = (
        f"M{left:g} {rim:g} Q{x - 15:g} {low:g} {x:g} {low:g} T{right:g} {rim:g} "
        f"Q{x:g} {y + 4:g} {left:g} {rim:g}Z"
    )
    twigs = (
        f"M{x - 25:g} {y - 2:g} L{x + 14:g} {y + 14:g}",
        f"M{x + 25:g} {y - 4:g} L{x - 12:g} {y + 14:g}",
        f"M{x - 22:g} {y + 7:g} L{x + 23:g} {y + 3:g}",
    )
    straw = join(element("path", d=twig, class_="straw") for twig in twigs)
    return join((shell, element("path", d=bowl, class_="nest"), straw))


def _branches(places: Sequence[tuple[float, float]], *, reach: float = 15) -> Html:
    """Return the limbs that carry the nests, and thin ones `reach` beside their ends that carry nothing."""
    limbs = [
        element(
            "path", d=f"M80 150 C80 {124 - index % 2 * 8:g} {x:g} {y + 52:g} {x:g} {y + 12:g}", class_="limb"
        )
        for index, (x, y) in enumerate(places)
    ]
    for x, y in places:
        lean = (x - 80) * 0.16
        limbs.append(
            element(
                "path",
                d=f"M{x + reach:g} {y + (6 if reach else 12):g} L{x + 20 + lean:g} {y - 26:g}",
                class_="spray",
            )
        )
        limbs.append(
            element(
                "path",
                d=f"M{x - reach:g} {y + (6 if reach else 12):g} L{x - 21 + lean:g} {y - 20:g}",
                class_="spray",
            )
        )
    return join(limbs)


def tree(nests: int, eggs: Sequence[str] = ()) -> Html:
    """Return a tree with `nests` nests; `eggs` names the class of the egg in each, empty for none."""
    places = _NESTS[min(nests, MOST_NESTS)]
    if not places:
        return _picture(
            element("path", d="M80 188 C80 170 80 160 80 140", class_="trunk"), _branches(_NESTS[4], reach=0)
        )
    laid = (*eggs, *("" for _ in places))
    return _picture(
        element("path", d="M80 188 C80 170 80 160 80 140", class_="trunk"),
        _branches(places),
        *(_nest(x, y, egg) for (x, y), egg in zip(places, laid, strict=False)),
    )


def _picture(*shapes: str) -> Html:
    ground = element("path", d="M18 188 H142", class_="ground")
    return element(
        "svg", ground, *shapes, viewBox="0 0 160 194", class_="tree", aria_hidden="true", focusable="false"
    )


def _tower() -> Html:
    """Return a tower: the control plane, from which the rest is overseen."""
    wall = "M52 188 L58 92 H48 V52 H62 V66 H73 V52 H87 V66 H98 V52 H112 V92 H102 L108 188 Z"
    return _picture(
        element("path", d=wall, class_="solid"),
        element("path", d="M80 116 q9 0 9 10 v16 h-18 v-16 q0 -10 9 -10Z", class_="window"),
    )


def _rook() -> Html:
    """Return a rook on a perch: a worker, where the applications live."""
    body = "M34 66 L58 57 C62 43 82 40 91 54 C97 64 110 80 116 98 C121 114 134 130 146 142 L122 138 \
C108 150 78 150 67 130 C59 116 62 94 60 74 Z"
    return _picture(
        element("path", d="M22 158 L140 154", class_="limb"),
        element("path", d="M80 156 L80 188", class_="trunk"),
        element("path", d="M88 143 L86 156 M100 143 L100 155", class_="straw"),
        element("path", d=body, class_="solid"),
        element("path", d="M34 66 L58 57 L60 72 Z", class_="beak"),
        element("circle", cx=72, cy=58, r=3.4, class_="window"),
    )


def _fork() -> Html:
    """Return a branch that divides: the load balancer."""
    limbs = ("M80 150 C80 110 34 112 30 66", "M80 150 L80 52", "M80 150 C80 110 126 112 130 66")
    tips = ((30, 58), (80, 44), (130, 58))
    return _picture(
        element("path", d="M80 188 L80 140", class_="trunk"),
        *(element("path", d=limb, class_="limb") for limb in limbs),
        *(element("circle", cx=x, cy=y, r=9, class_="egg copy") for x, y in tips),
    )


def host_picture(host: Host) -> Html:
    """Return the picture of a host: what it does decides what it is."""
    if host.drives:
        return tree(len(host.drives))
    if Role.LOAD_BALANCER in host.roles:
        return _fork()
    return _rook() if Role.WORKER in host.roles else _tower()
