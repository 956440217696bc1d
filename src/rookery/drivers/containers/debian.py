"""A Debian root file system, made by mmdebstrap from the mirror that this machine's own apt uses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.process import CommandError, run
from rookery.errors import NotPossibleError

MIRROR_VARIABLE = "ROOKERY_DEBIAN"
"""Names another mirror than this machine's apt has: a day at snapshot.debian.org, or a copy."""

FALLBACK_MIRROR = "http://deb.debian.org/debian"
_PREFERENCES = "/etc/apt/preferences.d/rookery"
_BUILD_LIMIT = 1800.0  # seconds: a slow mirror is slow, not broken


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraSource:
    """A flat repository in a folder of this machine, and the key that its list is signed with."""

    folder: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRoot:
    """What a root is made of. `variant` is mmdebstrap's: `apt` has apt in it, `essential` has not.

    `excluded` and `included` are patterns of paths that dpkg leaves out of what it unpacks, and of those that
    it takes all the same. With an `epoch` (seconds since 1970), what is made is meant to come out the same
    each time: byte code then goes by what its source says, not by when that was written. Packages also come
    from the `sources`, and from the suite `beside` on the same mirror; `preferences` are apt's, which say
    what of it. Units of systemd in `masked` never start. `users` are there before the packages that would
    make them: name, numbers of user and group, home.
    """

    suite: str
    variant: str
    packages: tuple[str, ...]
    excluded: tuple[str, ...] = ("/usr/share/man/*",)
    included: tuple[str, ...] = ()
    epoch: int | None = None
    sources: tuple[ExtraSource, ...] = ()
    masked: tuple[str, ...] = ()
    beside: str = ""
    preferences: str = ""
    users: tuple[tuple[str, int, int, str], ...] = ()


class RootError(NotPossibleError):
    """A root that could not be made; `output` is all that its making said."""

    def __init__(self, what: str, *, hint: str, details: tuple[str, ...], output: str) -> None:
        super().__init__(what, hint=hint, details=details)
        self.output = output


def make_root(wanted: DebianRoot, root: Path, *, mirror: str, what: str) -> None:
    """Make `root`, whose remains are removed first; raises RootError, which names it as `what`."""
    remove_tree(root)
    with tempfile.TemporaryDirectory(prefix="rookery-apt-") as folder:
        preferences = Path(folder) / "preferences"
        preferences.write_text(wanted.preferences, encoding="utf-8")
        argv = root_argv(wanted, root, mirror=mirror, preferences=preferences)
        try:
            run(argv, timeout=_BUILD_LIMIT)
        except CommandError as error:
            remove_tree(root)
            raise RootError(
                f"{what} could not be built from {mirror}",
                hint="Check that this machine reaches its own apt's mirror (`apt-get update`), then run"
                " again.",
                details=error.details,
                output=error.output,
            ) from None


def root_argv(wanted: DebianRoot, root: Path, *, mirror: str, preferences: Path) -> tuple[str, ...]:
    """Return mmdebstrap's command; the file `preferences` has what `wanted` says."""
    date = () if wanted.epoch is None else ("env", f"SOURCE_DATE_EPOCH={wanted.epoch}")
    return (
        *date,
        *("mmdebstrap", f"--variant={wanted.variant}", "--mode=root", "--components=main"),
        f"--include={','.join(wanted.packages)}",
        '--aptopt=Acquire::Retries "3"',
        '--aptopt=Acquire::Check-Valid-Until "false"',
        # A folder of packages may be its owner's alone; apt's own user could not read there.
        *(('--aptopt=APT::Sandbox::User "root"',) if wanted.sources else ()),
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in wanted.excluded),
        *(f"--dpkgopt=path-include={pattern}" for pattern in wanted.included),
        *(f'--customize-hook=chroot "$1" systemctl mask {unit}' for unit in wanted.masked),
        *(hook for user in wanted.users for hook in _user_hooks(*user)),
        *((f"--setup-hook=upload {preferences} {_PREFERENCES}",) if wanted.preferences else ()),
        *(wanted.suite, str(root), mirror),
        *((f"deb {mirror} {wanted.beside} main",) if wanted.beside else ()),
        # Copied into the root and installed from there: its apt does not see this machine's folders.
        *(f"deb [signed-by={one.key}] copy:{one.folder} ./" for one in wanted.sources),
    )


def _user_hooks(name: str, uid: int, gid: int, home: str) -> Iterator[str]:
    lines = {
        "passwd": f"{name}:x:{uid}:{gid}::{home}:/usr/sbin/nologin",
        "group": f"{name}:x:{gid}:",
        "shadow": f"{name}:!*:::::::",
    }
    for file, line in lines.items():
        yield f"--essential-hook=echo '{line}' >> \"$1/etc/{file}\""


def find_mirror() -> str:
    """Return the Debian mirror that this machine's apt uses, or Debian's own where it uses none.

    ROOKERY_DEBIAN names another.
    """
    if named := os.environ.get(MIRROR_VARIABLE, "").strip():
        return named.rstrip("/")
    try:
        lines = run(("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(RELEASE)")).splitlines()
    except CommandError:
        return FALLBACK_MIRROR
    for line in lines:
        uri, _, rest = line.partition(" ")
        origin, _, release = rest.rpartition(" ")
        if origin == "Debian" and "-security" not in release and "-security" not in uri:
            return uri.rstrip("/")
    return FALLBACK_MIRROR
