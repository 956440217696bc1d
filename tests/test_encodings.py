"""Texts are UTF-8 in files and pipes, whatever the locale says; what a terminal cannot show is replaced."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_SUBPROCESS = {"run", "Popen", "check_output", "check_call"}
_FILES = {"open", "fdopen", "TemporaryFile", "NamedTemporaryFile"}


def unnamed_encodings(source: str) -> Iterator[int]:
    """Yield the line of each call that opens a file or a pipe as text without naming an encoding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(k.arg in ("encoding", None) for k in node.keywords):
            continue
        if _is_text(node):
            yield node.lineno


def _is_text(call: ast.Call) -> bool:
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    words = {keyword.arg: _constant(keyword.value) for keyword in call.keywords}
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name in _SUBPROCESS:
        return words.get("text") is True or words.get("universal_newlines") is True or "errors" in words
    if name in _FILES:
        at = 0 if method or name not in ("open", "fdopen") else 1
        given = words.get("mode", _constant(call.args[at]) if len(call.args) > at else None)
        # Without a mode, `x.open()` may be anything's; `open(path)` is a file of text.
        mode = given if given is not None else "r" if name == "open" and not method else "b"
        return isinstance(mode, str) and set(mode) <= set("rwax+t")
    return False


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else "b"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('path.read_text()\npath.read_text(errors="replace")', [1, 2]),
        (
            'path.write_text(text)\npath.write_text(text, encoding="utf-8")\npath.write_text(text, "utf-8")',
            [1],
        ),
        ('open(path)\nopen(path, "rb")\npath.open("w")\npath.open("xb")\npool.open()', [1, 3]),
        ('run(argv)\nsubprocess.run(argv, text=True)\nPopen(argv, text=True, encoding="utf-8")', [2]),
    ],
)
def test_the_search_sees_what_it_is_for(source: str, lines: list[int]) -> None:
    assert list(unnamed_encodings(source)) == lines


def test_every_file_and_pipe_of_text_names_its_encoding() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("src", "bench", "tools")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in unnamed_encodings(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def _latin_1(folder: Path) -> dict[str, str]:
    """Make a Latin-1 locale in a folder, and return the environment that chooses it."""
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("no Latin-1 locale can be made here: `apt-get install locales` has what it takes")
    name = "de_DE.ISO-8859-1"
    argv = ("localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / name))
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return {"LOCPATH": str(folder), "LC_ALL": name}


# One after the other in one process: to start takes longer than most of them. The first that fails ends it.
_COMMANDS = """\
import sys
from rookery.cli.main import main
for words in ("plan case.yaml", "render case.yaml -o out", "journal add -", "journal show"):
    sys.argv[1:] = words.split()
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
_SPEC = 'apiVersion: rookery/v1\nname: case\ndescription: "for the launch \U0001f680"\n'


@pytest.mark.parametrize("locale", ["C", "POSIX", "latin-1"])
@pytest.mark.parametrize("mode", ["", "0"])
def test_commands_work_in_every_locale(tmp_path: Path, locale: str, mode: str) -> None:
    chosen = _latin_1(tmp_path) if locale == "latin-1" else {"LC_ALL": locale}
    modes = {"PYTHONUTF8": mode, "PYTHONCOERCECLOCALE": mode} if mode else {}
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **chosen,
        **modes,
        "PYTHONPATH": str(ROOT / "src"),
        "ROOKERY_JOURNAL": str(tmp_path / "journal"),
    }

    (tmp_path / "case.yaml").write_text(_SPEC, encoding="utf-8")
    (tmp_path / "journal").mkdir()
    note = "B\u00fcro \U0001f680"
    done = subprocess.run(
        (sys.executable, "-c", _COMMANDS), cwd=tmp_path, env=environment, input=note.encode(),
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    # What is kept is whole; only what the terminal cannot show is replaced.
    kept = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "journal").iterdir())
    assert note in kept
    assert b"for the launch " in done.stdout
    if locale == "latin-1":
        assert "B\u00fcro ?".encode("latin-1") in done.stdout
