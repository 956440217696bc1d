"""What the documents say of the tree is so: paths, links, commands, figures, the picture, licences."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import figures
from rookery.cli.main import cli

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "rookery"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "decisions").glob("*.md")]
)
# Those that say how the tree is now; a decision says how it was on its day, and the changelog what changed.
CURRENT = [path for path in DOCUMENTS if path.parent.name != "decisions" and path.name != "CHANGELOG.md"]
README = (ROOT / "README.md").read_text()
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# The README's highlights: where each of their figures stands.
HIGHLIGHTS = (
    ("whole", "`up` with every application"),
    ("whole", "`down`"),
    ("whole", "memory of everything (Pss)"),
    ("failover", "writes back, longest"),
    ("single_runs", "viewers' errors while one of each is away"),
    ("single_runs", "a running lab given a drive on each storage node, and another edge"),
    ("cluster", "`up` from no servers, verification included"),
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_the_picture_is_what_the_program_draws(tmp_path: Path) -> None:
    (picture,) = re.findall(r"^!\[.*\]\((.*)\)$", README, re.MULTILINE)
    drawn = tmp_path / "drawn.svg"
    done = CliRunner().invoke(cli, ["diagram", "-o", str(drawn)])
    assert done.exit_code == 0, done.output
    assert (ROOT / picture).read_bytes() == drawn.read_bytes(), f"./rookery diagram -o {picture}"


@pytest.mark.parametrize(("record", "what"), HIGHLIGHTS)
def test_a_highlight_says_what_was_measured(record: str, what: str) -> None:
    (found,) = [one for one in figures.read_records() if one.name == record]
    (row,) = [row for row in found.rows if row["what"] == what]
    highlights = README.partition("\n## Highlights\n")[2].partition("\n## ")[0]
    assert re.search(rf"(?<![\d.]){re.escape(figures.written(row))}(?![\d.]*\d)", highlights)


def _words(text: str) -> list[str]:
    """Return what stands between backticks in a text, code blocks left out."""
    return re.findall(r"`([^`\n]+)`", FENCES.sub("", text))


def _names_a_path(word: str) -> Path | None:
    """Return the path that a word names, from the checkout's root or the package's; None for other words."""
    if not re.fullmatch(r"\.?[\w-]+(/[\w.*-]*)+", word) or re.search(r"[A-Z]{4,}(?!\.md)", word):
        return None  # NAME and HOST stand for something
    top = word.partition("/")[0]
    if top in {"src", "docs", "tests", "bench", "findings", "examples", "tools", ".ci"}:
        return ROOT / word
    return SOURCE / word if (SOURCE / top).is_dir() else None


def test_words_that_are_paths_are_told_from_others() -> None:
    assert _names_a_path("docs/spec.md") == ROOT / "docs/spec.md"
    assert _names_a_path("systems/native/guest/") == SOURCE / "systems/native/guest/"
    assert [_names_a_path(word) for word in ("apps/NAME", "/var/lib", "and/or", "ceph -s", "rookery/v1")] == [
        None
    ] * 5


@pytest.mark.parametrize("document", CURRENT, ids=name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = {word: path for word in _words(document.read_text()) if (path := _names_a_path(word))}
    missing = {word for word, path in named.items() if not (path.exists() or list(ROOT.glob(name(path))))}
    assert missing == set()


def test_paths_are_named_at_all() -> None:
    """Guards the search: documents that name no path would pass everything above."""
    found = [word for document in CURRENT for word in _words(document.read_text()) if _names_a_path(word)]
    assert len(found) > 100


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", FENCES.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"`[^`\n]+`", "", FENCES.sub("", document.read_text()))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        if re.match(r"https?:", link):
            continue
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", CURRENT, ids=name)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(r"(?:\./|[`(])rookery ([a-z]+)(?: ([a-z]+))?", document.read_text())
    unknown = []
    for word, following in named:
        command = cli.commands.get(word)
        if isinstance(command, click.Group) and following:
            command = command.commands.get(following)
        if command is None:
            unknown.append(f"{word} {following}")
    assert unknown == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[a-z0-9-]+\.md)\)", README))
    assert linked == {name(path) for path in (ROOT / "docs").glob("*.md")}


def test_what_hacking_says_makes_the_documents_anew(tmp_path: Path) -> None:
    text = (ROOT / "HACKING.md").read_text()
    (snippet,) = re.findall(r"python - <<'END'\n(.*?)\nEND\n", text, re.DOTALL)
    (tmp_path / "docs").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, env=environment, check=True)
    made = sorted((tmp_path / "docs").iterdir())
    assert {path.name for path in made} == {"commands.md", "findings.md", "patterns.md", "spec.md"}
    assert [path.name for path in made if path.read_bytes() != (ROOT / "docs" / path.name).read_bytes()] == []


def test_the_licence_is_whole_and_named() -> None:
    """The text is Apache's own, byte for byte."""
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0 AND OFL-1.1"
    ours = [name(path) for path in (ROOT / "src").rglob("*.LICENSE")]
    patterns = [pattern.replace("**/", "*") for pattern in project["license-files"]]
    assert [path for path in ours if not any(fnmatch.fnmatch(path, one) for one in patterns)] == []


def test_what_comes_from_elsewhere_has_its_licence_beside_it() -> None:
    """Fonts and minified scripts: each name begins with that of a NAME.LICENSE, or it is ours."""
    ours = {"rookery-twig.woff2"}  # drawn by tools/make_font.py
    found = [path for kind in ("woff2", "ttf", "min.js") for path in (ROOT / "src").rglob(f"*.{kind}")]
    assert len(found) >= 5
    bare = [
        path.name
        for path in found
        if path.name not in ours
        and not any(path.name.startswith(one.stem) for one in path.parent.glob("*.LICENSE"))
    ]
    assert bare == []
