"""Whether this machine can run a lab, said before anything is made, with what to do where it cannot."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rookery.drivers.machine import mounts, network
from rookery.drivers.machine.process import CommandError, run
from rookery.errors import NotPossibleError
from rookery.systems.home import home, runtime_folder
from rookery.systems.lab.paths import CGROUP_ROOT
from rookery.systems.preflight import require_root, require_tools

# Each command that a lab needs, with the Debian package that brings it.
_TOOLS = (("runc", "runc"), ("ip", "iproute2"), ("setpriv", "util-linux"), ("nsenter", "util-linux"))


def require_lab_root() -> None:
    """Raise NeedsRootError for a user who may not make containers and networks."""
    require_root("a lab makes containers, networks and mounts, which only root may")


def require_lab(*, tools: Iterable[tuple[str, str]] = ()) -> None:
    """Raise NotPossibleError where no lab can run here; `tools` are those that a kind of lab needs
    besides."""
    require_lab_root()
    require_tools((*_TOOLS, *tools))
    require_places()
    _require_cgroups()
    _require_overlay()
    _require_networks()
    _require_open_bridges()


def require_device(path: Path, module: str, why: str) -> None:
    """Raise NotPossibleError where a device is missing; `module` makes it, `why` says what for."""
    if not path.exists():
        raise NotPossibleError(
            f"there is no {path}, and {why}",
            hint=f"Load the module: `modprobe {module}`. In a container, run it privileged, with the"
            f" machine's {path}.",
        )


def require_places() -> None:
    """Raise NotPossibleError where the folders of labs and of their sockets cannot be written."""
    advice = "Set ROOKERY_HOME to a folder on a disk of this machine that can be written (ext4, xfs)."
    _require_writable(home(), advice)
    _require_writable(runtime_folder(), "Mount a tmpfs at /run that can be written, as systemd does.")


def _require_writable(folder: Path, advice: str) -> None:
    """Try it: permissions alone say nothing of a place that is read-only, full, or a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".preflight-") as file:
            file.write(b"rookery")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise NotPossibleError(
            f"{folder} cannot be written: {error.strerror}",
            hint=f"Free some space there. {advice}" if full else advice,
        ) from None


def _require_networks() -> None:
    """Try what a lab's network is made of, in a network namespace that ends with the try."""
    for what, words, module in (
        ("network namespaces", (), ""),
        ("bridges", ("ip", "link", "add", "try0", "type", "bridge"), "bridge"),
        ("virtual cables", ("ip", "link", "add", "try0", "type", "veth", "peer", "name", "try1"), "veth"),
    ):
        try:
            run(("unshare", "--net", *(words or ("true",))))
        except CommandError as error:
            load = f" On a machine, load it: `modprobe {module}`." if module else ""
            raise NotPossibleError(
                f"this machine's kernel makes no {what}, of which a lab's network is made",
                details=error.details[-2:],
                hint=f"In a container, run it privileged.{load}",
            ) from None


def _require_cgroups() -> None:
    controllers = CGROUP_ROOT / "cgroup.controllers"
    roots: tuple[Path, ...]
    if controllers.exists():
        where, roots = "cgroup v2", (CGROUP_ROOT,)
        missing = {"cpu", "memory"} - set(controllers.read_text(encoding="utf-8").split())
    else:
        # The folder of a controller that is not mounted is an empty one.
        where, roots = "cgroup v1", (CGROUP_ROOT / "cpu", CGROUP_ROOT / "memory")
        missing = {root.name for root in roots if not (root / "cgroup.procs").exists()}
    lack = f"has no {' and '.join(sorted(missing))} controller" if missing else _refused_cgroup(roots)
    if lack:
        raise NotPossibleError(
            f"{where} here {lack}, so servers cannot be given their size",
            hint="In a container, run it privileged with the machine's cgroups; on a machine, enable them.",
        )


def _refused_cgroup(roots: Iterable[Path]) -> str:
    """Return why no cgroup can be made below one of the roots; empty where it can."""
    for root in roots:
        place = root / f"rookery-preflight-{os.getpid()}"
        try:
            place.mkdir()
            place.rmdir()
        except OSError as error:
            read_only = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
            return "is read-only" if read_only else f"makes no cgroup ({error.strerror})"
    return ""


def _require_open_bridges() -> None:
    """Where Docker runs, the packet filter often sees traffic between two ports of one bridge and drops it:
    servers would start and never hear of each other."""
    if not network.bridged_traffic_is_filtered() or shutil.which("iptables") is None:
        return
    try:
        rules = run(("iptables", "-S")).splitlines()
    except CommandError:
        return
    if "-P FORWARD DROP" in rules and not any("-i rk+ -o rk+ -j ACCEPT" in rule for rule in rules):
        raise NotPossibleError(
            "this machine's packet filter drops traffic between servers on one bridge (as Docker sets it up)",
            hint="Let the labs' bridges pass: `iptables -I FORWARD -i rk+ -o rk+ -j ACCEPT`.",
        )


def _require_overlay() -> None:
    """Try what each server needs: an overlay in the folder where labs live."""
    with tempfile.TemporaryDirectory(dir=home(), prefix=".preflight-") as folder:
        places = {name: Path(folder) / name for name in ("lower", "upper", "work", "at")}
        for place in places.values():
            place.mkdir()
        mounts.mount_overlay(**places)
        mounts.unmount(places["at"])
