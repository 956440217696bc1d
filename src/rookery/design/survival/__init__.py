"""What the design survives, computed before anything runs: of a given loss, and of the worst of its kind."""

from rookery.design.survival.loss import Loss
from rookery.design.survival.promise import promise
from rookery.design.survival.verdict import DataKind, Kept, Mending, PoolLeft, Service, Survives
from rookery.design.survival.worst import survival

__all__ = [
    "DataKind",
    "Kept",
    "Loss",
    "Mending",
    "PoolLeft",
    "Service",
    "Survives",
    "promise",
    "survival",
]
