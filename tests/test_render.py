"""Rendering a tree: written, compared, and cleaned up after; nobody's own file is touched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rookery.cli.main import cli
from rookery.errors import ExitCode, InputError
from rookery.files import File
from rookery.prices.comparison import Judgement
from rookery.projections.table import PROJECTIONS, Projection, RenderInput
from rookery.run.prices import shipped_book
from rookery.run.render import (
    MANIFEST,
    Difference,
    FileState,
    Rendered,
    Written,
    book_date,
    differences,
    read_manifest,
    render_files,
    render_input,
    unified_diff,
    write_tree,
)
from rookery.run.workspace import open_spec

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*/demo.yaml"))


@pytest.fixture(autouse=True)
def _no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No prices of this user, and no system that runs here."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))


def tree(files: Mapping[str, str], *, name: str = "one", folder: str = "") -> Rendered:
    """Return a rendering with these files, by a projection of that name."""
    found = tuple(File.text(path, text) for path, text in sorted(files.items()))
    projection = Projection(name=name, description="", render=lambda _given: found, folder=folder)
    return Rendered(files=found, owners=dict.fromkeys(files, name), chosen=(projection,))


def states(found: tuple[Difference, ...]) -> list[tuple[str, str]]:
    return [(one.path, str(one.state)) for one in found]


def contents(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


# --- Trees


def test_a_tree_is_written_and_then_current(tmp_path: Path) -> None:
    rendered = tree({"a.md": "a\n", "sub/b.md": "b\n"})
    assert states(differences(tmp_path / "new", rendered)) == [("a.md", "missing"), ("sub/b.md", "missing")]
    done = write_tree(tmp_path / "new", rendered)
    assert done == Written(written=("a.md", "sub/b.md"), replaced=(), removed=(), left=(), files=2)
    assert contents(tmp_path / "new") == {"a.md": "a\n", "sub/b.md": "b\n"}
    assert differences(tmp_path / "new", rendered) == ()
    assert read_manifest(tmp_path / "new") == {
        "one": {"a.md": sha256(b"a\n").hexdigest(), "sub/b.md": sha256(b"b\n").hexdigest()}
    }


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    write_tree(tmp_path, tree({"a.md": "a\n", "b.md": "b\n"}))
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    assert write_tree(tmp_path, tree({"a.md": "a\n", "b.md": "b\n"})).written == ()
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert write_tree(tmp_path, tree({"a.md": "a\n", "b.md": "new\n"})).written == ("b.md",)
    assert (tmp_path / "a.md").stat().st_ino == before[tmp_path / "a.md"]


def test_a_file_that_somebody_changed_is_replaced_and_named(tmp_path: Path) -> None:
    rendered = tree({"a.md": "a\n", "b.md": "b\n"})
    (tmp_path / "b.md").write_text("somebody's\n")
    assert write_tree(tmp_path, rendered).replaced == ("b.md",)
    (tmp_path / "a.md").write_text("changed\n")
    assert states(differences(tmp_path, rendered)) == [("a.md", "different")]
    done = write_tree(tmp_path, rendered)
    assert (done.written, done.replaced) == (("a.md",), ("a.md",))
    assert write_tree(tmp_path, tree({"a.md": "later\n", "b.md": "b\n"})).replaced == ()


def test_what_is_not_rendered_any_more_goes_if_it_is_ours(tmp_path: Path) -> None:
    write_tree(tmp_path, tree({"a.md": "a\n", "deep/er/b.md": "b\n", "c.md": "c\n"}))
    (tmp_path / "c.md").write_text("now somebody's\n")
    (tmp_path / "own.md").write_text("never ours\n")
    fewer = tree({"a.md": "a\n"})
    assert states(differences(tmp_path, fewer)) == [("c.md", "extra"), ("deep/er/b.md", "extra")]
    done = write_tree(tmp_path, fewer)
    assert (done.removed, done.left) == (("deep/er/b.md",), ("c.md",))
    assert contents(tmp_path) == {"a.md": "a\n", "c.md": "now somebody's\n", "own.md": "never ours\n"}
    assert not (tmp_path / "deep").exists()
    # What was left is named until somebody removes it.
    assert states(differences(tmp_path, fewer)) == [("c.md", "extra")]
    (tmp_path / "c.md").unlink()
    assert write_tree(tmp_path, fewer) == Written(written=(), replaced=(), removed=(), left=(), files=1)
    assert differences(tmp_path, fewer) == ()


def test_a_folder_of_its_own_holds_nothing_else(tmp_path: Path) -> None:
    rendered = tree({"kubernetes/a.yaml": "a\n"}, folder="kubernetes")
    write_tree(tmp_path, rendered)
    (tmp_path / "kubernetes" / "mine.yaml").write_text("applied by accident\n")
    (tmp_path / "beside.yaml").write_text("no business of ours\n")
    assert states(differences(tmp_path, rendered)) == [("kubernetes/mine.yaml", "extra")]
    assert write_tree(tmp_path, rendered).left == ("kubernetes/mine.yaml",)
    assert (tmp_path / "kubernetes" / "mine.yaml").exists()


def test_projections_do_not_touch_each_others_files(tmp_path: Path) -> None:
    write_tree(tmp_path, tree({"a.md": "a\n"}, name="one"))
    write_tree(tmp_path, tree({"b.md": "b\n"}, name="two"))
    assert set(read_manifest(tmp_path)) == {"one", "two"}
    assert write_tree(tmp_path, tree({}, name="two")).removed == ("b.md",)
    assert contents(tmp_path) == {"a.md": "a\n"}


def test_nothing_outside_the_folder_is_touched(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "b.md").write_text("b\n")
    (folder / "sub").symlink_to(outside)
    for rendered in (tree({"sub/new.md": "x\n"}), tree({"sub/b.md": "x\n"})):
        with pytest.raises(InputError, match="leads out of"):
            write_tree(folder, rendered)
    digest = sha256(b"b\n").hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"version": 1, "files": {"one": {"sub/b.md": digest}}}))
    with pytest.raises(InputError, match="leads out of"):
        write_tree(folder, tree({}))
    for path in ("../outside/b.md", str(outside / "b.md"), ""):
        (folder / MANIFEST).write_text(json.dumps({"version": 1, "files": {"one": {path: digest}}}))
        with pytest.raises(InputError, match="is no manifest of this version"):
            write_tree(folder, tree({}))
    assert contents(outside) == {"b.md": "b\n"}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2, "files": {}}', '{"version": 1, "files": {"a": []}}', "\0"]
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError) as refused:
        write_tree(tmp_path, tree({"a.md": "a\n"}))
    assert refused.value.what == f"{tmp_path / MANIFEST} is no manifest of this version"
    assert contents(tmp_path) == {}


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    with pytest.raises(InputError, match=r"a\.md cannot be read: Is a directory"):
        write_tree(tmp_path, tree({"a.md": "a\n"}))


def test_a_diff_is_one_that_patch_applies(tmp_path: Path) -> None:
    write_tree(tmp_path, tree({"a.md": "one\ntwo\n", "gone.md": "x\n", "end.md": "no newline"}))
    after = tree({"a.md": "one\n2\n", "new.md": "new\n", "end.md": "no newline, still"})
    text = unified_diff(differences(tmp_path, after))
    assert text == (
        "--- a/a.md\n+++ b/a.md\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        "--- a/end.md\n+++ b/end.md\n@@ -1 +1 @@\n-no newline\n\\ No newline at end of file\n"
        "+no newline, still\n\\ No newline at end of file\n"
        "--- a/gone.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "--- /dev/null\n+++ b/new.md\n@@ -0,0 +1 @@\n+new\n"
    )
    subprocess.run(["git", "apply", "-"], input=text.encode(), cwd=tmp_path, check=True)
    assert contents(tmp_path) == {file.path: file.content.decode() for file in after.files}


def test_what_is_no_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    text = unified_diff(differences(tmp_path, tree({"a.md": "a\n"})))
    assert text == "Binary files a/a.md and b/a.md differ\n"


# --- Projections


def test_the_table_is_by_name() -> None:
    assert [(name, one.name) for name, one in PROJECTIONS.items()] == [
        ("document", "document"),
        ("kubernetes", "kubernetes"),
    ]


def test_an_unknown_projection_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        render_files(example(), ["dokument"])
    assert str(refused.value) == "there is no projection dokument\n  There is: document, kubernetes."


def test_only_what_is_chosen_is_rendered() -> None:
    table = {name: _naming(name) for name in ("one", "two")}
    assert [file.path for file in render_files(example(), table=table).files] == ["one.md", "two.md"]
    assert [file.path for file in render_files(example(), ["two"], table=table).files] == ["two.md"]


def _naming(name: str) -> Projection:
    def render(given: RenderInput) -> tuple[File, ...]:
        return (File.text(f"{name}.md", given.design.name),)

    return Projection(name=name, description="", render=render)


def example() -> RenderInput:
    return render_input(open_spec(str(EXAMPLES[0])), shipped_book())


def test_the_day_is_that_of_the_newest_price() -> None:
    book = shipped_book()
    newest = book_date(book)
    assert newest == max([book.rate.date, *(price.date for one in book.providers for _, price in one.prices)])
    assert example().judgement == Judgement(today=newest)
    later = replace(book, rate=replace(book.rate, date=date(2027, 1, 1)))
    assert book_date(later) == date(2027, 1, 1)


def test_findings_are_those_of_every_machine() -> None:
    assert not any(finding.code.startswith("RK6") for finding in example().findings)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_renders_beside_its_spec(path: Path, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_bytes(path.read_bytes())
    rendered = render_files(render_input(open_spec(str(tmp_path)), shipped_book()))
    assert "demo.yaml" not in rendered.owners
    done = write_tree(tmp_path, rendered)
    assert done.replaced == ()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        MANIFEST,
        "demo.yaml",
        "design-cost.svg",
        "design.drawio.svg",
        "design.html",
        "design.md",
    ]


# --- The command


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["render", *map(str, arguments)], standalone_mode=False)


def test_the_command_writes_checks_and_shows(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    names = ["design-cost.svg", "design.drawio.svg", "design.html", "design.md"]

    stale = run("compact", "-o", folder, "--check")
    assert stale.return_value == ExitCode.VIOLATED
    assert stale.stdout == "".join(f"missing    {name}\n" for name in names)
    assert not folder.exists()

    written = run("compact", "-o", folder)
    assert written.stdout == ""
    told = "".join(f"written   {name}\n" for name in names)
    assert told in written.stderr
    assert written.stderr.endswith(f"{folder}: 4 files, 0 of them current before\n")

    current = run("compact", "-o", folder, "--check")
    assert (current.stdout, current.return_value) == ("", ExitCode.DONE)
    assert current.stderr.endswith(f"{folder} is current\n")

    text = (folder / "design.md").read_text()
    (folder / "design.md").write_text(text.replace("# compact\n", "# Compact\n", 1))
    shown = run("compact", "-o", folder, "--diff")
    assert shown.return_value == ExitCode.DONE
    assert "-# Compact\n+# compact\n" in shown.stdout
    both = run("compact", "-o", folder, "--diff", "--check")
    assert (both.stdout, both.return_value) == (shown.stdout, ExitCode.VIOLATED)
    assert run("compact", "-o", folder, "--check").stdout == "different  design.md\n"
    again = run("compact", "-o", folder, "--only", "document")
    assert "replaced  design.md  (it was not as a rendering left it)\n" in again.stderr
    assert (folder / "design.md").read_text() == text


def test_the_day_and_old_prices_are_the_users_choice(tmp_path: Path) -> None:
    run("compact", "-o", tmp_path / "a")
    assert "Not priced: GCP" in (tmp_path / "a" / "design.md").read_text()
    run("compact", "-o", tmp_path / "b", "--stale-ok", "--shipped-prices")
    assert "### GCP, europe-west3" in (tmp_path / "b" / "design.md").read_text()
    run("compact", "-o", tmp_path / "c", "--date", "2027-12-01")
    text = (tmp_path / "c" / "design.md").read_text()
    assert "No cloud has a price:" in text
    assert not (tmp_path / "c" / "design-cost.svg").exists()
    wrong = run("compact", "-o", tmp_path / "d", "--date", "soon")
    assert str(wrong.exception) == "--date soon is no day of a price\n  Write it like 2026-12-01."


def test_pods_name_the_image_as_the_user_does(tmp_path: Path) -> None:
    on_hetzner = ("compact", "-o", tmp_path, "--only", "kubernetes", "--provider", "hetzner")
    name = "registry.example.com:5000/rookery/apps:7"
    assert run(*on_hetzner, "--image", name).return_value == ExitCode.DONE
    guide = (tmp_path / "kubernetes/README.md").read_text()
    assert f"Pods name the applications' image `{name}`, as `render --image` was told." in guide
    assert "# what the applications' pods run, unless a registry has it\n" in guide
    assert f"        image: {name}\n" in (tmp_path / "kubernetes/74-cdn/09-edges.yaml").read_text()
    variables = (tmp_path / "kubernetes/00-bootstrap/group_vars/all.yaml").read_text()
    said = "The name was given: what is there already is right."
    assert f"# Our applications' image. {said}\napps_image: {name}\n" in variables
    assert run(*on_hetzner, "--image", name, "--check").return_value == ExitCode.DONE
    assert run(*on_hetzner, "--check").return_value == ExitCode.VIOLATED


def test_an_image_without_a_version_is_refused(tmp_path: Path) -> None:
    refused = run("compact", "-o", tmp_path / "out", "--image", "registry.example.com/rookery/apps")
    assert str(refused.exception) == (
        "--image registry.example.com/rookery/apps is no image with a version\n"
        "  Write it with its tag, like registry.example.com/rookery/apps:1."
    )
    assert not (tmp_path / "out").exists()


def test_a_chart_without_prices_is_removed_again(tmp_path: Path) -> None:
    run("compact", "-o", tmp_path)
    assert (tmp_path / "design-cost.svg").exists()
    assert "removed   design-cost.svg\n" in run("compact", "-o", tmp_path, "--date", "2027-12-01").stderr
    assert not (tmp_path / "design-cost.svg").exists()


def test_a_folder_that_cannot_be_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x\n")
    with pytest.raises(InputError, match=r"file/new/\.rookery-render\.json cannot be read: Not a directory"):
        write_tree(tmp_path / "file" / "new", tree({"a.md": "a\n"}))
    # A link to nowhere cannot become a folder.
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be written: File exists") as refused:
        write_tree(tmp_path / "link", tree({"a.md": "a\n"}))
    assert refused.value.hint == "Name another folder with -o."


def test_states_are_words() -> None:
    assert [str(state) for state in FileState] == ["missing", "different", "extra"]
