"""To which home a lab belongs: names and networks are the machine's, its data lies in one ROOKERY_HOME.

The note is in /run and so ends with the machine, as all does that it speaks of. A lab without one was made by
an earlier version; it belongs to whoever asks, as it did then.
"""

from __future__ import annotations

from pathlib import Path

from rookery.drivers.machine.files import write_whole
from rookery.errors import NotPossibleError
from rookery.systems.home import home, runtime_folder


def note_home(name: str) -> None:
    """Note that the lab `name` is this home's; before anything of it is made."""
    note = _note(name)
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, f"{home().absolute()}\n".encode())


def forget_home(name: str) -> None:
    _note(name).unlink(missing_ok=True)


def other_home(name: str) -> Path | None:
    """Return the home of a lab where that is another than this one, and has the lab."""
    try:
        noted = Path(_note(name).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    elsewhere = noted != home().absolute() and (noted / "labs" / name).is_dir()
    return noted if elsewhere else None


def refuse_other_home(name: str) -> None:
    """Raise NotPossibleError where a lab of that name belongs to another home."""
    noted = other_home(name)
    if noted is not None:
        raise NotPossibleError(
            f"{name} is a lab of another ROOKERY_HOME, {noted}",
            hint=f"Say which home is meant (`ROOKERY_HOME={noted} rookery ...`), or use another name.",
        )


def _note(name: str) -> Path:
    return runtime_folder() / "homes" / name
