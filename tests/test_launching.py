"""Root and packages are asked for where they are needed, and only then; root is handed what lets one in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from rookery.cli import launching
from rookery.cli.launching import Launch, read_launch
from rookery.errors import MissingLibraryError, MissingPackagesError, NeedsRootError, NotPossibleError

ROOT = Path(__file__).parents[1]
AGAIN = (sys.executable, "-m", "rookery")
# A user who is not root and reads this checkout wherever it lies, below a home that is closed, too.
_READS = tuple(f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient"))
_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *_READS)


class Asked:
    """What was run, and with which command this one began anew."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.anew: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        self.codes: list[int] = []

    def run(self, argv: Sequence[str], **_options: object) -> subprocess.CompletedProcess[str]:
        self.ran.append(tuple(argv))
        return subprocess.CompletedProcess(argv, self.codes.pop(0) if self.codes else 0)

    def begin(self, _file: str, argv: Sequence[str], environment: dict[str, str]) -> None:
        self.anew, self.environment = tuple(argv), environment
        raise SystemExit


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A user who may sudo, on a machine with apt-get, who asked for `rookery up a.yaml`."""
    found = Asked()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "execvpe", found.begin)
    monkeypatch.setattr(subprocess, "run", found.run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(sys, "argv", ["rookery", "up", "a.yaml"])
    for name in tuple(os.environ):
        if name.startswith(("ROOKERY_", "AWS_", "HCLOUD_", "GOOGLE_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HCLOUD_TOKEN", "hidden")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    return found


def launch(had: str = "") -> Launch:
    return read_launch({"ROOKERY_LAUNCHER": "/src/rookery", "ROOKERY_HAD": had})


def test_root_takes_the_command_over_with_what_lets_one_in(asked: Asked) -> None:
    with pytest.raises(SystemExit):
        launch().help(NeedsRootError("containers"))
    sudo, names, *command = asked.anew
    assert (sudo, tuple(command)) == ("sudo", (*AGAIN, "up", "a.yaml"))
    handed = names.removeprefix("--preserve-env=").split(",")
    assert {"HCLOUD_TOKEN", "SSH_AUTH_SOCK", "ROOKERY_LAUNCHER", "ROOKERY_HAD"} <= set(handed)
    assert not {"HOME", "PATH", "LD_PRELOAD"} & set(handed)
    # Named, not written out: everybody may list processes.
    assert "hidden" not in " ".join(asked.anew)
    assert asked.environment["HCLOUD_TOKEN"] == "hidden"
    assert asked.environment["ROOKERY_HAD"] == "root"
    assert asked.ran == []


def test_what_only_root_can_make_root_makes_and_the_user_goes_on(asked: Asked) -> None:
    with pytest.raises(SystemExit):
        launch().help(NeedsRootError("an image", first=("image",)))
    (first,) = asked.ran
    assert (first[0], first[2:]) == ("sudo", (*AGAIN, "image"))
    assert asked.anew == (*AGAIN, "up", "a.yaml")
    asked.codes = [3]
    with pytest.raises(SystemExit) as ended:
        launch().help(NeedsRootError("an image", first=("image",)))
    assert ended.value.code == 3


def test_packages_are_installed_and_the_command_begins_anew(asked: Asked) -> None:
    asked.codes = [100]
    with pytest.raises(SystemExit):
        launch("root").help(MissingPackagesError("lacks runc", packages=("runc",)))
    words = [argv[3:5] for argv in asked.ran]
    assert words == [("apt-get", "install"), ("apt-get", "update"), ("apt-get", "install")]
    assert asked.ran[0][-1] == "runc"
    assert asked.anew == (*AGAIN, "up", "a.yaml")
    assert asked.environment["ROOKERY_HAD"] == "packages,root"


def test_the_launcher_installs_a_library_that_few_need(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_EXTRA", "")
    error = MissingLibraryError("Google's library is not installed", extra="gcp")
    read_launch({}).help(error)
    launch("gcp").help(error)
    assert not asked.environment
    with pytest.raises(SystemExit):
        launch().help(error)
    assert asked.anew == ("/src/rookery", "up", "a.yaml")
    assert (asked.environment["ROOKERY_EXTRA"], asked.environment["ROOKERY_HAD"]) == ("gcp", "gcp")
    assert (ROOT / f"requirements-{error.extra}.lock").is_file()


@pytest.mark.parametrize("had", ["root", "packages,root"])
def test_what_was_had_and_did_not_help_is_an_error(asked: Asked, had: str) -> None:
    launch(had).help(NeedsRootError("containers"))
    launch("packages").help(MissingPackagesError("lacks runc", packages=("runc",)))
    assert (asked.anew, asked.ran) == ((), [])


def test_nobody_is_asked_where_nothing_is_to_be_had(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = read_launch({})
    assert not by_hand.may_take_root
    launch().help(NotPossibleError("the kernel has no rbd"))
    by_hand.help(NeedsRootError("containers"))
    by_hand.help(MissingPackagesError("lacks runc", packages=("runc",)))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    launch().help(NeedsRootError("containers"))
    launch().help(MissingPackagesError("lacks runc", packages=("runc",)))
    assert (asked.anew, asked.ran) == ((), [])


def test_what_a_command_starts_was_not_begun_by_the_launcher() -> None:
    environment = {"ROOKERY_LAUNCHER": "/src/rookery", "ROOKERY_HAD": "root", "PATH": "/bin"}
    assert read_launch(environment) == Launch(launcher="/src/rookery", had=frozenset({"root"}))
    assert environment == {"PATH": "/bin"}


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user")
def test_a_user_s_command_meets_sudo_once_it_is_known_to_need_it() -> None:
    """The program itself, as a user, with a `sudo` that says how it was called."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "bin").mkdir(mode=0o755)
        sudo = folder / "bin/sudo"
        sudo.write_text('#!/bin/sh\necho "sudo $*"\n')
        sudo.chmod(0o755)
        home = folder / "home"
        (home / "labs/mine").mkdir(parents=True)
        (folder / "state").mkdir()
        shutil.copytree(ROOT / "src/rookery", folder / "src/rookery", symlinks=True)
        environment = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder}/src:{':'.join(path for path in sys.path if path)}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ROOKERY_LAUNCHER": str(ROOT / "rookery"),
            "ROOKERY_HOME": str(home),
            "HCLOUD_TOKEN": "hidden",
        }

        def rookery(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                (*_USER, *AGAIN, *words),
                cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip

        asked = rookery("down", "mine")
        told = "--preserve-env=HCLOUD_TOKEN,PYTHONPATH,ROOKERY_HAD,ROOKERY_HOME,ROOKERY_LAUNCHER"
        assert asked.stdout == f"sudo {told} {' '.join(AGAIN)} down mine\n", asked.stderr
        assert asked.stderr == ""
        # A lab is brought up by root; what is only designed is nobody's but the user's.
        assert rookery("up").stdout.startswith("sudo ")
        planned = rookery("plan")
        assert (planned.returncode, "sudo" in planned.stdout) == (0, False), planned.stderr
        (home / "labs/mine").rmdir()
        nothing = rookery("status")
        # A lab of another test may be coming up beside this: then it is named.
        assert re.match(r"error: (nothing runs|\S+ does not run) on this machine", nothing.stderr)
        assert "sudo" not in nothing.stdout


def test_it_knows_the_very_program(asked: Asked) -> None:
    """Nothing of it is left to PATH: root may have another Python there."""
    assert launching._program() == AGAIN
    assert asked.ran == []
