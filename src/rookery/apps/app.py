"""What an application is made of, once, for the lab and for Kubernetes alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from rookery.apps.serving import NO_RULES, Rules
from rookery.design.app import Placer
from rookery.design.change import Obstacle
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program
from rookery.manifest import Item
from rookery.spec.model import AppSettings

Secrets = Mapping[str, str]


class SecretKind(StrEnum):
    """What a secret is; a certificate comes as NAME.crt and NAME.key, as an authority does."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    AUTHORITY = "authority"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that an application needs before it starts.

    A certificate is signed by the authority of that name, for `names` (host names and addresses).
    """

    name: str
    kind: SecretKind = SecretKind.PASSWORD
    authority: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Content that is not written but made, by a program that runs in the servers' root image.

    `files` are the program, laid into one folder; `argv` runs in it, and finds its output folder as `{out}`
    and the folder `source` of the user (None: there is none) as `{source}`. `look` makes nothing: it writes,
    as JSON, the `problems` that the source has, lines that name each file by `{source}`.
    """

    bucket: str
    files: tuple[File, ...]
    argv: tuple[str, ...]
    source: str | None
    look: tuple[str, ...] = ()


def _no_files(_design: Design, _app: AppDesign, _host: Host, _instance: Instance) -> tuple[File, ...]:
    return ()


def _no_private_files(
    _design: Design, _app: AppDesign, _host: Host, _instance: Instance, _secrets: Secrets
) -> tuple[File, ...]:
    return ()


def _no_secrets(_design: Design, _app: AppDesign) -> tuple[Secret, ...]:
    return ()


def _no_content(_design: Design, _app: AppDesign) -> Iterable[tuple[str, tuple[File, ...]]]:
    return ()


def _nothing_made(_app: AppDesign) -> Making | None:
    return None


def _no_schema(_design: Design, _app: AppDesign, _made: Mapping[str, str]) -> str:
    return ""


def _any_change(_before: AppDesign, _after: AppDesign) -> str:
    return ""


def _no_items(_design: Design, _app: AppDesign, _image: str) -> tuple[Item, ...]:
    return ()


def _nothing_in_the_image() -> tuple[File, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One application.

    `server_files` and `server_programs` say what an instance of it needs on its host, `private_files` what of
    it holds secrets, `packages` which Debian packages.

    What it publishes to its buckets is `content`, as (bucket, files), or what `making` makes, by its `rules`;
    or a folder of the user's own, as it lies there. `folder_key` is the setting that names the folder, which
    it publishes or makes something of; the spec may give it relative to itself.

    `schema` is SQL for its database, which may run again. It gets the index of what other applications
    made (`index.json` among their content), by their names.

    `cluster_items` are what an instance on a server is on Kubernetes: its objects, releases and waits, in the
    namespace `media` of `apps/ground/pods.py`, in the order in which they are applied; they are told what our
    container image is called. `image_files` are what that (`apps/pod_image.py`) holds for them; where there
    are any, it holds the `packages` too.

    `obstacle` says why a change of it cannot be made while it runs, empty where it can.
    """

    name: str
    settings: type[AppSettings]
    place: Placer
    server_programs: Callable[[Design, AppDesign, Host, Instance], tuple[Program, ...]]
    server_files: Callable[[Design, AppDesign, Host, Instance], tuple[File, ...]] = _no_files
    private_files: Callable[[Design, AppDesign, Host, Instance, Secrets], tuple[File, ...]] = (
        _no_private_files
    )
    secrets: Callable[[Design, AppDesign], tuple[Secret, ...]] = _no_secrets
    content: Callable[[Design, AppDesign], Iterable[tuple[str, tuple[File, ...]]]] = _no_content
    rules: Rules = NO_RULES
    folder_key: str = ""
    making: Callable[[AppDesign], Making | None] = _nothing_made
    schema: Callable[[Design, AppDesign, Mapping[str, str]], str] = _no_schema
    cluster_items: Callable[[Design, AppDesign, str], tuple[Item, ...]] = _no_items
    image_files: Callable[[], tuple[File, ...]] = _nothing_in_the_image
    packages: tuple[str, ...] = ()
    obstacle: Obstacle = _any_change

    def folder(self, settings: AppSettings) -> str | None:
        """Return the user's own folder that settings name, None where they name none."""
        given = getattr(settings, self.folder_key) if self.folder_key else None
        assert given is None or isinstance(given, str)
        return given

    def located(self, settings: AppSettings, base: PurePath) -> AppSettings:
        """Return settings whose folder is absolute: what the spec at `base` calls it by."""
        given = self.folder(settings)
        if given is None:
            return settings
        return settings.model_copy(update={self.folder_key: str(base / given)})
