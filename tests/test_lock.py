"""One command at a time on a system, and to which home a system belongs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.errors import ExitCode, InputError, NotPossibleError
from rookery.run import homes, lock, workspace
from rookery.run.down import bring_down
from rookery.run.homes import forget_home, note_home, other_home
from rookery.run.lock import hold, is_known, remember
from rookery.systems.lab import paths


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let labs and locks live in a folder of the test's own."""
    for module in (paths, homes, lock, workspace):
        monkeypatch.setattr(module, "runtime_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(workspace, "namespace_names", list)  # those of labs that run beside the tests
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    return tmp_path


def test_who_looks_shares_the_lock_and_who_takes_down_does_not() -> None:
    with hold("one", shared=True), hold("one", shared=True):
        with pytest.raises(NotPossibleError) as caught, hold("one", forget=True):
            pass
        assert str(caught.value) == (
            f"another command works on one (process {os.getpid()})\n"
            "  Wait until it ends, or end it, then run this again."
        )
        with hold("other"):
            pass
    with hold("one"), pytest.raises(NotPossibleError, match="works on one"), hold("one", shared=True):
        pass


def test_a_name_is_known_until_down_is_done_with_it() -> None:
    assert not is_known("one")
    remember("one")
    assert is_known("one")
    with hold("one", forget=True):
        assert is_known("one")
    assert not is_known("one")


def test_a_lab_of_another_home_is_told_from_ours(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "home/labs/mine").mkdir(parents=True)
    (machine / "run/labs/mine").mkdir(parents=True)
    note_home("mine")
    (machine / "run/labs/old").mkdir()  # of an earlier version, without a note: whoever asks has it
    assert workspace.running_names() == ("mine", "old")
    elsewhere = machine / "elsewhere"
    monkeypatch.setenv("ROOKERY_HOME", str(elsewhere))
    assert other_home("mine") == machine / "home"
    assert workspace.running_names() == ("old",)
    for ask in (workspace.open_running, workspace.name_of):
        with pytest.raises(NotPossibleError) as caught:
            ask("mine")
        assert str(caught.value) == (
            f"mine is a lab of another ROOKERY_HOME, {machine}/home\n"
            f"  Say which home is meant (`ROOKERY_HOME={machine}/home rookery ...`), or use another name."
        )
    # What is left of a lab whose home is gone can be removed from anywhere.
    (machine / "home/labs/mine").rmdir()
    assert other_home("mine") is None
    assert workspace.running_names() == ("mine", "old")
    forget_home("mine")
    assert not (machine / "run/homes/mine").exists()


def test_a_name_that_nothing_has_is_an_error_for_every_command(machine: Path) -> None:
    with pytest.raises(InputError) as caught:
        workspace.open_running("nosuch")
    said = "there is no system nosuch on this machine\n  Nothing runs; `rookery up` brings a system up."
    assert (caught.value.exit_code, str(caught.value)) == (ExitCode.INPUT_WRONG, said)
    (machine / "run/labs/one").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        workspace.open_running("nosuch")
    assert str(caught.value) == "there is no system nosuch on this machine\n  Running: one."
    with pytest.raises(InputError, match=r"nosuch\.yaml"):
        workspace.open_running("nosuch.yaml")


@pytest.mark.skipif(os.geteuid() != 0, reason="`down` asks for root")
def test_down_of_a_typing_error_fails_and_of_what_was_begun_does_not(machine: Path) -> None:
    for _ in range(2):
        with pytest.raises(InputError, match="there is no system nosuch on this machine"):
            bring_down("nosuch", must_exist=True)
    remember("begun")  # by an `up` that was killed before it made anything
    assert bring_down("begun", must_exist=True).found == ()
    assert bring_down("of-a-spec").left == ()
