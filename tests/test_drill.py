"""The drill: what is not as it was written is found and named, and its report says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.backup.guest.backups.drill_entries import build_entry
from rookery.apps.backup.model import BackupSet
from rookery.cli.backup_tables import age_view
from rookery.cli.drill import _data
from rookery.cli.drill_tables import drill_view
from rookery.errors import ExitCode
from rookery.run.answers import to_json
from rookery.run.backup_age import CheckAge, SetAge, age_of, check_of
from rookery.run.drill.back import Back
from rookery.run.drill.compare import Comparison, compare, unfit
from rookery.run.drill.judge import judge
from rookery.run.drill.ledger import Line, build_ledger
from rookery.run.drill.model import KindOutcome, Step, Verdict
from rookery.run.drill.report import render_report
from rookery.units import format_period
from tests.kit.documents import Page, page
from tests.kit.drills import kind_outcome, outcome
from tests.kit.watching import chromium

UNTIL = 1000.0
NOTHING_LOST = "lost: nothing of what the set has; 840 entries came back as they were written"
numbers = st.integers(1, 40)


def line(number: int, at: float = 900.0) -> Line:
    entry = build_entry("d", "files", number, 100)
    return Line(number=number, at=at, digest=entry.digest, size=100)


LINES = tuple(line(number) for number in range(1, 41))
WHOLE = {one.number: one.digest for one in LINES}


def test_what_came_back_whole_is_the_same() -> None:
    found = compare(LINES, WHOLE, until=UNTIL)
    assert found == Comparison(
        back=40, size=4000, missing=(), changed=(), swapped=(), strange=(), lost=(), last=900.0
    )
    assert found.problems == ()


@given(st.sets(numbers, min_size=1))
def test_any_lost_entry_is_named(gone: set[int]) -> None:
    found = compare(LINES, {n: d for n, d in WHOLE.items() if n not in gone}, until=UNTIL)
    assert set(found.missing) == gone
    assert found.back == 40 - len(gone)
    assert found.problems
    assert str(min(gone)) in found.problems[0]


@given(st.sets(numbers, min_size=1))
def test_any_changed_entry_is_named(changed: set[int]) -> None:
    other = {n: build_entry("another", "files", n, 100).digest for n in changed}
    found = compare(LINES, {**WHOLE, **other}, until=UNTIL)
    assert set(found.changed) == changed
    assert found.missing == found.strange == ()


@given(numbers, numbers)
def test_any_two_swapped_entries_are_named(one: int, other: int) -> None:
    found = compare(LINES, {**WHOLE, one: WHOLE[other], other: WHOLE[one]}, until=UNTIL)
    assert set(found.swapped) == ({(one, other), (other, one)} if one != other else set())
    assert bool(found.problems) == (one != other)


@given(st.integers(41, 10_000))
def test_what_was_never_written_is_named(number: int) -> None:
    found = compare(LINES, {**WHOLE, number: "0" * 64}, until=UNTIL)
    assert found.strange == (number,)
    assert found.problems == (f"entry {number} was never written",)


@given(st.integers(0, 40), st.integers(0, 40))
def test_only_what_was_written_after_the_moment_may_be_gone(kept: int, owed: int) -> None:
    lines = tuple(line(n, at=UNTIL if n <= owed else UNTIL + n) for n in range(1, 41))
    found = compare(lines, {n: d for n, d in WHOLE.items() if n <= kept}, until=UNTIL)
    assert found.missing == tuple(range(kept + 1, owed + 1))
    assert found.lost == tuple(range(max(kept, owed) + 1, 41))
    expected = None if not kept else (UNTIL if kept <= owed else UNTIL + kept)
    assert found.last == expected


def test_entries_differ_by_drill_kind_and_number() -> None:
    made = {build_entry(d, k, n, 64).digest for d in "ab" for k in ("files", "block") for n in range(5)}
    assert len(made) == 20
    assert build_entry("a", "files", 3, 64) == build_entry("a", "files", 3, 64)
    assert build_entry("a", "files", 3, 64).content.startswith(b"drill a, files, entry 3\n")


def test_a_row_without_what_it_names_is_told() -> None:
    ledger = {"objects": LINES, "files": LINES}
    assert unfit((1, 2, 3), {"objects": (1, 2, 3), "files": (1, 3)}, ledger) == (
        "entry 2 has its row and no files",
    )
    assert unfit((1, 2), {"objects": (1, 2, 3)}, ledger) == ()


def test_a_ledger_has_both_kinds_of_writing() -> None:
    bulk = {"files": {"at": "2026-11-30T10:00:00+00:00", "digests": {"2": "b", "1": "a"}}}
    steady = [{"number": 3, "at": "2026-11-30T10:00:01+00:00", "digests": {"files": "c"}}]
    lines = build_ledger(bulk, steady, size=7)["files"]
    assert [(one.number, one.digest, one.size) for one in lines] == [(1, "a", 7), (2, "b", 7), (3, "c", 4096)]
    assert lines[2].at - lines[0].at == 1.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (42, "42 s"),
        (720, "12 min"),
        (21600, "6 h"),
        (19200, "5 h 20 min"),
        (86400, "1 d"),
        (273600, "3 d 4 h"),
    ],
)
def test_periods_are_written_in_two_units(seconds: int, words: str) -> None:
    assert format_period(seconds) == words


def test_a_set_is_overdue_twice_its_schedule_after_it_began() -> None:
    made = made_set()
    young = age_of((made,), now=UNTIL + 7200, every=3600)
    assert (young.label, young.age, young.due, young.is_overdue) == (made.label, 7200.0, -3600.0, False)
    old = age_of((made, made_set(files="no room")), now=UNTIL + 7201, every=3600)
    assert (old.is_overdue, old.trouble) == (True, f"{made.label}: files failed: no room")


def test_what_was_never_whole_is_overdue_once_it_failed() -> None:
    assert not age_of((), now=UNTIL, every=3600).is_overdue
    failed = age_of((made_set(files="no room"),), now=UNTIL, every=3600)
    assert (failed.is_overdue, failed.due) == (True, None)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (None, "not seen"),
        (age_of((), now=0, every=60), "no whole set yet"),
        (SetAge(label="L", age=600.0, every=3600, trouble=""), "last set L, 10 min ago, next due in 50 min"),
        (
            SetAge(label="L", age=7260.0, every=3600, trouble="M: files failed: no room"),
            "last set L, 2 h 1 min ago, due since 1 h 1 min, overdue\nM: files failed: no room",
        ),
    ],
)
def test_the_age_of_sets_is_a_line(age: SetAge | None, words: str) -> None:
    assert str(age_view(age)) == words


def look(**told: Any) -> dict[str, Any]:
    return {
        "at": "1970-01-01T00:16:40+00:00",
        "deep": False,
        "kinds": ["files"],
        "problems": {},
        "error": "",
        **told,
    }


@pytest.mark.parametrize(
    ("told", "now", "expected", "words"),
    [
        (None, UNTIL + 7200, (None, (), False), "not checked yet"),
        (None, UNTIL + 7201, (None, (), True), "not checked yet, overdue"),
        (look(), UNTIL + 600, (600.0, (), False), "checked 10 min ago, all there"),
        (look(), UNTIL + 7260, (7260.0, (), True), "checked 2 h 1 min ago, all there, overdue"),
        (
            look(problems={"files": ["a is missing", "b is missing"]}),
            UNTIL + 60,
            (60.0, ("files: a is missing", "files: b is missing"), False),
            "checked 60 s ago, files: a is missing; 1 more",
        ),
        (
            look(error="there is no such bucket"),
            UNTIL + 60,
            (60.0, ("nobody could look: there is no such bucket",), False),
            "checked 60 s ago, nobody could look: there is no such bucket",
        ),
    ],
)
def test_the_last_look_at_what_is_stored_is_a_line(
    told: dict[str, Any] | None, now: float, expected: tuple[object, ...], words: str
) -> None:
    check = check_of(told, (made_set(),), now=now, every=3600)
    assert (check.age, check.problems, check.is_overdue) == expected
    assert check == CheckAge(age=check.age, every=3600, problems=check.problems, is_overdue=check.is_overdue)
    age = replace(age_of((), now=0, every=60), check=check)
    assert str(age_view(age)) == f"no whole set yet\n{words}"


def made_set(**failed: str) -> BackupSet:
    began = "1970-01-01T00:16:40+00:00"  # UNTIL
    return BackupSet(
        label="19700101t001640z",
        system="s",
        host="h",
        state="failed" if failed else "whole",
        began=began,
        ended=began,
        wanted=("files",),
        parts=(),
        failed=tuple(failed.items()),
    )


LOST = {"says": "removed", "at": UNTIL + 10, "left": ""}


def back(entries: dict[int, str], **more: str) -> Back:
    steps = [Step(what="restored in place", began=1.0, seconds=2.0)]
    return Back(steps=steps, says="brought", found={"entries": entries, "seconds": 1.0}, **more)


def test_a_kind_is_judged_by_what_is_there() -> None:
    good = judge("files", LINES, made_set(), LOST, back(WHOLE))
    assert (good.verdict, good.rpo, good.rto, good.problems) == (Verdict.SAME, 110.0, 2.0, ())
    bad = judge("files", LINES, made_set(files="no room"), LOST, back({}, trouble="no set has files"))
    assert (bad.verdict, bad.rpo, bad.rto) == (Verdict.DIFFERS, None, None)
    assert bad.problems[:2] == ("the set has none: no room", "no set has files")


def test_what_nobody_saw_is_not_observed() -> None:
    unread = Back(found={"unseen": "no gateway answers", "seconds": 0.0})
    assert judge("files", LINES, made_set(), LOST, unread).verdict is Verdict.NOT_OBSERVED
    still = {**LOST, "left": "40 entries were there still after the loss: what came back proves nothing"}
    never = judge("files", LINES, made_set(), still, back(WHOLE))
    assert never.verdict is Verdict.NOT_OBSERVED
    assert never.problems == (still["left"],)


@pytest.mark.parametrize(
    ("kinds", "unfitting", "code", "verdict"),
    [
        (
            (),
            (),
            ExitCode.DONE,
            "lost: nothing of what the set has; 840 entries came back as they were written",
        ),
        (
            (kind_outcome("files", Verdict.DIFFERS), kind_outcome("block", Verdict.NOT_OBSERVED)),
            (),
            ExitCode.VIOLATED,
            "failed: files did not come back as written",
        ),
        (
            (kind_outcome("files"), kind_outcome("block", Verdict.NOT_OBSERVED)),
            (),
            ExitCode.NOT_OBSERVED,
            "not observed: block",
        ),
        ((), ("entry 2 has its row and no files",), ExitCode.VIOLATED, "failed: kinds do not fit together"),
    ],
)
def test_the_worst_kind_decides(
    kinds: tuple[KindOutcome, ...], unfitting: tuple[str, ...], code: ExitCode, verdict: str
) -> None:
    found = outcome(*kinds, unfit=unfitting)
    assert (found.exit_code, found.verdict) == (code, verdict)


def test_the_whole_has_the_worst_recovery_point() -> None:
    assert outcome(kind_outcome("files", rpo=3.0), kind_outcome("block", rpo=9.0)).rpo == 9.0
    assert outcome(kind_outcome("files"), kind_outcome("block", rpo=None)).rpo is None


def test_json_says_what_the_table_says() -> None:
    told = json.loads(to_json(_data(outcome())))
    assert (told["exitCode"], told["rpo"], told["drill"]["rto"]) == (0, 17.4, 58.0)
    assert [one["kind"] for one in told["drill"]["kinds"]] == ["database", "objects", "files", "block"]
    assert told["drill"]["kinds"][0]["steps"][1] == {
        "what": "copied into its place",
        "began": 73.0,
        "seconds": 4.0,
    }


def test_the_table_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    broken = kind_outcome("files", Verdict.DIFFERS, problems=("entry 5 is missing",))
    Console(width=80, markup=False).print(drill_view(outcome(kind_outcome("database"), broken)))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "files: entry 5 is missing" in lines
    assert any(line.startswith("database  same") and "200.0 MB" in line for line in lines)


def test_the_report_is_whole_and_escapes_what_it_is_told() -> None:
    text = render_report(outcome())
    page = Page(text)
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.all("href")} <= set(ids)
    assert page.all("src") == []
    assert "&lt;on purpose&gt;" in text
    assert "Lost: nothing of what the set has; 840 entries came back as they were written." in text
    assert [level for level, _ in page.headings].count(1) == 1


def test_the_report_names_what_went_wrong() -> None:
    broken = kind_outcome("files", Verdict.DIFFERS, problems=("entry 5 is missing",), rpo=None, rto=None)
    text = render_report(outcome(kind_outcome("database"), broken))
    assert "files: entry 5 is missing" in text
    assert "Failed: files did not come back as written." in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_report_fits_a_window(tmp_path: Path, width: int, scheme: Literal["light", "dark"]) -> None:
    (tmp_path / "drill.html").write_text(render_report(outcome()))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(f"file://{tmp_path}/drill.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        bars = page.locator("rect.tl-restore")
        assert bars.count() == 4
        assert page.locator("text.tl-alarm").is_visible()
        page.screenshot(path=tmp_path / f"drill-{scheme}.png", full_page=True)
        assert (tmp_path / f"drill-{scheme}.png").stat().st_size > 10_000


def test_the_design_document_says_where_backups_go() -> None:
    words = " ".join(page("backed-up").words.split())
    assert "block database-worker-a , database-worker-b a snapshot of all volumes at once" in words
    assert (
        "A set every 6 h A base backup of the database every 1 d Kept for 7 d, the last 2 for longer" in words
    )
    assert "Copies outside https://s3.example.org/copies Taken on worker-a, worker-b" in words
    assert "Backups lie in the same Ceph cluster" not in words
    assert "Backups" not in [title for _, title in page("one-node").headings]
