"""What an application is made of, once, for the lab and for Kubernetes alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath

from rookery.design.app import Place
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program
from rookery.spec.model import AppSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One application.

    `server_files` and `server_programs` say what an instance of it needs on its host, `packages` which Debian
    packages. `content` is what is published to its buckets, as (bucket, files), each with its
    `cache_control`; unless `folder` names a folder of the user's own, which the spec may give relative to
    itself (`located` makes it absolute).
    """

    name: str
    settings: type[AppSettings]
    place: Place
    server_files: Callable[[Design, AppDesign, Host, Instance], tuple[File, ...]]
    server_programs: Callable[[Design, AppDesign, Host, Instance], tuple[Program, ...]]
    content: Callable[[Design, AppDesign], Iterable[tuple[str, tuple[File, ...]]]]
    cache_control: Callable[[str], str]
    located: Callable[[AppSettings, PurePath], AppSettings]
    folder: Callable[[AppDesign], str | None]
    packages: tuple[str, ...] = ()
