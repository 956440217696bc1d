"""What a user brings, looked at before anything is made: folders that are not there, names, links."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from rookery.apps.app import Making
from rookery.apps.serving import NO_RULES
from rookery.apps.streaming.guest.packing.folders import is_utf8, leads_out, shown, walk
from rookery.cli.main import cli
from rookery.design.content import Content
from rookery.drivers.media import films
from rookery.errors import InputError
from rookery.run.content import look_at_content
from rookery.run.workspace import name_of, open_spec
from rookery.spec.strict import UnreadableError
from rookery.systems.content import folder_items
from rookery.systems.native.making import _sources, made_folder

SPEC = """\
apiVersion: rookery/v1
pattern: production-minimum
name: brought
apps:
  streaming:
    media: ./films
  cdn: {site: site}
"""


def write_spec(folder: Path, text: str = SPEC) -> str:
    (folder / "demo.yaml").write_text(text)
    return str(folder / "demo.yaml")


def said(spec: str) -> str:
    with pytest.raises(UnreadableError) as raised:
        open_spec(spec)
    return str(raised.value)


def test_folders_that_are_not_there_are_problems_of_the_spec(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, SPEC + "hosts: {storage: {count: none}}\n")
    (tmp_path / "site").write_text("no folder")
    assert (
        said(spec)
        == f"""\
the spec has 3 problems
    {spec}:6: apps.streaming.media: there is no folder {tmp_path}/films; a path is relative to the spec
    {spec}:7: apps.cdn.site: {tmp_path}/site is no folder
    {spec}:8: hosts.storage.count: is 'none'; it must be a whole number
  `rookery schema` prints the JSON Schema that editors complete from."""
    )


@pytest.mark.parametrize("command", ["plan", "cost", "render -o out", "diagram", "up"])
def test_every_command_that_reads_a_spec_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    spec = write_spec(tmp_path)
    (tmp_path / "films").mkdir()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [*command.split(), spec], standalone_mode=False)
    assert isinstance(result.exception, UnreadableError)
    assert (result.exception.exit_code, result.stdout) == (2, "")
    assert f"{spec}:7: apps.cdn.site: there is no folder {tmp_path}/site;" in str(result.exception)


def test_a_running_system_is_found_by_a_spec_whose_folders_are_gone(tmp_path: Path) -> None:
    assert name_of(write_spec(tmp_path)) == "brought"


def test_a_folder_below_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    there = tmp_path / os.fsdecode(b"B\xfcro")
    for name in ("films", "site"):
        (there / name).mkdir(parents=True)
    text = said(write_spec(there))
    assert f"apps.cdn.site: the path of the folder {tmp_path}/B\\xfcro/site is not UTF-8; rename" in text


def make_folder(folder: Path) -> None:
    """Make a folder with a thing of each kind that is no file to be read."""
    for name in (b"good.txt", b"sub/B\xfcro.txt", b"sub/two\nlines.txt", b".hidden/x", b".well-known/y"):
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (folder / ".well-known/.z").write_text("x")
    (folder / "dead").symlink_to("nowhere")
    (folder / "round").symlink_to("round")
    (folder / "self").symlink_to(".")
    (folder / "sub/up").symlink_to("..")
    (folder / "link").symlink_to("good.txt")
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path is short
        bound.bind("socket")
        os.chdir(here)


def test_everything_in_a_folder_is_found_or_named(tmp_path: Path) -> None:
    make_folder(tmp_path)
    found = [
        (shown(one.name), one.why, one.dead, one.hidden) for one in walk(tmp_path, kept=(".well-known",))
    ]
    assert found == [
        (".hidden", "", False, True),
        (".well-known/.z", "", False, True),
        (".well-known/y", "", False, False),
        ("dead", "is a link to nowhere, which is not there", True, False),
        ("good.txt", "", False, False),
        ("link", "", False, False),
        ("pipe", "is a named pipe, not a file", True, False),
        ("round", "is a link that leads round in a circle: round", True, False),
        ("self", "is a link to a folder that it lies in: .", True, False),
        ("socket", "is a socket, not a file", True, False),
        ("sub/B\\xfcro.txt", "", False, False),
        ("sub/two\\nlines.txt", "", False, False),
        ("sub/up", "is a link to a folder that it lies in: ..", True, False),
    ]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs another user")
def test_what_may_not_be_read_is_named() -> None:
    code = (
        "import sys; from pathlib import Path; from folders import walk\n"
        "for one in walk(Path('.')): print(one.name, one.why, one.dead)"
    )
    guest = Path(__file__).parents[1] / "src/rookery/apps/streaming/guest/packing/folders.py"
    # Not in pytest's folder, nor in the checkout: another user may have no way into them.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0)
        (folder / "shut.txt").write_text("x")
        (folder / "shut.txt").chmod(0)
        (folder / "folders.py").write_bytes(guest.read_bytes())
        other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
        argv = (*other, "/usr/bin/python3", "-B", "-c", code)
        done = subprocess.run(argv, cwd=folder, env={}, capture_output=True, text=True, check=False)
        (folder / "closed").chmod(0o700)
    lines = [line for line in done.stdout.splitlines() if "folders.py" not in line]
    assert lines == [
        "closed cannot be read: Permission denied False",
        "shut.txt cannot be read: Permission denied False",
    ], done.stderr


def test_a_site_is_looked_at(tmp_path: Path) -> None:
    make_folder(tmp_path / "site")
    (tmp_path / "films").mkdir()
    deep = tmp_path / "site" / "/".join(["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "x").write_text("x")
    name = str((deep / "x").relative_to(tmp_path / "site"))
    site = next(one for one in look_at_content(open_spec(write_spec(tmp_path)).design) if one.app == "cdn")
    assert site == Content(
        app="cdn",
        key="site",
        folder=f"{tmp_path}/site",
        names=(".well-known/y", "good.txt", "link", "sub/two\nlines.txt"),
        problems=(
            f"{name}: its path has {len(name)} bytes, an object's key 1024 at most",
            "sub/B\\xfcro.txt: its name is not UTF-8, which the key of an object is; rename it",
        ),
        dead=(
            "dead: is a link to nowhere, which is not there",
            "pipe: is a named pipe, not a file",
            "round: is a link that leads round in a circle: round",
            "self: is a link to a folder that it lies in: .",
            "socket: is a socket, not a file",
            "sub/up: is a link to a folder that it lies in: ..",
        ),
        hidden=(".hidden", ".well-known/.z"),
    )
    with pytest.raises(InputError) as raised:
        folder_items(tmp_path / "site", NO_RULES)
    assert (
        str(raised.value)
        == f"""\
{tmp_path}/site cannot be published
    {tmp_path}/site/sub/B\\xfcro.txt: its name is not UTF-8
  Rename these files."""
    )


def test_an_empty_site_is_a_problem(tmp_path: Path) -> None:
    for name in ("films", "site/.git"):
        (tmp_path / name).mkdir(parents=True)
    found = {one.app: one.problems for one in look_at_content(open_spec(write_spec(tmp_path)).design)}
    assert found["cdn"] == ("there is no file in it",)


def test_without_ffmpeg_names_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "films")
    (tmp_path / "films/empty.mp4").touch()
    (tmp_path / "site").mkdir()
    monkeypatch.setattr(films, "can_look", lambda: False)
    found = next(
        one for one in look_at_content(open_spec(write_spec(tmp_path)).design) if one.app == "streaming"
    )
    assert found.unlooked
    assert "empty.mp4: is empty" in found.problems
    assert "pipe: is a named pipe, not a file" in found.problems
    assert not [one for one in found.problems if "good.txt" in one]


@pytest.mark.skipif(not films.can_look(), reason="there is no ffmpeg here")
def test_with_ffmpeg_every_file_is_played(tmp_path: Path) -> None:
    make_folder(tmp_path / "films")
    (tmp_path / "site").mkdir()
    design = open_spec(write_spec(tmp_path)).design
    found = next(one for one in look_at_content(design) if one.app == "streaming")
    reason = "ffprobe cannot read it: Invalid data found when processing input"
    assert not found.unlooked
    assert set(found.problems) >= {
        f"good.txt: {reason}",
        f"sub/B\\xfcro.txt: {reason}",
        "socket: is a socket, not a file",
    }
    # Asked again, it is not looked at again; what changed is.
    (tmp_path / "films/good.txt").unlink()
    (tmp_path / "films/link").unlink()
    again = next(one for one in look_at_content(design) if one.app == "streaming")
    assert not [one for one in again.problems if "good.txt" in one]


def making(folder: Path) -> Making:
    return Making(bucket="media", files=(), argv=("x",), source=str(folder))


def test_what_is_made_is_named_by_names_of_any_bytes(tmp_path: Path) -> None:
    names = (b"B\xfcro.mp4", b"B\xc3\xbcro.mp4", b"two\nlines.mp4")
    folders = [tmp_path / f"of-{number}" for number in range(len(names))]
    for name, folder in zip(names, folders, strict=True):
        folder.mkdir()
        (folder / os.fsdecode(name)).write_text("x")
        os.utime(folder / os.fsdecode(name), ns=(1, 1))
    made = [made_folder(making(folder)).name for folder in folders]
    assert len(set(made)) == 3
    (folders[0] / "dead.mp4").symlink_to("nowhere")
    assert made_folder(making(folders[0])).name == made[0]


def test_links_out_of_the_films_are_given_to_the_container(tmp_path: Path) -> None:
    outside, films_folder = tmp_path / "outside", tmp_path / "films"
    for folder in (outside, films_folder / "sub"):
        folder.mkdir(parents=True)
    (outside / "a.mp4").write_text("x")
    (films_folder / "own.mp4").write_text("x")
    (films_folder / "inside.mp4").symlink_to("own.mp4")
    (films_folder / "file.mp4").symlink_to(outside / "a.mp4")
    (films_folder / "sub/more").symlink_to("../../outside")
    (films_folder / "above").symlink_to("..")
    assert list(leads_out(films_folder)) == [
        ("above", str(tmp_path)),
        ("file.mp4", str(outside / "a.mp4")),
        ("sub/more", str(outside)),
    ]
    assert ("/srv/source/file.mp4", str(outside / "a.mp4")) in _sources(str(films_folder))
    assert ("/srv/source/sub/more", str(outside)) in _sources(str(films_folder))
    assert ("/srv/source/above", str(tmp_path)) not in _sources(str(films_folder))
    (films_folder / os.fsdecode(b"\xfc.mp4")).symlink_to(outside / "a.mp4")
    with pytest.raises(InputError) as raised:
        _sources(str(films_folder))
    assert (
        str(raised.value)
        == f"""\
links in {films_folder} lead out of it, by names that are not UTF-8
    \\xfc.mp4
  Rename them, or put the files themselves there."""
    )


def test_names_are_shown_on_one_line() -> None:
    assert [shown(os.fsdecode(name)) for name in (b"B\xfcro", "Büro 🐦".encode(), b"a\nb\x1b", b"a\\b")] == [
        "B\\xfcro",
        "Büro 🐦",
        "a\\nb\\x1b",
        "a\\b",
    ]
    assert [is_utf8(os.fsdecode(name)) for name in (b"B\xfcro", b"B\xc3\xbcro")] == [False, True]
