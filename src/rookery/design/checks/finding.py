"""What a check is, and what it says of a design."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from rookery.design.content import Content
from rookery.design.machine import Machine
from rookery.design.model import Design


class Severity(StrEnum):
    """How bad: an error would not work, a warning works less well than it looks, an info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found. `code` is stable, `path` the dotted path of the spec that decides it.

    `message` says what is so and why it matters, `hint` what to do about it.
    """

    code: str
    severity: Severity
    path: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.code} {self.severity}: {self.path}: {self.message} {self.hint}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: the design, what was seen of the folders that it publishes and, where a lab is to run
    on it, the machine."""

    design: Design
    machine: Machine | None = None
    content: tuple[Content, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A finding without its code, which the table's row gives it."""

    severity: Severity
    path: str
    message: str
    hint: str = ""


def error(path: str, message: str, hint: str = "") -> Remark:
    return Remark(severity=Severity.ERROR, path=path, message=message, hint=hint)


def warning(path: str, message: str, hint: str = "") -> Remark:
    return Remark(severity=Severity.WARNING, path=path, message=message, hint=hint)


def info(path: str, message: str, hint: str = "") -> Remark:
    return Remark(severity=Severity.INFO, path=path, message=message, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row: `severities` are those it may give, `why` is what its section of the document says."""

    code: str
    severities: tuple[Severity, ...]
    title: str
    why: str
    function: Callable[[Subject], Iterable[Remark]]
