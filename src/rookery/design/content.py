"""What a user brings, as it was seen before anything is made: a folder of films, or one that is a site.

Looking is done elsewhere (`run/content.py`); these are the values that checks judge by.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was seen of the folder that an application's setting `key` names.

    `names` are the files that are published or packed, relative to the folder. What cannot be is in
    `problems`, `dead` has what no web server could serve either (links that lead nowhere, sockets), `hidden`
    what is left out for its name; `remarks` say of what is published that it will be otherwise. All but
    `names` are lines of text that name the file. `unlooked` says that nobody could look into the films: there
    is no ffmpeg here.
    """

    app: str
    key: str
    folder: str
    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    unlooked: bool = False

    @property
    def path(self) -> str:
        """Return the path of the setting in the spec."""
        return f"apps.{self.app}.{self.key}"
