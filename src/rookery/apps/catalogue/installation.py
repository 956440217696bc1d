"""What makes the catalogue's database what it should be, as one script for psql.

It needs nothing but Python and the modules beside it: the lab renders the script where it runs, and a Job on
Kubernetes renders it in our image, where they lie as well. So the SQL stands once.
"""

from __future__ import annotations

from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import render_seed
from rookery.apps.streaming.media import parse_index


def render_installation(index: str, *, owner: str, user: str, viewers: int, plays: int) -> str:
    """Return the tables and their first rows; the titles are those of `index`, what streaming published."""
    schema = render_schema(owner=owner, user=user)
    seed = render_seed(parse_index(index), viewers=viewers, plays=plays, owner=owner)
    return f"{schema}\n{seed}"
