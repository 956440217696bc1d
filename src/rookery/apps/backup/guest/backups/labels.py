"""What sets are called: the second in which they began, in UTC."""

from __future__ import annotations

import re
import time

FORM = "%Y%m%dt%H%M%Sz"
PATTERN = r"[0-9]{8}t[0-9]{6}z"
_LABEL = re.compile(PATTERN)


def is_label(text: str) -> bool:
    """Tell whether a text is what a set may be called."""
    return _LABEL.fullmatch(text) is not None


def label_at(moment: float) -> str:
    """Return what a set is called that begins at a moment, in seconds since 1970."""
    return time.strftime(FORM, time.gmtime(moment))
