"""Free texts where people see them: pages, drawings and the terminal show them, and nothing else of them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import rookery.cli
from rookery.apps.cdn.site.content import render_site
from rookery.apps.table import PLACERS
from rookery.design.build import build_design
from rookery.projections.drawing.render import render_drawing
from tests.kit.hostile_texts import DESCRIPTION, SHOWN, hostile, read

# Pages and drawings


class Page(HTMLParser):
    """Notes elements and texts as a browser's tokeniser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_pages_show_a_description_and_nothing_else_of_it() -> None:
    plain, nasty = (
        {file.path: file for file in render_site(build_design(read(spec), placers=PLACERS))}
        for spec in (
            "apiVersion: rookery/v1\npattern: production-minimum\ndescription: x\n",
            f'apiVersion: rookery/v1\npattern: production-minimum\ndescription: "{DESCRIPTION}"\n',
        )
    )
    for path, file in nasty.items():
        if path.endswith(".html"):
            page = Page(file.content.decode())
            assert page.tags == Page(plain[path].content.decode()).tags
            assert page.texts.count(SHOWN) == (path == "index.html")
    assert SHOWN in str(json.loads(nasty["design.json"].content)).replace("\\'", "'")


def test_a_drawing_is_xml_and_so_is_what_draw_io_finds_in_it() -> None:
    root = ET.fromstring(render_drawing(hostile()))
    words = " ".join("".join(root.itertext()).split())
    assert "A [31mred <b> & ]]> -->" in words
    inner = ET.fromstring(root.attrib["content"])
    values = " ".join(cell.attrib.get("value", "") for cell in inner.iter("mxCell"))
    assert "A [31mred <b> & ]]> -->" in values
    # Without html=1 draw.io takes a value for text; with it, lines below each other are all there is.
    marked = [
        cell.attrib["value"] for cell in inner.iter("mxCell") if "html=1" in cell.attrib.get("style", "")
    ]
    assert {tag for value in marked for tag in Page(value).tags} == {"b", "br"}
    assert "[31mred" not in " ".join(marked)


# The terminal


def test_words_in_brackets_are_words_on_the_terminal() -> None:
    """Rich takes `[/x]` for markup and `:x:` for a picture unless it is told not to."""
    folder = Path(rookery.cli.__file__).parent
    made = [
        call
        for path in sorted(folder.glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Console"
    ]
    assert made
    for call in made:
        said = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert (said.get("markup"), said.get("emoji")) == ("False", "False"), ast.unparse(call)


def test_an_error_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('apiVersion: rookery/v1\n"a\\e[2Jb": 1\n')
    done = subprocess.run(
        [sys.executable, "-m", "rookery", "plan", tmp_path / "x.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "x.yaml:2: a [2Jb: unknown key" in done.stderr
    assert done.stderr.replace("\n", "").isprintable()
