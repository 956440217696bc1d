"""What the generator notes of each operation, and who looks at the cluster for it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from rookery.load.guest.generator.cluster import Cluster
from rookery.load.guest.generator.history import History
from rookery.load.guest.generator.meters import Meter

EYES = """
import json, pathlib, sys, time
file = pathlib.Path(sys.argv[1])
life = int(file.with_name("lives").read_text()) + 1 if file.with_name("lives").exists() else 1
file.with_name("lives").write_text(str(life))
seen = {"at": time.time(), "dump": {"nearfull_ratio": life / 10}, "health": {}, "usage": None}
file.with_name("new").write_text(json.dumps(seen))
file.with_name("new").rename(file)
sys.exit(1) if life == 1 else time.sleep(60)
"""


def test_who_looks_for_the_generator_is_started_again_where_it_ended(tmp_path: Path) -> None:
    """A librados whose cluster breaks may take its program with it; the generator outlives it."""
    file = tmp_path / "cluster.json"

    async def go() -> list[float]:
        cluster = Cluster({"file": str(file), "eyes": [sys.executable, "-c", EYES, str(file)]})
        found: list[float] = []
        deadline = time.monotonic() + 20
        while len(found) < 2 and time.monotonic() < deadline:
            seen = await cluster.look()
            if seen is not None and seen.nearfull not in found:
                found.append(seen.nearfull)
            await asyncio.sleep(0.1)
        await cluster.close()
        return found

    assert asyncio.run(go()) == [0.1, 0.2]


def test_each_operation_is_in_the_history_with_its_end(tmp_path: Path) -> None:
    history = History(tmp_path / "run.history")
    meter = Meter(partial(history.add, "puts"))
    before = time.time()
    meter.done(due=time.monotonic() - 0.5)
    meter.failed("HTTP 503")
    history.flush()
    meter.done(due=time.monotonic())
    history.flush()
    lines = [json.loads(line) for line in (tmp_path / "run.history").read_text().splitlines()]
    assert [(kind, error) for kind, _, _, error in lines] == [
        ("puts", ""),
        ("puts", "HTTP 503"),
        ("puts", ""),
    ]
    assert [took is None for _, _, took, _ in lines] == [False, True, False]
    assert lines[0][2] == pytest.approx(0.5, abs=0.2)
    assert all(before - 0.01 <= ended <= time.time() for _, ended, _, _ in lines)


def test_without_a_file_there_is_no_history(tmp_path: Path) -> None:
    history = History(None)
    history.add("puts", 0.1, "")
    history.flush()
    assert list(tmp_path.iterdir()) == []
