"""A check of how full what the system stands on is: what is full stops everybody who writes."""

from __future__ import annotations

from rookery.run.fullness import NEARLY_FULL, read_fullness, summary_words
from rookery.run.verify.result import Evidence, Subject, failed, not_observed, passed


def room_left(subject: Subject) -> Evidence:
    """No volume and no drive is nearly full. The machine's own disk, which others fill too, is only named."""
    look = read_fullness(subject.system)
    full = [one for one in look.seen if one.kind != "disk" and one.part >= NEARLY_FULL]
    if full:
        return failed(", ".join(f"{one.kind} {one.name} is {one.part:.0%} full" for one in full))
    words = summary_words(look)
    return not_observed(words) if look.unseen or not look.seen else passed(words)
