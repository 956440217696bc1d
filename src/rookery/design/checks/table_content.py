"""The rows of checks of what a user brings; `table.py` has all others, and says what a row is."""

from __future__ import annotations

from rookery.design.checks import content
from rookery.design.checks.finding import Check, Severity

_ERROR = (Severity.ERROR,)
_WARNING = (Severity.WARNING,)
_INFO = (Severity.INFO,)

CONTENT_CHECKS: tuple[Check, ...] = (
    Check(
        code="RK901",
        severities=_ERROR,
        title="A film or a piece of music that cannot be published",
        why="What ffmpeg plays is published; all else in the folder (texts, pictures, broken files, links "
        "that lead nowhere) is named here, each with the reason, before anything is made. Hidden files are "
        "left alone. A picture of each film and a bit of each sound are decoded for it where this machine "
        "has ffmpeg.",
        function=content.unfit_films,
    ),
    Check(
        code="RK902",
        severities=_INFO,
        title="A film that is shown otherwise than it came",
        why="What is published is H.264 in the colours of BT.709, which every player shows. HDR (PQ, HLG) is "
        "tone-mapped to it. All renditions of a title are equally long, for players stop where the shorter "
        "track ends: where the sound is longer, the last picture stands; where the picture is, silence "
        "follows. Nothing is cut away.",
        function=content.films_shown_otherwise,
    ),
    Check(
        code="RK903",
        severities=_INFO,
        title="Films that nobody has looked at",
        why="Without ffmpeg on this machine only names and sizes are known. On the lab, `up` looks at every "
        "file by the ffmpeg of its servers before it makes anything else.",
        function=content.films_not_looked_at,
    ),
    Check(
        code="RK911",
        severities=_ERROR,
        title="A file of the site that cannot be published",
        why="A file of the site is an object in a bucket, and its path is the object's key: UTF-8 of 1024 "
        "bytes at most. It must be readable, and there must be at least one.",
        function=content.unfit_pages,
    ),
    Check(
        code="RK912",
        severities=_WARNING,
        title="Files of the site behind an application",
        why="Some paths of the site belong to the applications: films, the live channel, the catalogue. The "
        "edges ask those, so a file of the site with such a path is published and never seen.",
        function=content.pages_behind_routes,
    ),
    Check(
        code="RK913",
        severities=_WARNING,
        title="A part of the site that leads nowhere",
        why="Links to files and to folders are followed, wherever they lead. One that leads nowhere or in a "
        "circle, a socket or a pipe has nothing that could be sent.",
        function=content.pages_that_lead_nowhere,
    ),
    Check(
        code="RK914",
        severities=_WARNING,
        title="A site without a start page",
        why="Who asks for a folder gets its index.html, as from other web servers; there is no listing. "
        "Without one at the top, the site's address alone leads nowhere.",
        function=content.no_start_page,
    ),
    Check(
        code="RK915",
        severities=_INFO,
        title="Files of the site that are left out, or have no effect",
        why="What begins with a dot is not published, for it is mostly not meant to be (.git, .env); "
        ".well-known is (RFC 8615). Files by which other servers are told what to do are files like any "
        "other here.",
        function=content.pages_left_out,
    ),
)
