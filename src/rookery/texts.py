"""Texts from outside (a spec's description, a folder's name) for readers that take some characters otherwise.

What a person wrote may hold ends of lines that only some readers know (U+0085, U+2028), controls that others
refuse (YAML, XML) or obey (terminals), and marks that turn lines around.
"""

from __future__ import annotations

import re
import shlex

# What a shell's word in single quotes may hold and Markdown's code, or whoever wraps lines, may not.
_TAKEN_OTHERWISE = re.compile(r"`|  |^ | $")


def one_line(text: str) -> str:
    """Return text as one line: spaces stand for each character that is none to print."""
    return "".join(each if each.isprintable() else " " for each in text)


def shell_word(text: str) -> str:
    """Return text as a word for bash that stays the same in a comment, in Markdown's code and over wrapping.

    Bytes of a name that are no UTF-8 stay what they are, as Python has them (PEP 383).
    """
    if text.isprintable() and not _TAKEN_OTHERWISE.search(text):
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable() and char not in "` ":
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
