# ruff: noqa: S608 - all that is put into this SQL is a number, or quoted by quoting.py
"""What the catalogue's database holds to begin with: the site's titles, and invented viewers and plays.

The titles are the site's own, brought up to date on every run. Viewers and plays are invented once, while
there are none, from hashes of their numbers: the same seed gives the same people with the same habits, only
the times count back from now. What PostgreSQL can make by itself is not sent to it: 300,000 plays are three
statements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rookery.apps.catalogue.quoting import quote_name, quote_text
from rookery.apps.catalogue.schema import PREAMBLE, SCHEMA
from rookery.errors import InputError

KINDS = ("video", "audio")
_LARGEST = 2**31 - 1
_ID_LENGTH = 100  # characters
_ID_MARKS = "._-"

_SYLLABLES = (
    "ba bel da dor el fa fen ga hal i jo ka lin lo ma mir na nor o pel ra rin sa sol ta tor u va wen zo"
)
_FAMILY_SYLLABLES = (
    "ber brook dal dell field ford gard holm lund mark mond mor rood stead stein thal wald wick"
)

# How much of a day's plays falls into each hour (UTC): little at four in the morning, most at eight at night.
_HOURS = (30, 18, 11, 7, 6, 8, 14, 24, 32, 36, 38, 42, 50, 48, 44, 44, 48, 58, 74, 92, 100, 94, 74, 50)


class TitleLike(Protocol):
    """What is needed of a title: where the site's own titles have it, they can be passed as they are."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def seconds(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One title: `id` as in its address, `kind` one of KINDS, `seconds` how long it plays."""

    id: str
    name: str
    kind: str
    seconds: int


def render_seed(titles: Iterable[TitleLike], *, viewers: int, plays: int, owner: str) -> str:
    """Return the SQL that lists `titles`, and invents `viewers` and `plays` where there are none yet.

    Run it as the schema's SQL is run, after it. Titles that are not among `titles` keep their plays and are
    listed no more. Without titles there is nothing to play: then no plays are invented. Raise InputError
    for a title that the database or an address cannot hold, and for one that is there twice.
    """
    ordered = tuple(sorted(titles, key=lambda title: title.id))
    for before, title in zip((None, *ordered), ordered, strict=False):
        _require_storable(title)
        if before is not None and before.id == title.id:
            raise InputError(f"title {title.id!r} is in the catalogue twice")
    for what, count in (("viewers", viewers), ("plays", plays)):
        if not 0 <= count <= _LARGEST:
            raise InputError(f"apps.catalogue.{what}: {count} is not within 0 to {_LARGEST}")
    opening = f"""\
SET jit = off;
SET ROLE {quote_name(owner)};
-- Two of these at once would both find the tables empty.
SELECT pg_advisory_xact_lock(hashtext('{SCHEMA} seed')) \\g /dev/null
"""
    listed = _render_titles(ordered)
    return "\n".join((PREAMBLE, opening, listed, _render_viewers(viewers), _render_plays(plays), _CLOSING))


def _require_storable(title: TitleLike) -> None:
    plain = title.id.isascii() and title.id.replace("-", "").replace(".", "").replace("_", "").isalnum()
    if not plain or not title.id[0].isalnum() or len(title.id) > _ID_LENGTH:
        raise InputError(
            f"title {title.id!r}: its id is part of an address, and cannot be that",
            hint=f"Use 1 to {_ID_LENGTH} of a-z, A-Z, 0-9 and {_ID_MARKS}, with a letter or digit first.",
        )
    if title.kind not in KINDS:
        raise InputError(f"title {title.id!r}: its kind is {title.kind!r}, not one of {', '.join(KINDS)}")
    if not 0 <= title.seconds <= _LARGEST:
        raise InputError(f"title {title.id!r}: {title.seconds} is no length in seconds")
    if not title.name:
        raise InputError(f"title {title.id!r}: it has no name")


def _render_titles(titles: tuple[TitleLike, ...]) -> str:
    if not titles:
        return f"UPDATE {SCHEMA}.titles SET listed = false WHERE listed;\n"
    rows = ",\n".join(
        f"    ({quote_text(title.id)}, {quote_text(title.name)}, {quote_text(title.kind)}, {title.seconds:d})"
        for title in titles
    )
    ids = ", ".join(quote_text(title.id) for title in titles)
    return f"""\
INSERT INTO {SCHEMA}.titles AS t (id, name, kind, seconds) VALUES
{rows}
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, kind = excluded.kind, seconds = excluded.seconds, listed = true
WHERE (t.name, t.kind, t.seconds, t.listed)
    IS DISTINCT FROM (excluded.name, excluded.kind, excluded.seconds, true);
UPDATE {SCHEMA}.titles SET listed = false WHERE listed AND id NOT IN ({ids});
"""


def _chance(row: str, purpose: int) -> str:
    """Return SQL for a number in [0, 1) that depends on `row` and on what it is for, and on nothing else.

    PostgreSQL keeps these hashes as they are: tables are partitioned by them.
    """
    return f"((hashint8extended({row}, {purpose}) & 4294967295) / 4294967296.0::float8)"


def _pick(array: str, row: str, purpose: int) -> str:
    return f"{array}[1 + floor({_chance(row, purpose)} * cardinality({array}))::int]"


def _render_viewers(count: int) -> str:
    first = "".join(f" || {_pick('s.first', 'n', purpose)}" for purpose in (2, 3))
    last = f"{_pick('s.first', 'n', 4)} || {_pick('s.last', 'n', 5)}"
    return f"""\
INSERT INTO {SCHEMA}.viewers (id, name, joined)
SELECT n, initcap({_pick("s.first", "n", 1)}{first}) || ' ' || initcap({last}),
    now() - interval '90 days' - {_chance("n", 6)} * interval '900 days'
FROM generate_series(1, {count:d}) AS n, (SELECT
    string_to_array('{_SYLLABLES}', ' ') AS first,
    string_to_array('{_FAMILY_SYLLABLES}', ' ') AS last
) AS s
WHERE NOT EXISTS (SELECT FROM {SCHEMA}.viewers);
"""


def _render_plays(count: int) -> str:
    return f"""\
DO $seed$
BEGIN
    IF EXISTS (SELECT FROM {SCHEMA}.plays) OR NOT EXISTS (SELECT FROM {SCHEMA}.titles WHERE listed) THEN
        RETURN;
    END IF;
    LOCK TABLE {SCHEMA}.plays IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM {SCHEMA}.plays) THEN
        RETURN;
    END IF;
    -- One join verifies all references when they are added again, one sort makes the index: both take a
    -- fraction of what they take row by row.
    ALTER TABLE {SCHEMA}.plays DROP CONSTRAINT plays_title_known, DROP CONSTRAINT plays_viewer_known,
        DROP CONSTRAINT plays_pk;
{_invent_plays(count)}
    ALTER TABLE {SCHEMA}.plays ADD CONSTRAINT plays_pk PRIMARY KEY (id),
        ADD CONSTRAINT plays_title_known FOREIGN KEY (title) REFERENCES {SCHEMA}.titles,
        ADD CONSTRAINT plays_viewer_known FOREIGN KEY (viewer) REFERENCES {SCHEMA}.viewers;
END
$seed$;
"""


def _invent_plays(count: int) -> str:
    """Return the statement that invents plays.

    A few titles and viewers have most of the plays; every twelfth viewer is not known. Ids are UUIDs of
    version 8, whose content is ours: the number of the play. What would lie ahead of now was yesterday.
    """
    hours = ", ".join(f"{sum(_HOURS[:hour]) / sum(_HOURS):.6f}" for hour in range(1, 24))
    return f"""\
    INSERT INTO {SCHEMA}.plays (id, title, viewer, seconds, at)
    SELECT ('00000000-0000-8000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        ids[which],
        CASE WHEN n % 12 <> 0 THEN lowest + floor(known * power({_chance("n", 11)}, 1.6))::int END,
        least(86400, floor(lengths[which] * sqrt({_chance("n", 12)})))::int,
        CASE WHEN hour <= this_hour OR day > 0 THEN today - day * interval '1 day'
            ELSE today - interval '1 day' END + hour * interval '1 hour'
    FROM (SELECT n, ids, lengths, known, lowest, today, extract(epoch FROM now() - today) / 3600 AS this_hour,
            1 + floor(power({_chance("n", 13)}, 2.2) * cardinality(ids))::int AS which,
            floor(90 * {_chance("n", 14)}) AS day,
            width_bucket({_chance("n", 15)}, ARRAY[{hours}]::float8[]) + {_chance("n", 16)} AS hour
        FROM generate_series(1, {count:d}) AS n,
            (SELECT array_agg(id ORDER BY md5(id)) AS ids, array_agg(seconds ORDER BY md5(id)) AS lengths,
                date_trunc('day', now(), 'UTC') AS today FROM {SCHEMA}.titles WHERE listed) AS t,
            (SELECT nullif(count(*), 0) AS known, min(id) AS lowest FROM {SCHEMA}.viewers) AS v
        OFFSET 0 -- computes each of these once, however often it is used
        ) AS play;"""


_CLOSING = f"""\
ANALYZE {SCHEMA}.titles, {SCHEMA}.viewers, {SCHEMA}.plays, {SCHEMA}.play_counts, {SCHEMA}.viewer_counts;
RESET ROLE;
"""
