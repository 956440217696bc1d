"""Sessions with Ceph through an agent: what happens to a request when the agent dies, against programs that
do."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.drivers.ceph.session import CephError, CephSession

# Counts its lives in a file. In each it answers as many requests as its life has; a crash is what glibc makes
# of a double free: a message, SIGABRT, and perhaps half a line before.
_AGENT = """
import json, os, sys
lives, half = sys.argv[1], sys.argv[3]
with open(lives, "a") as file:
    file.write("x")
number = os.path.getsize(lives)
answers = [int(n) for n in sys.argv[2].split(",")]
left = answers[number - 1] if number <= len(answers) else 99
for line in sys.stdin:
    if left == 0:
        sys.stdout.write(half)
        sys.stdout.flush()
        sys.stderr.write("double free or corruption (out)\\n")
        sys.stderr.flush()
        os.abort()
    left -= 1
    request = json.loads(line)
    answer = {"id": request["id"], "code": 0, "out": json.dumps({"life": number}), "life": number}
    print(json.dumps(answer), flush=True)
"""

Opens = Callable[..., CephSession]


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    sessions = []

    def open_session(answers: str, half: str = "") -> CephSession:
        session = CephSession((sys.executable, "-c", _AGENT, str(tmp_path / "lives"), answers, half))
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.close()


def test_an_agent_that_lives_answers_everything(opens: Opens) -> None:
    session = opens("99")
    assert [session.mon("status"), session.mgr("pg dump")] == [{"life": 1}, {"life": 1}]


@pytest.mark.parametrize("half", ["", '{"id": 0, "co'])
def test_what_a_dying_agent_did_not_answer_is_asked_of_a_new_one(opens: Opens, half: str) -> None:
    session = opens("1,99", half)
    assert [session.mon("status") for _ in range(3)] == [{"life": 1}, {"life": 2}, {"life": 2}]


def test_it_is_asked_again_once(opens: Opens) -> None:
    session = opens("0,0,99")
    with pytest.raises(CephError) as caught:
        session.mon("status")
    assert str(caught.value) == (
        "Ceph refused `status`: the agent ended. double free or corruption (out) (EPIPE)"
    )
    assert session.mon("status") == {"life": 3}


def test_what_may_be_done_once_only_is_not_asked_again(opens: Opens) -> None:
    session = opens("0,99")
    with pytest.raises(CephError, match=r"^Ceph refused rbd-round-trip: the agent ended\."):
        session.operation("rbd-round-trip", image="x")
    assert session.operation("rbd-ensure")["life"] == 2


def test_requests_of_many_threads_share_the_new_agent(opens: Opens) -> None:
    session = opens("0,99")
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(session.mon("status"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert seen == [{"life": 2}] * 8
