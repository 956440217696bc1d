"""What several tests use is in `tests/kit`: a module of tests is nobody's library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imported(text: str) -> Iterator[str]:
    """Yield the full name of every module that a module may take something from."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports say not where they lead"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def of_tests(module: str) -> bool:
    """Whether a module is one that pytest collects or loads by itself."""
    parts = module.split(".")
    return parts[0] == "tests" and (parts[-1].startswith("test_") or parts[-1] == "conftest")


def test_nothing_is_imported_from_a_module_of_tests() -> None:
    found = [
        f"{file}: {name}" for file in FILES for name in imported((ROOT / file).read_text()) if of_tests(name)
    ]
    assert found == [], "put what several need into tests/kit"


def test_the_rule_sees_each_way_of_importing() -> None:
    text = (
        "import tests.test_a\n"
        "from tests import test_b\n"
        "from tests.lab.conftest import rookery\n"
        "def inside() -> None:\n    from tests.lab.test_c import helper\n"
        "from tests.kit.designs import design\n"
        "from collections import test_d\n"
    )
    seen = {name for name in imported(text) if of_tests(name)}
    assert seen == {"tests.test_a", "tests.test_b", "tests.lab.conftest", "tests.lab.test_c"}


def test_a_module_has_one_subject() -> None:
    """Beyond some 400 lines there are two, and each is looked for where it is not."""
    lengths = {str(file): len((ROOT / file).read_text().splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
