"""What a system had itself before it was destroyed: what of it must be back, and how a drill says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.cli.drill_tables import drill_view
from rookery.errors import ExitCode
from rookery.run.drill.model import OwnData, Step
from rookery.run.drill.own import Census, judge_own, stood_still
from rookery.run.drill.report import render_report
from tests.kit.documents import Page
from tests.kit.drills import kind_outcome, outcome

names = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("123"))


@given(names, names, names)
def test_what_stood_still_must_be_back_and_nothing_else(
    before: dict[str, str], after: dict[str, str], now: dict[str, str]
) -> None:
    (one,) = judge_own(
        stood_still({"files": {"things": before}}, {"files": {"things": after}}), {"files": {"things": now}}
    )
    still = {name for name in before if after.get(name) == before[name]}
    assert one.things == len(still)
    assert bool(one.problems) == any(now.get(name) != before[name] for name in still)


def test_each_loss_of_the_systems_own_is_named() -> None:
    still: Census = {
        "files": {"things": {f"/{number}": "1" for number in range(9)}},
        "objects": {"unseen": "no gateway"},
    }
    there: Census = {"files": {"things": {"/0": "2"}}, "objects": {"things": {}}}
    assert judge_own(still, there) == (
        OwnData(
            kind="files",
            things=9,
            problems=("8 files are missing: /1, /2, /3, /4, /5, ...", "1 files have another content: /0"),
        ),
        OwnData(kind="objects", things=0, problems=(), unseen="no gateway"),
    )


def full_outcome(**own: Any) -> Any:
    before = (Step(what="built again, and verified", began=60.0, seconds=80.0),)
    kinds = tuple(kind_outcome(kind, before=before) for kind in ("database", "objects"))
    told = OwnData(kind="files", things=120, problems=())
    return outcome(
        *kinds, elsewhere="https://s3.example.org/copies/demo", own=(replace(told, **own),), left_out=()
    )


def test_what_the_system_had_itself_decides_too() -> None:
    good = full_outcome()
    assert good.exit_code == ExitCode.DONE
    assert "420 entries and 120 things of the system's own came back as they were written" in good.verdict
    bad = full_outcome(problems=("2 files are missing: /a, /b",))
    assert (bad.exit_code, bad.verdict) == (
        ExitCode.VIOLATED,
        "failed: of files not all that the system had is back",
    )
    unseen = full_outcome(unseen="no monitor answers")
    assert (unseen.exit_code, unseen.verdict) == (
        ExitCode.NOT_OBSERVED,
        "not observed: files of the system's own",
    )


def test_its_page_and_table_say_what_was_destroyed(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    text = render_report(full_outcome(problems=("2 files are missing: /a, /b",)))
    page = Page(text)
    assert {link.removeprefix("#") for link in page.all("href")} <= set(page.all("id"))
    assert "the whole lab was destroyed" in text
    assert "https://s3.example.org/copies/demo" in text
    assert "2 files are missing: /a, /b" in text
    assert text.count("built again, and verified") == 2  # a step of both kinds
    assert full_outcome().kinds[0].longest.what == "built again, and verified"
    Console(width=80, markup=False).print(drill_view(full_outcome()))
    shown = capsys.readouterr().out
    assert "of the system's own 120 files back as they were" in shown
    assert max(map(len, shown.splitlines())) <= 80
