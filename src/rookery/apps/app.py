"""What an application is made of: its row, and below that what it is on servers and in pods.

A folder of an application has `app.py`, which places it and ends in its row; `native.py`, what it is on
servers; `kubernetes.py` or a folder of that name, what it is in pods. What it does not have is None.
"""

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
from rookery.manifest import Item, Manifest, Objects
from rookery.spec.model import AppSettings

Secrets = Mapping[str, str]


class SecretKind(StrEnum):
    """What a secret is; a certificate comes as NAME.crt and NAME.key, as an authority does, an age key as
    NAME.key and NAME.recipient, which is what one encrypts to."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    AUTHORITY = "authority"
    CERTIFICATE = "certificate"
    AGE = "age"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an application publishes to its buckets, by its `rules`: files that are `written`, as (bucket,
    files), or what `making` makes; or a folder of the user's own, as it lies there.

    `folder_key` is the setting that names such a folder, which it publishes or makes something of; the spec
    may give it relative to itself. `document` is the path at which the design document stands among the
    written files, whoever brings it there.
    """

    rules: Rules = NO_RULES
    folder_key: str = ""
    written: Callable[[Design, AppDesign], Iterable[tuple[str, tuple[File, ...]]]] | None = None
    making: Callable[[AppDesign], Making] | None = None
    document: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a component on its server, and how it is protected."""

    component: str
    number: int
    protected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How something of it is protected on its way over the network, on servers: words for the document."""

    title: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnServers:
    """What an instance is on its server, on the native platform: programs, files, and files with secrets.

    `secrets` are those that it needs of its own. `late_files` have secrets that are known once the S3 users
    are made, and are laid then, at `late_paths` or below one. `schema` is SQL for its database, which may run
    again; it gets the index of what other applications made (`index.json` among their content), by their
    names.

    `ports` has each port of each component; `protection` says how it speaks over the network.
    """

    programs: Callable[[Design, AppDesign, Host, Instance], tuple[Program, ...]]
    files: Callable[[Design, AppDesign, Host, Instance], tuple[File, ...]]
    private_files: Callable[[Design, AppDesign, Host, Instance, Secrets], tuple[File, ...]] | None = None
    secrets: Callable[[Design, AppDesign], tuple[Secret, ...]] | None = None
    late_files: Callable[[Design, Secrets], tuple[File, ...]] | None = None
    late_paths: tuple[str, ...] = ()
    schema: Callable[[Design, AppDesign, Mapping[str, str]], str] | None = None
    ports: tuple[Port, ...] = ()
    protection: tuple[Protection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How what no tree can hold comes into a `bucket` on Kubernetes: through a pod that waits for it.

    `job` is the Job `name` of that pod, for so many bytes and with our image. `command` runs in the pod, for
    `limit` seconds at most, and takes the files from its standard input as a tar archive; at its end stands
    `rules_file`, how they are served, by `rules`. `by_hand` is a guide's section on doing so by hand.
    """

    bucket: str
    name: str
    job: Callable[[int, str], Manifest]
    command: tuple[str, ...]
    rules_file: str
    rules: Callable[[AppDesign], str]
    limit: int
    by_hand: Callable[[Design, AppDesign], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InPods:
    """What it is on Kubernetes: its objects, releases and waits, in the order in which they are applied.

    All are in the namespace of the applications; they are told what our container image is called.
    `image_files` are what that image holds for them; where there are any, it holds the packages too, those of
    `image_packages` where not all are needed in pods.
    `sending` is for what comes after all that from the machine that applies it. What is `by_hand` is rendered
    and not applied: for the day on which somebody needs it. `about` says what it is there, where that is
    something else than on servers.
    """

    items: Callable[[Design, AppDesign, str], tuple[Item, ...]]
    image_files: Callable[[], tuple[File, ...]] | None = None
    image_packages: tuple[str, ...] | None = None
    sending: Sending | None = None
    by_hand: Callable[[Design, AppDesign], tuple[Objects, ...]] | None = None
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One application.

    `place` puts it into a design. `about` says in a sentence what it is, `packages` which Debian packages its
    programs need. `obstacle` says why a change of it cannot be made while it runs; None where any can.
    `locate` makes absolute what its settings name relative to the spec, beside its content's folder.
    """

    name: str
    settings: type[AppSettings]
    place: Placer
    about: str
    packages: tuple[str, ...] = ()
    content: Content | None = None
    on_servers: OnServers | None = None
    in_pods: InPods | None = None
    obstacle: Obstacle | None = None
    locate: Callable[[AppSettings, PurePath], AppSettings] | None = None

    def folder(self, settings: AppSettings) -> str | None:
        """Return the user's own folder that settings name, None where they name none."""
        key = self.content.folder_key if self.content is not None else ""
        given = getattr(settings, key) if key else None
        assert given is None or isinstance(given, str)
        return given

    def located(self, settings: AppSettings, base: PurePath) -> AppSettings:
        """Return settings whose folder is absolute: what the spec at `base` calls it by."""
        if self.locate is not None:
            settings = self.locate(settings, base)
        given = self.folder(settings)
        if given is None:
            return settings
        assert self.content is not None
        return settings.model_copy(update={self.content.folder_key: str(base / given)})

    def made_by(self, app: AppDesign) -> Making | None:
        """Return the program that makes its content, None where no program does."""
        making = self.content.making if self.content is not None else None
        return None if making is None else making(app)
