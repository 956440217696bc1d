"""The kinds of backup there are, a row each, in the order in which their moments are taken."""

from __future__ import annotations

from collections.abc import Mapping

from .block import Block
from .database import Database
from .files import Files
from .kind import Kind
from .objects import Objects
from .system import System

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (Database(), Objects(), Files(), Block(), System())}
