"""The page of the slowest tests: written from a run, a table at a time."""

from __future__ import annotations

from tests.kit.slowest import COUNT, PAGE, Paid, Run, render_slowest

RUN = Run(day="2026-11-30", machine="Linux, 2 cores, 8 GiB of memory", workers=2, seconds=1234.5)


def paid(test: str, *seconds: float) -> list[Paid]:
    parts = ("setup", "call", "teardown")
    return [Paid(test=test, part=part, seconds=took) for part, took in zip(parts, seconds, strict=False)]


def test_the_slowest_parts_come_first_with_their_sum() -> None:
    found = [*paid("tests/test_a.py::test_x[a|`b`]", 0.25, 3.04, 0.0), *paid("tests/test_b.py::test_y", 20)]
    page = render_slowest(RUN, found)
    assert (
        page.partition("## ")[2]
        == """\
Without servers

2026-11-30, Linux, 2 cores, 8 GiB of memory. 2 tests in 2 workers, 23 s together,
in a run of 1,234 s; of them 23 s below.

| seconds | part | test |
|---:|---|---|
| 20.0 | setup | `test_b.py::test_y` |
| 3.0 | call | `test_a.py::test_x[a\\|'b']` |
| 0.2 | setup | `test_a.py::test_x[a\\|'b']` |
| 0.0 | teardown | `test_a.py::test_x[a\\|'b']` |
"""
    )


def test_what_was_not_run_stays_as_it_was() -> None:
    both = render_slowest(RUN, [*paid("tests/test_a.py::test_x", 1), *paid("tests/lab/test_b.py::test_y", 2)])
    again = render_slowest(RUN, paid("tests/lab/test_c.py::test_z", 3), before=both)
    assert "test_a.py::test_x" in again
    assert "lab/test_c.py::test_z" in again
    assert "test_b.py" not in again
    assert [line for line in again.splitlines() if line.startswith("## ")] == [
        "## Without servers",
        "## With servers of their own",
    ]
    assert render_slowest(RUN, [], before=again) == again


def test_there_are_forty_and_no_more() -> None:
    many = [one for number in range(99) for one in paid(f"tests/test_a.py::test_{number}", number)]
    assert render_slowest(RUN, many).count("| setup |") == COUNT == 40


def test_the_page_is_one_that_was_written() -> None:
    """What stands in it comes from runs, in the words of this version."""
    text = PAGE.read_text(encoding="utf-8")
    assert render_slowest(RUN, [], before=text) == text
    assert 2 * COUNT >= text.count("\n| ") - text.count("| seconds |") >= COUNT
