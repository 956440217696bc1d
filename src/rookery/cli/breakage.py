"""Errors of the operating system that no part of the program foresaw, as errors that a person can act on.

Whatever is read and written, a disk can be full, a place read-only, a limit reached. Where a part of the
program knows better what that means it says so itself; this is the last resort, in place of a traceback.
"""

from __future__ import annotations

import errno

from rookery.errors import NotPossibleError, RookeryError

_FREE = "Free some space there (`df -h`), or set ROOKERY_HOME to a folder on a larger disk."
_WRITABLE = "Make it writable, or set ROOKERY_HOME to a folder that is."
_ADVICE = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EROFS: _WRITABLE,
    errno.ENOTDIR: "A file stands where a folder should be: move it, or name another place.",
    errno.EACCES: "Run it as a user who may: `sudo ./rookery ...`, or change the permissions of the place.",
    errno.EPERM: "Run it as root: `sudo ./rookery ...`; in a container, run that privileged.",
    errno.EMFILE: "Raise the limit of open files: `ulimit -n 4096`.",
    errno.ENFILE: "The machine has no open file left: end something, or raise the sysctl fs.file-max.",
    errno.EIO: "The disk or its driver reports an error; `dmesg` says which.",
    errno.ENOMEM: "End something, or use a machine with more memory.",
}
_LOCALE = "Choose one in UTF-8: `LC_ALL=C.UTF-8 rookery ...`."


def explain(error: OSError | UnicodeEncodeError) -> RookeryError:
    """Return what an error of the system means: NotPossibleError for what the machine lacks or forbids."""
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        return NotPossibleError(f"the locale's encoding, {error.encoding}, has no {text!r}", hint=_LOCALE)
    names = " to ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    reason = error.strerror or str(error) or type(error).__name__
    what = f"{names}: {reason}" if names else f"the system refused: {reason}"
    advice = _ADVICE.get(error.errno or 0)
    if advice is None:
        return RookeryError(what, hint="`rookery -v ...` shows where in the program this came up.")
    return NotPossibleError(what, hint=advice)
