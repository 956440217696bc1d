"""Writes the SQL that installs the catalogue's schema; the titles are those of a published index.

    python3 render_schema.py --index URL --ca FILE --owner ROLE --user ROLE --viewers N --plays N --out FILE

Exit status 1 says that there is no index yet, or none that can be used: it is worth trying again.
"""

from __future__ import annotations

import argparse
import ssl
import sys
from pathlib import Path
from urllib.request import urlopen

from rookery.apps.catalogue.installation import render_installation
from rookery.errors import InputError

_LIMIT = 30  # seconds without a byte of the index


def main() -> int:
    """Write the script; return the exit status."""
    arguments = _arguments()
    try:
        index = _fetch(arguments.index, arguments.ca)
        script = render_installation(
            index,
            owner=arguments.owner,
            user=arguments.user,
            viewers=arguments.viewers,
            plays=arguments.plays,
        )
    except (OSError, InputError, UnicodeDecodeError) as error:
        print(f"render_schema: {arguments.index}: {error}", file=sys.stderr)
        return 1
    Path(arguments.out).write_text(script, encoding="utf-8")
    print(f"render_schema: {len(script.encode())} bytes to {arguments.out}", file=sys.stderr)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the SQL that installs the catalogue's schema.")
    for name in ("index", "ca", "owner", "user", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("viewers", "plays"):
        parser.add_argument(f"--{name}", required=True, type=int)
    return parser.parse_args()


def _fetch(url: str, ca: str) -> str:
    if not url.startswith("https://"):
        raise OSError("is no address that begins with https://")
    with urlopen(url, timeout=_LIMIT, context=ssl.create_default_context(cafile=ca)) as answer:  # noqa: S310 - only https
        body: bytes = answer.read()
    return body.decode()


if __name__ == "__main__":
    sys.exit(main())
