"""What the document says of security: only what is so in a system of the design's platform.

On the native platform everything is ours to say: decisions 0005, 0010 and 0011, `projections/native`, and
the applications' own configuration. On Kubernetes only what the design itself decides stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rookery.apps.table import APPS
from rookery.design.model import AppDesign, DaemonKind, Design
from rookery.design.stored import CephUser
from rookery.projections.document.blocks import (
    Block,
    Bullets,
    Code,
    Inline,
    Paragraph,
    Section,
    Strong,
    Table,
    Words,
    code,
)
from rookery.projections.document.listeners import listeners_table, ports_table
from rookery.projections.document.source import names

_BALANCER = "The load balancer passes TCP through and holds no key: TLS ends behind it."


def security_section(design: Design) -> Section:
    """Return how traffic is protected, what listens where, who may do what, where secrets are."""
    native = design.platform == "native"
    ports = (ports_table(design), *((listeners_table(design),) if native else ()))
    parts = [
        _part("tls", "Encryption in transit", (Bullets(items=tuple(_transit(design, native=native))),)),
        _part("ports", "What listens where", tuple(table for table in ports if table is not None)),
        _part("access", "Who may do what in Ceph", _access(design)),
    ]
    if native:
        parts.append(_part("secrets", "Secrets", (Bullets(items=tuple(_secrets(design))),)))
        parts.append(_part("limits", "What it does not do", (Bullets(items=tuple(_limits(design))),)))
    return Section(
        id="security",
        title="Security",
        blocks=(Paragraph(words=_lede(design), lede=True),),
        sections=tuple(part for part in parts if part.blocks),
    )


def _part(id_: str, title: str, blocks: tuple[Block, ...]) -> Section:
    return Section(id=f"security-{id_}", title=title, blocks=blocks)


def _lede(design: Design) -> str:
    if design.platform == "native":
        return "What protects this system as it is designed, and what does not."
    return (
        "What the design itself decides. Certificates, secrets and the applications' own encryption are made "
        "by what runs on Kubernetes; this version does not render that yet, so nothing is said of it here."
    )


def _transit(design: Design, *, native: bool) -> Iterator[Words]:
    if design.frontends:
        yield _point("Load balancer.", _BALANCER)
    if native:
        yield from _native_transit(design)
    yield _point("Ceph's own traffic.", *_messenger(design))


def _point(title: str, *words: Inline) -> Words:
    return (Strong(text=title), " ", *words)


def _messenger(design: Design) -> tuple[Inline, ...]:
    if design.network.encryption:
        old = "; msgr1, which cannot encrypt, is off" if design.platform == "native" else ""
        return (f"Encrypted and authenticated: msgr2 in secure mode for cluster, service and clients{old}.",)
    words = "msgr2 in crc mode: both sides prove who they are (cephx) and damage is noticed, not encrypted. "
    return (words, Code(text="network.encryption: true"), " in the spec encrypts it.")


def _native_transit(design: Design) -> Iterator[Words]:
    yield _point(
        "An authority of its own.",
        "The system signs its own certificates. Every server has its own key, and a certificate for its "
        f"name, its address, the load balancer's address and {design.name}.lab.",
    )
    # What comes out of buckets first, for it rests on S3.
    yield from _apps_transit(app for app in design.apps if app.buckets)
    if design.object_store is not None:
        yield _point("S3.", "TLS ends at the gateways; they have no port without it.")
    if design.dashboard:
        yield _point(
            "Dashboard.",
            "TLS 1.2 or newer ends at a HAProxy on each manager's host; the dashboard itself answers on "
            "that host only.",
        )
    yield from _apps_transit(app for app in design.apps if not app.buckets)


def _apps_transit(apps: Iterable[AppDesign]) -> Iterator[Words]:
    for app in apps:
        row = APPS[app.name].on_servers
        yield from (_point(one.title, one.words) for one in (row.protection if row is not None else ()))


def _access(design: Design) -> tuple[Block, ...]:
    """Return the cephx users; where their keys are, the native platform alone decides by the design."""
    if design.platform != "native":
        rows = tuple((code(f"client.{user.name}"), _grants(user)) for user in design.users)
        table = Table(caption="cephx users", heads=("User", "Capabilities"), rows=rows)
        return (Paragraph(words=_LEAST), table)
    admin = (_LEAST, " The key of ", code("client.admin"), " is where administration starts.")
    held = tuple((code(f"client.{user.name}"), _holders(user), _grants(user)) for user in design.users)
    table = Table(caption="cephx users", heads=("User", "Key is on", "Capabilities"), rows=held)
    return (Paragraph(words=admin), table)


_LEAST = "Each cephx user may do what it is for and no more; daemons have identities of their own."


def _holders(user: CephUser) -> str:
    return names(user.hosts) if user.hosts else "no host; load runs in a container of its own"


def _grants(user: CephUser) -> Words:
    found: list[Inline] = []
    for kind, grant in user.caps:
        found += [", " if found else "", f"{kind} ", Code(text=grant)]
    return tuple(part for part in found if part)


def _secrets(design: Design) -> Iterator[Words]:
    yield _point(
        "Made at random",
        "by the first ",
        Code(text="rookery up"),
        ", for this system alone, and kept in one file that root alone may read.",
    )
    yield _point("On the servers", "the file with a key is readable by the one user that needs it.")
    yield _point(
        "Nowhere else.",
        "No spec, no design and no rendered file holds one; ",
        Code(text="rookery open"),
        " shows a service's user and password.",
    )
    if design.object_store is not None:
        yield _point(
            "S3 keys",
            "are chosen by the gateways, one pair for each user, so that no list of processes shows one.",
        )
    if any(bucket.readers for bucket in design.buckets):
        yield _point(
            "Buckets of the site",
            "are readable without credentials from the addresses of workers only; nobody may list them, and "
            "only their owner writes.",
        )


def _limits(design: Design) -> Iterator[Words]:
    yield "Data on the drives is not encrypted."
    yield "Nothing filters traffic between the servers: whoever is on their network reaches every port above."
    if not design.network.encryption and design.with_daemon(DaemonKind.OSD):
        yield "Who can listen on their network can read what is stored and fetched (see Ceph's own traffic)."
    if design.frontends:
        yield "The load balancer asks its backends for their health without verifying their certificates."
    yield "Certificates live 397 days and are not renewed by themselves."
