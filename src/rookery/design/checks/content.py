"""Checks of what a user brings: films and music, and a site of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.content import Content

_SHOWN = 5  # names in one finding
# Files by which other web servers and publishers are configured.
_OTHERS_CONFIGURATION = {
    "_headers",
    "_redirects",
    "_routes.json",
    "web.config",
    "netlify.toml",
    "vercel.json",
}


def unfit_films(subject: Subject) -> Iterable[Remark]:
    """Each file among the films that cannot be published, with the reason."""
    for brought in _films(subject):
        for problem in brought.problems:
            yield error(brought.path, f"{problem}.", "Mend it, or move it out of the folder.")


def films_shown_otherwise(subject: Subject) -> Iterable[Remark]:
    """What a film will be that it was not: HDR in the light of BT.709, the shorter stream made longer."""
    for brought in _films(subject):
        for remark in brought.remarks:
            yield info(brought.path, f"{remark}.")


def films_not_looked_at(subject: Subject) -> Iterable[Remark]:
    """Films that nobody could look into, for want of ffmpeg on this machine."""
    when = "`up` looks at them before it makes anything else"
    if subject.design.platform != "native":
        when = "the Job that packs them is the first to look"
    for brought in _films(subject):
        if brought.unlooked:
            count = len(brought.names)
            yield info(
                brought.path,
                f"Whether ffmpeg can play {'the file' if count == 1 else f'the {count} files'} in "
                f"{brought.folder} is not known here: {when}.",
                "Install ffmpeg on this machine to know it now.",
            )


def unfit_pages(subject: Subject) -> Iterable[Remark]:
    """Each file of the site that cannot be published, with the reason."""
    for brought in _sites(subject):
        for problem in brought.problems:
            yield error(brought.path, f"{problem}.", "Mend it, or move it out of the folder.")


def pages_behind_routes(subject: Subject) -> Iterable[Remark]:
    """Files of the site whose paths belong to the applications, or to the edges themselves."""
    for brought in _sites(subject):
        for route in subject.design.routes:
            folder = route.path.strip("/")
            behind = [name for name in brought.names if name == folder or name.startswith(f"{folder}/")]
            if behind:
                yield warning(
                    brought.path,
                    f"{_few(behind)} cannot be reached: {route.path} is where "
                    f"{_serves(subject, route.path)} answers.",
                    "Give the folder another name, or leave that application out.",
                )


def pages_that_lead_nowhere(subject: Subject) -> Iterable[Remark]:
    """Links that lead nowhere or in a circle, and what is no file: nobody could serve them."""
    for brought in _sites(subject):
        for one in brought.dead:
            yield warning(brought.path, f"{one}. It is left out.", "Mend the link, or remove it.")


def no_start_page(subject: Subject) -> Iterable[Remark]:
    """A site whose address alone leads to no page."""
    for brought in _sites(subject):
        if brought.names and "index.html" not in brought.names:
            near = next((name for name in brought.names if name.lower() in ("index.html", "index.htm")), "")
            yield warning(
                brought.path,
                f"There is no index.html in {brought.folder}: the site's address alone answers 404.",
                f"Rename {near} to index.html." if near else "",
            )


def pages_left_out(subject: Subject) -> Iterable[Remark]:
    """Hidden files, which are not published, and those that only other servers read."""
    for brought in _sites(subject):
        if brought.hidden:
            yield info(
                brought.path,
                f"Hidden, and not published: {_few(brought.hidden)}. Of what begins with a dot, .well-known "
                "alone is.",
            )
        others = [name for name in brought.names if name.rpartition("/")[2] in _OTHERS_CONFIGURATION]
        if others:
            yield info(
                brought.path,
                f"Published like any file, and obeyed by no edge: {_few(others)}.",
                "apps.cdn.headers sets headers; there are no redirects.",
            )


def _films(subject: Subject) -> Sequence[Content]:
    return [brought for brought in subject.content if brought.app == "streaming"]


def _sites(subject: Subject) -> Sequence[Content]:
    return [brought for brought in subject.content if brought.app == "cdn"]


def _serves(subject: Subject, path: str) -> str:
    """Return the application whose route a path is."""
    return next(app.name for app in subject.design.apps if any(one.path == path for one in app.routes))


def _few(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    first = ", ".join(names[:_SHOWN])
    return first if len(names) <= _SHOWN else f"{first} and {len(names) - _SHOWN} more"
