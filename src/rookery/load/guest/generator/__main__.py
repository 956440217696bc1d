"""Starts the generator: `python3 -m generator JOB.json`."""

from __future__ import annotations

from .program import main

if __name__ == "__main__":
    main()
