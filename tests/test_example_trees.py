"""The examples' Kubernetes trees: one is committed whole, of all of them every file's size and digest.

Trees for reading name the applications' image `IMAGE`, so a change of what that image holds is no change of
theirs (decision 0048). RENEW_GOLDEN=1 writes both anew; HACKING.md has the command.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from rookery.apps.pod_image import image_files, image_reference, is_reference
from rookery.errors import ExitCode
from rookery.projections.kubernetes import render_kubernetes
from rookery.run.prices import shipped_book
from rookery.run.render import MANIFEST, Rendered, differences, render_files, render_input, write_tree
from rookery.run.workspace import Workspace, open_spec

ROOT = Path(__file__).parent.parent
EXAMPLES = {path.parent.name: path.parent for path in sorted((ROOT / "examples").glob("*/demo.yaml"))}
WHOLE = "01-production-minimum"
IMAGE = "localhost/rookery/apps:example"
HOW = ("--only", "kubernetes", "--provider", "hetzner", "--image", IMAGE)
GOLDEN = ROOT / "tests" / "golden" / "trees.txt"
RENEW = "RENEW_GOLDEN=1 .venv/bin/python -m pytest tests/test_example_trees.py"
# What a command is run by, after the image's name was said.
NAME_AND_RUN = """\
import sys
from rookery.apps.pod_image import image_reference
from rookery.cli.main import cli
print(image_reference(), flush=True)
sys.exit(cli(sys.argv[1:], standalone_mode=False))
"""
RENEWING = bool(os.environ.get("RENEW_GOLDEN"))


@cache
def workspace(name: str) -> Workspace:
    return open_spec(str(EXAMPLES[name]), as_new=True, provider="hetzner")


@cache
def rendered(name: str) -> Rendered:
    return render_files(render_input(workspace(name), shipped_book(), image=IMAGE), ["kubernetes"])


# --- What is committed


def test_the_tree_of_the_default_is_committed_whole() -> None:
    if RENEWING:
        write_tree(EXAMPLES[WHOLE], rendered(WHOLE))
    found = [str(one.path) for one in differences(EXAMPLES[WHOLE], rendered(WHOLE))]
    assert found == [], f"examples/{WHOLE} is not as rendered; write it anew: {RENEW}"


def test_the_trees_of_all_examples_are_those_of_the_table() -> None:
    text = table({name: rendered(name) for name in EXAMPLES})
    if RENEWING:
        GOLDEN.write_text(text, encoding="utf-8")
    before, after = GOLDEN.read_text(encoding="utf-8"), text
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "committed", "rendered", "", "", 0, ""
    )
    assert before == after, "\n".join(
        ["trees of examples are others; see in what (HACKING.md), then write the table anew:", RENEW, *lines]
    )


def test_of_the_other_examples_the_specs_are_all_that_is_committed() -> None:
    """A folder that one of them was rendered into is in nobody's way, unless it is committed."""
    listed = subprocess.run(
        ("git", "ls-files", "examples"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git: nobody knows what is committed")
    there = {path for path in listed.stdout.splitlines() if (ROOT / path).is_file()}
    whole = {f"examples/{WHOLE}/{path}" for path in ("demo.yaml", MANIFEST, *rendered(WHOLE).owners)}
    others = {f"examples/{name}/demo.yaml" for name in EXAMPLES if name != WHOLE}
    assert there == whole | others | {"examples/README.md"}


def table(trees: Mapping[str, Rendered]) -> str:
    """Return how much is in each tree, and of each file a line for each content that it has somewhere."""
    short = {name: name.partition("-")[0] for name in trees}
    contents: dict[tuple[str, int, str], list[str]] = {}
    lines = ["# Trees of the examples, written by tests/test_example_trees.py: files, kB", ""]
    for name, tree in trees.items():
        size = sum(len(file.content) for file in tree.files)
        lines.append(f"{len(tree.files):4} {size / 1000:4.0f}  {name}")
        for file in tree.files:
            digest = sha256(file.content).hexdigest()[:12]
            contents.setdefault((file.path, len(file.content), digest), []).append(short[name])
    lines += ["", "# Each file: bytes, the digest's beginning, path, the trees where it is so", ""]
    for (path, size, digest), found in sorted(contents.items(), key=lambda one: (one[0][0], one[1])):
        where = "all" if len(found) == len(trees) else ",".join(found)
        lines.append(f"{size:7} {digest} {path} {where}")
    return "\n".join([*lines, ""])


# --- What a change of the image's programs touches


def test_a_change_of_every_program_of_pods_touches_no_tree(tmp_path: Path) -> None:
    """All of the image's programs are changed in a copy of the source, and so is the tag in a user's tree."""
    source = tmp_path / "src" / "rookery"
    shutil.copytree(ROOT / "src" / "rookery", source, ignore=shutil.ignore_patterns("__pycache__"))
    held = {file.content for file in image_files() if file.path.endswith(".py") and file.content}
    programs = [path for path in source.rglob("*.py") if path.read_bytes() in held]
    assert len(programs) >= len(held) > 40
    for path in programs:
        path.write_bytes(path.read_bytes() + b"# changed\n")

    folder = tmp_path / "tree"
    write_tree(folder, rendered(WHOLE))
    done = subprocess.run(
        (sys.executable, "-c", NAME_AND_RUN, "render", EXAMPLES[WHOLE], "-o", folder, "--check", *HOW),
        env={**os.environ, "PYTHONPATH": str(source.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (ExitCode.DONE, ExitCode.VIOLATED), done.stderr
    name, *stale = done.stdout.splitlines()
    assert is_reference(name)
    assert name != image_reference()
    assert stale == []


def test_a_name_that_is_given_stands_for_the_image_and_changes_nothing_else() -> None:
    """What the guide and the variables say of the name is another sentence where it was given."""
    design = workspace(WHOLE).design
    own = {file.path: file for file in render_kubernetes(design)}
    named = {file.path: file for file in render_kubernetes(design, image=image_reference())}
    assert own.keys() == named.keys()
    assert {path for path, file in own.items() if named[path] != file} == {
        "README.md",
        "00-bootstrap/group_vars/all.yaml",
    }
    given = {file.path: file.content.decode() for file in render_kubernetes(design, image=IMAGE)}
    assert [path for path, text in given.items() if image_reference() in text] == []
    assert [path for path, text in given.items() if IMAGE in text] == [
        "README.md",
        *(path for path, file in own.items() if image_reference() in file.content.decode()),
    ]
