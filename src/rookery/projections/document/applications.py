"""What the document says of applications: instances, what storage they claim, where they are reached."""

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import decimal_size
from rookery.design.cluster import GATEWAY_PORT
from rookery.design.model import AppDesign, Design, Frontend, Host, Instance, Route
from rookery.projections.document.blocks import Block, Paragraph, Section, Table, Words, code, codes
from rookery.projections.document.source import count, names
from rookery.units import format_size

_MOST_CLAIMS = 24  # claims of one kind that are listed one by one


def applications_section(design: Design) -> Section:
    """Return the way in, and each application with its instances, claims and routes."""
    words = (
        "Users come in through the load balancer. Below is where each service answers, and what each "
        "application runs and claims."
        if design.apps
        else "The design has no application; clients use the storage itself."
    )
    return Section(
        id="applications",
        title="Applications",
        blocks=(Paragraph(words=words, lede=True), *_services(design)),
        sections=tuple(
            Section(id=f"app-{app.name}", title=app.name, blocks=_app_blocks(design, app))
            for app in design.apps
        ),
    )


def _services(design: Design) -> tuple[Block, ...]:
    balancer = design.load_balancer
    if balancer is None:
        return ()
    rows = tuple(
        (front.name, code(_url(design, balancer, front)), _backends(front)) for front in design.frontends
    )
    heads = ("Service", "URL", "Answered by")
    return (Table(caption="Where each service is reached", heads=heads, rows=rows),)


def _url(design: Design, balancer: Host, front: Frontend) -> str:
    """Return where a service answers; those of the Gateway have a name each at one address."""
    cluster = design.kubernetes
    if cluster is not None and front.port == GATEWAY_PORT:
        return f"{front.scheme}://{front.name}.{cluster.domain}/"
    port = "" if (front.scheme, front.port) == ("https", 443) else f":{front.port}"
    return f"{front.scheme}://{balancer.address}{port}/"


def _backends(front: Frontend) -> str:
    found = f"{names([name for name, _ in front.backends])}, port {front.backend_port}"
    return f"{found}; {front.fallback} while none of them is well" if front.fallback else found


def _app_blocks(design: Design, app: AppDesign) -> tuple[Block, ...]:
    tables = (_instances(app), _claims(app), _routes(design, app))
    return tuple(table for table in tables if table is not None) or (
        Paragraph(words="It has no instance of its own and claims nothing."),
    )


def _instances(app: AppDesign) -> Table | None:
    hosts: dict[Instance, list[str]] = {}
    for host, instance in app.placements:
        hosts.setdefault(instance, []).append(host)
    rows = tuple(
        (
            instance.name,
            f"{len(found):,}",
            names(found),
            format_size(instance.memory),
            codes(tuple(str(port) for port in instance.ports)),
        )
        for instance, found in hosts.items()
    )
    heads = ("Instance", "Count", "On", "Memory of each", "Ports")
    return Table(caption=f"Instances of {app.name}", heads=heads, rows=rows, right=(1, 3)) if rows else None


def _claims(app: AppDesign) -> Table | None:
    rows: list[tuple[Words, ...]] = [*_volumes(app)]
    for share in app.shares:
        where: Words = ("directory ", code(share.directory), " of CephFS, at ", code(share.path))
        rows.append(("Share", code(share.name), where, names(share.hosts)))
    for bucket in app.buckets:
        kept = f"owned by {bucket.owner}; read without credentials from {len(bucket.readers)} addresses only"
        if not bucket.readers:
            kept = f"owned by {bucket.owner}; nobody reads it without credentials"
        rows.append(("Bucket", code(bucket.name), kept, "S3"))
    for database in app.databases:
        rights = "owns it" if database.owns else "may do what the schema grants it"
        rows.append(("Database", code(database.name), f"role {database.user} {rights}", "PostgreSQL"))
    heads = ("Claim", "Name", "What it is", "For")
    return Table(caption=f"Storage that {app.name} claims", heads=heads, rows=tuple(rows)) if rows else None


def _volumes(app: AppDesign) -> list[tuple[Words, ...]]:
    """Return a row for each volume; where they are many, one for all that are alike."""
    alike: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    for volume in app.volumes:
        own = volume.name if len(app.volumes) <= _MOST_CLAIMS else ""
        key = (own, volume.size, volume.pool, volume.data_pool, volume.path)
        alike.setdefault(key, []).append((volume.name, volume.host))
    rows: list[tuple[Words, ...]] = []
    for (_, size, pool, data_pool, path), found in alike.items():
        assert isinstance(size, int)
        where = f"{pool}, data in {data_pool}" if data_pool else str(pool)
        what: Words = (f"{decimal_size(size)} in pool {where}, at ", code(str(path)))
        name: Words = code(found[0][0]) if len(found) == 1 else count(len(found), "volume")
        rows.append(("Volume", name, what, names([host for _, host in found])))
    return rows


def _routes(design: Design, app: AppDesign) -> Table | None:
    site = any(front.name == "site" for front in design.frontends)
    if not app.routes or not site:
        return None
    rows = tuple((code(route.path), _origin(route), "yes" if route.writes else "no") for route in app.routes)
    heads = ("Path of the site", "Comes from", "Takes writes")
    return Table(caption=f"What {app.name} adds to the site", heads=heads, rows=rows)


def _origin(route: Route) -> Words:
    if route.bucket:
        return ("bucket ", code(route.bucket))
    return f"{names([name for name, _ in route.backends])}, port {route.port}, over TLS"
