"""Names and texts as SQL: whatever they hold, they stay names and texts.

The scripts pass through psql. Between quotes it interprets nothing, and what could be altered on the way
(control characters, line ends) is written as an escape, so one statement stays readable whatever is in it.
"""

from __future__ import annotations

from rookery.errors import InputError

_NAME_BYTES = 63  # PostgreSQL cuts longer names off without an error


def quote_name(name: str) -> str:
    """Return a role's or an object's name as an SQL identifier; raise InputError where none can be made."""
    _refuse_unstorable(name)
    if not name or len(name.encode()) > _NAME_BYTES:
        raise InputError(f"{name!r} cannot be a name in PostgreSQL: it takes 1 to {_NAME_BYTES} bytes")
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return a text as an SQL literal; raise InputError where PostgreSQL could not store it."""
    _refuse_unstorable(text)
    doubled = text.replace("'", "''")
    if all(char.isprintable() and char != "\\" for char in text):
        return f"'{doubled}'"
    return "E'" + "".join(map(_escaped, doubled)) + "'"


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() else f"\\U{ord(char):08X}"


def _refuse_unstorable(text: str) -> None:
    # UTF-8 has no lone surrogates, and PostgreSQL's texts no NUL.
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
        raise InputError(
            f"{text!r} holds a NUL character or half a surrogate pair, which PostgreSQL cannot store",
            hint="Remove it from the name.",
        )
