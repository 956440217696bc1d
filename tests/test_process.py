"""Commands that are followed while they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.drivers.machine.process import CommandError, run, run_heard

TWO_STREAMS = 'echo "in $PWD"; echo "$KIND" >&2'


def test_what_a_command_says_is_heard_line_by_line(tmp_path: Path) -> None:
    heard: list[str] = []
    argv = ("sh", "-c", TWO_STREAMS)
    run_heard(argv, heard.append, folder=tmp_path, timeout=20, environment={"KIND": "of mine"})
    assert heard == [f"in {tmp_path}", "of mine"]


def test_a_command_that_fails_keeps_what_it_said_last(tmp_path: Path) -> None:
    argv = ("sh", "-c", "seq 100; exit 3")
    with pytest.raises(CommandError) as failed:
        run_heard(argv, lambda _: None, folder=tmp_path, timeout=20, wrapper=("env",))
    assert (failed.value.command_exit_code, failed.value.argv) == (3, argv)
    assert failed.value.output.splitlines() == [str(n) for n in range(61, 101)]


def test_a_command_that_says_nothing_any_more_is_ended(tmp_path: Path) -> None:
    heard: list[str] = []
    with pytest.raises(CommandError, match="ran out of time") as late:
        run_heard(("sh", "-c", "echo begun; exec sleep 60"), heard.append, folder=tmp_path, timeout=0.5)
    assert (late.value.command_exit_code, heard) == (None, ["begun"])


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="`no-such-program` ended with exit code 127") as failed:
        run_heard(("no-such-program",), lambda _: None, folder=tmp_path, timeout=20)
    assert "no-such-program" in failed.value.output


def test_programs_read_and_say_utf8_in_english_whatever_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.ISO-8859-1")
    monkeypatch.setenv("LANGUAGE", "de")
    heard: list[str] = []
    words = 'echo "$LC_ALL|$LANGUAGE"; printf "B\\303\\274ro\\n"'
    run_heard(("sh", "-c", words), heard.append, folder=tmp_path, timeout=20)
    assert heard == ["C.UTF-8|", "B\u00fcro"]
    assert run(("od", "-An", "-tx1"), stdin="B\u00fcro") == " 42 c3 bc 72 6f\n"
