"""The kinds of backup there are, a row each, in the order in which their moments are taken; and how those end
that hold something of the system."""

from __future__ import annotations

from collections.abc import Mapping

from . import block, database, files
from .block import Block
from .database import Database
from .files import Files
from .kind import Kind
from .leaving import End
from .objects import Objects
from .system import System

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (Database(), Objects(), Files(), Block(), System())}
ENDS: Mapping[str, End] = {"database": database.end, "files": files.end, "block": block.end}
