"""What the operating system refuses is an error with a remedy, and no traceback."""

from __future__ import annotations

import errno
import os

import click
import pytest

from rookery.cli import main as command_line
from rookery.cli.breakage import explain
from rookery.errors import ExitCode


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/var/lib/rookery/x"),
            ExitCode.NOT_POSSIBLE,
            (
                "/var/lib/rookery/x: No space left on device\n"
                "  Free some space there (`df -h`), or set ROOKERY_HOME to a folder on a larger disk."
            ),
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "a", None, "b"),
            ExitCode.NOT_POSSIBLE,
            "a to b: Read-only file system\n  Make it writable, or set ROOKERY_HOME to a folder that is.",
        ),
        (
            OSError(errno.EMFILE, "Too many open files"),
            ExitCode.NOT_POSSIBLE,
            "the system refused: Too many open files\n  Raise the limit of open files: `ulimit -n 4096`.",
        ),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            ExitCode.FAILED,
            (
                "the system refused: Connection reset by peer\n"
                "  `rookery -v ...` shows where in the program this came up."
            ),
        ),
        (
            UnicodeEncodeError("iso8859-1", "a\u2713", 1, 2, "ordinal not in range"),
            ExitCode.NOT_POSSIBLE,
            (
                "the locale's encoding, iso8859-1, has no '\u2713'\n"
                "  Choose one in UTF-8: `LC_ALL=C.UTF-8 rookery ...`."
            ),
        ),
    ],
)
def test_each_says_what_where_and_what_to_do(
    error: OSError | UnicodeEncodeError, code: ExitCode, text: str
) -> None:
    explained = explain(error)
    assert (explained.exit_code, str(explained)) == (code, text)


def test_no_command_ends_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def breaks() -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/ro/labs")

    monkeypatch.setattr(command_line, "cli", breaks)
    monkeypatch.setattr("sys.argv", ["rookery"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == ExitCode.NOT_POSSIBLE
    said = capsys.readouterr().err
    assert said == (
        "error: /ro/labs: Read-only file system\n"
        "  Make it writable, or set ROOKERY_HOME to a folder that is.\n"
    )
