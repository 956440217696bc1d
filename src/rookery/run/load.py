"""Load: begun, looked at and ended, and never so that it fills a drive."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
import uuid
from pathlib import Path

from rookery.drivers.ceph.session import CephError
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.load.fullness import parse_use, why_not
from rookery.load.model import Figures, Job, Wishes, build_job
from rookery.run.lock import hold
from rookery.systems.protocol import Report, System


def start_load(system: System, wishes: Wishes, report: Report) -> Figures:
    """Start a load; returns once its generator counts.

    Raises InputError for wishes that the design cannot fulfil, NotPossibleError where a load runs already or
    the drives are, or would get, nearly full, RookeryError where the system does not answer.
    """
    name = system.design.name
    now = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).isoformat(timespec="seconds")
    run = str(uuid.UUID(bytes=os.urandom(16), version=4))
    job = build_job(system.design, wishes, run=run, began=now)
    with hold(name):
        seen = system.load.figures()
        if seen is not None and seen.running:
            raise NotPossibleError(
                f"a load runs on {name} since {seen.began}",
                hint="`rookery load status` shows it, `rookery load stop` ends it.",
            )
        _require_room(system, job)
        return system.load.start(job, report)


def load_figures(system: System) -> Figures:
    """Return the figures of the load that runs, or ran last; raises InputError where there was none."""
    seen = system.load.figures()
    if seen is None:
        raise InputError(
            f"no load was started on {system.design.name}", hint="`rookery load start` starts one."
        )
    return seen


def stop_load(system: System, report: Report, *, keep: bool, record: Path | None) -> Figures:
    """End the load, and copy its record to `record`. One that ended by itself is tidied away all the same."""
    with hold(system.design.name):
        load_figures(system)
        seen = system.load.stop(keep=keep, report=report)
        assert seen is not None, "what was there before is there after"
    if record is not None:
        _copy(record_file(system, seen), record)
    return seen


def record_file(system: System, seen: Figures) -> Path:
    """Return where the record of a run is."""
    return system.load.records / seen.record


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise RookeryError(
            f"the record cannot be copied to {target}: {error.strerror}", hint=f"It is at {source}."
        ) from None


def _require_room(system: System, job: Job) -> None:
    """Refuse a load on drives that are nearly full, or whose objects would make them so."""
    try:
        ceph = system.ceph()
        osds = parse_use(ceph.mgr("osd df"))
        nearfull = float(ceph.mon("osd dump")["nearfull_ratio"])
    except CephError as error:
        raise RookeryError(
            f"how full the drives of {system.design.name} are cannot be seen: {error.status or error.what}",
            hint="`rookery status` shows what runs, `rookery up` starts what is missing.",
        ) from None
    store = system.design.object_store
    pools = {pool.name: pool for pool in system.design.pools}
    pool = pools[store.data_pool] if store is not None and job.objects is not None else None
    reason = why_not(osds, nearfull=nearfull, pool=pool, budget=job.objects.budget if job.objects else 0)
    if reason:
        raise NotPossibleError(
            f"a load would fill the drives of {system.design.name}: {reason}",
            hint="Ask for less with --space, or remove data first.",
        )
