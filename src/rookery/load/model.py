"""What a user wishes, what the generator is given for it, and what it says of itself.

A wish is for a number of something; the job has every address and limit that follows from the design. What
the design lacks is off, with the reason; asked for by name, it is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rookery.design.model import Design
from rookery.errors import InputError, RookeryError
from rookery.load.places import Targets, places_of
from rookery.units import GB

VERSION = 1
USER = BUCKET = "load"
CA_FILE = "/etc/rookery/ca.crt"
SECRETS_FILE = "load-secrets.json"
FOLDER = "/srv/load"
_STREAMING, _CATALOGUE = "streaming", "catalogue"
_SMALLEST_SPACE, _LARGEST_SPACE = 10**6, 100 * GB
_MOST_VIEWERS, _MOST_RATE = 5000, 5000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a user asked for; None is the default where the design can do it, and off where it cannot.

    `viewers` at a time, `transactions` and object operations (`churn`) in a second, `space` in bytes that
    the objects may take, `seconds` until it ends by itself (None: it runs until it is stopped). With a
    `history`, each operation is noted, some 80 bytes.
    """

    viewers: int | None = None
    transactions: float | None = None
    churn: float | None = None
    space: int = GB
    seconds: float | None = None
    history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerJob:
    """`site` is the site's URL; the flags say what there is to see. `pages` is off without a site."""

    count: int
    site: str
    pages: bool
    media: bool
    live: bool
    catalogue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseJob:
    """`rate` is transactions in a second at `host`, and as many reads at `read_host`."""

    rate: float
    host: str
    port: int
    read_host: str
    read_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectJob:
    """`rate` is operations in a second; the objects never take more than `budget` bytes."""

    rate: float
    url: str
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run. `run` is an identifier of its own, `began` an ISO time, `record` the name of its file;
    `history` that of the file with each operation, empty where none is kept."""

    system: str
    description: str
    run: str
    began: str
    record: str
    history: str
    seconds: float | None
    viewers: ViewerJob | None
    database: DatabaseJob | None
    objects: ObjectJob | None
    off: tuple[tuple[str, str], ...]


def build_job(design: Design, wishes: Wishes, *, run: str, began: str) -> Job:
    """Return the job; raises InputError for a wish that the design cannot fulfil."""
    _require_sizes(wishes)
    off: list[tuple[str, str]] = []
    places = places_of(design)
    viewers = _viewers(design, places, wishes, off)
    database = _database(design, places, wishes, off)
    objects = _objects(places, wishes, off)
    if viewers is None and database is None and objects is None:
        raise InputError(
            "there is nothing to do: every kind of load is off",
            details=tuple(f"{kind}: {why}" for kind, why in off),
            hint="Ask for viewers, transactions or churn, or add apps to the spec.",
        )
    stem = "".join(c for c in began.partition("+")[0] if c not in "-:") + "Z"
    return Job(
        system=design.name,
        description=design.description,
        run=run,
        began=began,
        record=f"{stem}.json",
        history=f"{stem}.history" if wishes.history else "",
        seconds=wishes.seconds,
        viewers=viewers,
        database=database,
        objects=objects,
        off=tuple(off),
    )


def _require_sizes(wishes: Wishes) -> None:
    for name, value, most in (
        ("viewers", wishes.viewers, _MOST_VIEWERS),
        ("transactions", wishes.transactions, _MOST_RATE),
        ("churn", wishes.churn, _MOST_RATE),
    ):
        if value is not None and not 0 <= value <= most:
            raise InputError(f"--{name} {value:g} is not between 0 and {most:g}")
    if not _SMALLEST_SPACE <= wishes.space <= _LARGEST_SPACE:
        raise InputError("--space is not between 1 MB and 100 GB")
    if wishes.seconds is not None and wishes.seconds < 1:
        raise InputError("--for is less than a second")


def _number(name: str, wish: float | None, default: float, lack: str, off: list[tuple[str, str]]) -> float:
    """Return how much of a kind there is to be, 0 where it is off, and note why."""
    if lack and wish:
        raise InputError(f"--{name}: {lack}", hint="Add it to the spec, or leave the option out.")
    if lack:
        off.append((name, lack))
        return 0
    if wish == 0:
        off.append((name, "not asked for"))
    return default if wish is None else wish


def _viewers(design: Design, places: Targets, wishes: Wishes, off: list[tuple[str, str]]) -> ViewerJob | None:
    apps = {app.name: app for app in design.apps}
    lack = "" if places.site else "the design has no site (apps.cdn)"
    count = int(_number("viewers", wishes.viewers, 200, lack, off))
    if not count:
        return None
    streaming = apps.get(_STREAMING)
    live = streaming is not None and bool(getattr(streaming.settings, "channel", False))
    for name, there, app in (
        ("video and audio", streaming is not None, "apps.streaming"),
        ("live", live, "apps.streaming.channel"),
        ("catalogue and plays", _CATALOGUE in apps, "apps.catalogue"),
    ):
        if not there:
            off.append((name, f"the design has no {app}"))
    return ViewerJob(
        count=count,
        site=places.site,
        pages=True,
        media=streaming is not None,
        live=live,
        catalogue=_CATALOGUE in apps,
    )


def _database(
    design: Design, places: Targets, wishes: Wishes, off: list[tuple[str, str]]
) -> DatabaseJob | None:
    there = any(one.user == USER for one in design.databases)
    writes, reads = (places.writes, places.reads) if there else (None, None)
    lack = "" if writes else "the design has no database (apps.database)"
    rate = _number("transactions", wishes.transactions, 50.0, lack, off)
    if not rate or writes is None or reads is None:
        return None
    return DatabaseJob(
        rate=rate, host=writes.host, port=writes.port, read_host=reads.host, read_port=reads.port
    )


def _objects(places: Targets, wishes: Wishes, off: list[tuple[str, str]]) -> ObjectJob | None:
    lack = "" if places.s3 else "the design has no object storage (storage.object)"
    rate = _number("churn", wishes.churn, 5.0, lack, off)
    if not rate or not places.s3:
        return None
    return ObjectJob(rate=rate, url=places.s3, budget=wishes.space)


def render_job(job: Job, *, cluster: Mapping[str, Any]) -> str:
    """Return the job as the generator reads it. Secrets are in a file of their own.

    `cluster` is how it sees how full the drives are: the `file` in which another program writes what it sees,
    and `eyes`, the command that starts that beside it where nobody else does.
    """
    data = {
        "version": VERSION,
        "system": job.system,
        "description": job.description,
        "began": job.began,
        "record": job.record,
        "history": job.history,
        "folder": FOLDER,
        "secrets": SECRETS_FILE,
        "ca": CA_FILE,
        "seconds": job.seconds,
        "settings": {
            "viewers": job.viewers.count if job.viewers else 0,
            "transactions": job.database.rate if job.database else 0,
            "churn": job.objects.rate if job.objects else 0,
            "space": job.objects.budget if job.objects else 0,
            "seconds": job.seconds,
        },
        "off": dict(job.off),
        "viewers": {"run": job.run, **asdict(job.viewers)} if job.viewers else None,
        "database": _database_data(job.database) if job.database else None,
        "objects": {"bucket": BUCKET, **asdict(job.objects)} if job.objects else None,
        "cluster": dict(cluster),
    }
    return json.dumps(data, indent=1) + "\n"


def _database_data(database: DatabaseJob) -> dict[str, Any]:
    tls = {"sslmode": "verify-full", "sslrootcert": CA_FILE}
    return {"name": USER, "user": USER, "tls": tls, **asdict(database)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFigures:
    """Figures of one kind of load.

    Rates and bytes with `_now` are of the last 5 s, the others of the whole run, each in a second but for
    `count`, `errors` and `bytes`, which are totals. `late` began 0.1 s or more after their time; `stalls` are
    segments that came after the picture needed them. Times are milliseconds, from when an event was due.
    """

    name: str
    count: int
    errors: int
    late: int
    stalls: int
    bytes: int
    rate: float
    rate_now: float
    errors_now: float
    bytes_now: float
    p50: float
    p95: float
    p99: float
    max: float
    error_texts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A run as its generator last described it.

    `state` is `starting`, `running`, `draining`, `removing what it made`, `ended`, or `lost` where the
    generator is gone without having said so; `why` says why it ended. `fullest` is the ratio of the fullest
    OSD, `nearfull` the one at which the run ends. `books` compares acknowledged transactions with those that
    are there, at the end: `held`, `violated`, `not observed`; empty before.
    """

    system: str
    record: str
    state: str
    why: str
    message: str
    began: str
    ended: str
    seconds: float
    settings: tuple[tuple[str, float | None], ...]
    off: tuple[tuple[str, str], ...]
    kinds: tuple[KindFigures, ...]
    viewers: int
    space_used: int
    space_budget: int
    acknowledged: int
    books: str
    fullest: float | None
    nearfull: float | None
    history: str = ""

    @property
    def running(self) -> bool:
        return self.state not in ("ended", "lost")

    @property
    def errors(self) -> int:
        return sum(kind.errors for kind in self.kinds)


def parse_figures(text: str) -> Figures:
    """Return the figures of a status or a record; raises RookeryError for what is none."""
    try:
        data = json.loads(text)
        return _figures(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RookeryError(f"the generator's status cannot be read: {error!r}") from None


def with_end(text: str, *, why: str) -> str:
    """Return a status or record of a generator that is gone without having said so: it was lost."""
    data = json.loads(text)
    return json.dumps({**data, "state": "lost", "ended": data["seen"], "why": why}) + "\n"


def _figures(data: dict[str, Any]) -> Figures:
    space, books = data.get("space") or {}, data.get("books") or {}
    fullness = data.get("fullness") or {}
    return Figures(
        system=data["system"],
        record=data["record"],
        state=data["state"],
        why=data["why"] or "",
        message=data["message"],
        began=data["began"],
        ended=data["ended"] or "",
        seconds=float(data["seconds"]),
        settings=tuple(data["settings"].items()),
        off=tuple(data["off"].items()),
        kinds=tuple(_kind(name, values) for name, values in data["kinds"].items()),
        viewers=int(data.get("viewers", 0)),
        space_used=int(space.get("used", 0)),
        space_budget=int(space.get("budget", 0)),
        acknowledged=int(books.get("acknowledged", 0)),
        books=str(books.get("outcome", "")),
        fullest=fullness.get("fullest"),
        nearfull=fullness.get("nearfull"),
        history=data.get("history") or "",
    )


def _kind(name: str, values: dict[str, Any]) -> KindFigures:
    texts = tuple((str(text), int(count)) for text, count in values["error_texts"])
    return KindFigures(name=name, **{**values, "error_texts": texts})
