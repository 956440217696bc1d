"""Spans of time as cron says them: never longer than was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.ground.schedules import cron


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (60, "*/1 * * * *"),
        (30 * 60, "*/30 * * * *"),
        (45 * 60, "*/30 * * * *"),
        (3600, "10 */1 * * *"),
        (6 * 3600, "10 */6 * * *"),
        (7 * 3600, "10 */6 * * *"),
        (90 * 60, "10 */1 * * *"),
        (86400, "10 2 * * *"),
        (36 * 3600, "10 2 * * *"),
        (7 * 86400, "10 2 */7 * *"),
        (90 * 86400, "10 2 */31 * *"),
    ],
)
def test_a_span_is_what_cron_can_say_of_it(seconds: int, line: str) -> None:
    assert cron(seconds, minute=10, hour=2) == line


@given(st.integers(60, 86399))
def test_between_two_times_of_a_day_is_never_more_than_was_asked_for(seconds: int) -> None:
    minutes, hours = cron(seconds).split()[:2]
    if hours == "*":
        span, whole = int(minutes.removeprefix("*/")) * 60, 3600
    else:
        span, whole = int(hours.removeprefix("*/")) * 3600, 86400
    assert span <= seconds
    assert whole % span == 0
