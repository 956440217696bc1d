"""The drawing of a design: everything is in it, nothing overlaps, and draw.io can edit it."""

from __future__ import annotations

from itertools import combinations, pairwise

from rookery.design.model import DaemonKind
from rookery.projections.drawing.contents import target_key
from rookery.projections.drawing.picture import Box, Picture, Point, Text
from rookery.releases import DEFAULT_RELEASE, RELEASES
from tests.kit.drawings import design, each_design, each_picture, picture, words


def leaves(found: Picture) -> list[Box]:
    return [box for box in found.boxes if box.leaf]


def overlap(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def text_box(text: Text) -> Box:
    """Return the place that a text's letters take."""
    return Box(
        id=text.text,
        x=text.left,
        y=text.y - 0.75 * text.size,
        width=text.width,
        height=text.size,
        style="bare",
    )


def inside(inner: Box, outer: Box) -> bool:
    return (
        inner.x >= outer.x
        and inner.right <= outer.right
        and inner.y >= outer.y
        and inner.bottom <= outer.bottom
    )


@each_picture
def test_no_two_boxes_overlap(name: str, marked: bool) -> None:
    found = leaves(picture(name, marked))
    assert len(found) > 20
    assert [(a.id, b.id) for a, b in combinations(found, 2) if overlap(a, b)] == []


@each_picture
def test_no_two_zones_or_hosts_overlap(name: str, marked: bool) -> None:
    grounds = [box for box in picture(name, marked).boxes if not box.leaf]
    pairs = [(a, b) for a, b in combinations(grounds, 2) if a.parent == b.parent]
    assert pairs
    assert [(a.id, b.id) for a, b in pairs if overlap(a, b)] == []


@each_picture
def test_every_box_is_inside_the_box_around_it_and_on_the_page(name: str, marked: bool) -> None:
    found = picture(name, marked)
    page = Box(id="page", x=0, y=0, width=found.width, height=found.height, style="bare")
    places = {"": page, **{box.id: box for box in found.boxes}}
    assert [box.id for box in found.boxes if not inside(box, places[box.parent])] == []


@each_picture
def test_every_text_fits_its_box_and_touches_no_other(name: str, marked: bool) -> None:
    found = picture(name, marked)
    assert [
        (box.id, text.text) for box in found.boxes for text in box.texts if not inside(text_box(text), box)
    ] == []
    for box in found.boxes:
        assert [text.text for text in box.texts if text.text in ("", "…")] == []
        places = [text_box(text) for text in box.texts]
        assert [(a.id, b.id) for a, b in combinations(places, 2) if overlap(a, b)] == []
    headings = [text_box(text) for box in found.boxes if not box.leaf for text in box.texts]
    assert [(a.id, b.id) for a in headings for b in leaves(found) if overlap(a, b)] == []


def segments(points: tuple[Point, ...]) -> list[Box]:
    """Return a line's pieces as thin boxes."""
    return [
        Box(
            id=f"{a} to {b}",
            x=min(a[0], b[0]),
            y=min(a[1], b[1]),
            width=max(abs(a[0] - b[0]), 0.1),
            height=max(abs(a[1] - b[1]), 0.1),
            style="bare",
        )
        for a, b in pairwise(points)
    ]


@each_picture
def test_lines_go_around_what_they_do_not_lead_to(name: str, marked: bool) -> None:
    found = picture(name, marked)
    headings = [text_box(text) for box in found.boxes if not box.leaf for text in box.texts]
    for arrow in found.arrows:
        ends = (arrow.source, arrow.target)
        others = [*headings, *(box for box in leaves(found) if box.id not in ends)]
        pieces = segments(arrow.points)
        assert [(arrow.id, box.id) for box in others for piece in pieces if overlap(piece, box)] == []
    words = [box for box in leaves(found) if box.shape == "bare"]
    rails = [piece for line in found.lines for piece in segments(line.points)]
    assert [(rail.id, box.id) for rail in rails for box in words if overlap(rail, box)] == []


@each_picture
def test_lines_to_claims_neither_cross_nor_coincide(name: str, marked: bool) -> None:
    lines = [(a.id, segments(a.points)) for a in picture(name, marked).arrows if "/claim/" in a.target]
    crossed = [
        (one, other)
        for (one, pieces), (other, others) in combinations(lines, 2)
        if any(overlap(a, b) for a in pieces for b in others)
    ]
    assert crossed == []


@each_picture
def test_arrows_are_level_or_upright_and_end_at_their_boxes(name: str, marked: bool) -> None:
    found = picture(name, marked)
    places = {box.id: box for box in found.boxes}
    for arrow in found.arrows:
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(arrow.points)), arrow.id
        for end, point in ((arrow.source, arrow.points[0]), (arrow.target, arrow.points[-1])):
            box = places[end]
            on_side = point[0] in (box.x, box.right) and box.y <= point[1] <= box.bottom
            on_edge = point[1] in (box.y, box.bottom) and box.x <= point[0] <= box.right
            assert on_side or on_edge, arrow.id


@each_design
def test_everything_of_the_design_is_in_it_once(name: str) -> None:
    found = design(name)
    drawn = [one for box in picture(name).boxes for one in box.stands_for]
    assert len(drawn) == len(set(drawn))
    wanted = {host.name for host in found.hosts}
    for host in found.hosts:
        wanted |= {daemon.name for daemon in host.daemons}
        wanted |= {f"{host.name}/{instance.name}" for instance in host.instances}
        wanted |= {f"{host.name}/{drive.name}" for drive in host.drives}
    assert wanted <= set(drawn)


@each_design
def test_every_frontend_leads_to_its_backends(name: str) -> None:
    found = design(name)
    shown = {box.id: box.stands_for for box in picture(name).boxes}
    for front in found.frontends:
        ends = [arrow.target for arrow in picture(name).arrows if arrow.source == f"frontend/{front.name}"]
        hosts = [found.host(backend) for backend, _ in front.backends]
        keys = {f"{host.name}/{target_key(front, host)}" for host in hosts}
        daemons = {d.name for host in hosts for d in host.daemons if d.kind == target_key(front, host)}
        assert {one for end in ends for one in shown[end]} == (daemons or keys)


@each_design
def test_a_red_arrow_leads_from_each_osd_to_its_drive(name: str) -> None:
    found = design(name)
    shown = {box.id: box.stands_for for box in picture(name).boxes}
    wanted = {(osd.name, f"{host.name}/{osd.drive}") for host, osd in found.with_daemon(DaemonKind.OSD)}
    arrows = [arrow for arrow in picture(name).arrows if arrow.tone == "data"]
    drawn = {pair for a in arrows for pair in zip(shown[a.source], shown[a.target], strict=True)}
    assert drawn == wanted


def test_claims_hang_on_the_line_between_instances_and_storage() -> None:
    found = picture("production-minimum")
    line = next(line for line in found.lines if line.dotted)
    y = line.points[0][1]
    tickets = {box.id: box for box in found.boxes if "/claim/" in box.id}
    assert sorted(
        text.removeprefix("worker-a/claim/") for text in tickets if text.startswith("worker-a")
    ) == [
        "block-database",
        "file-live",
        "object-backups",
        "object-media",
        "object-site",
    ]
    assert all(box.y < y < box.bottom for box in tickets.values())
    users = {(a.source, a.target) for a in found.arrows if a.target in tickets and a.source[7] == "a"}
    assert users == {
        ("worker-a/database-postgres", "worker-a/claim/block-database"),
        ("worker-a/streaming-origin", "worker-a/claim/file-live"),
        ("worker-a/streaming-channel", "worker-a/claim/file-live"),
        ("worker-a/backup-agent", "worker-a/claim/object-backups"),
        ("worker-a/cdn-edge", "worker-a/claim/object-media"),
        ("worker-a/cdn-edge", "worker-a/claim/object-site"),
    }
    assert {a.target for a in found.arrows if a.source in tickets} == {"zone-storage"}


def test_a_volume_is_claimed_by_the_instance_that_it_belongs_to() -> None:
    """On compact's hosts etcd runs beside PostgreSQL, and is of the same application."""
    arrows = picture("compact").arrows
    users = {a.source for a in arrows if a.target.endswith("/claim/block-database")}
    assert users == {f"storage-{letter}/database-postgres" for letter in "klm"}


def backup_arrows(name: str) -> list[tuple[str, str]]:
    return [(a.source, a.target) for a in picture(name).arrows if a.tone == "backup"]


def test_each_kind_of_backup_goes_to_the_bucket_and_from_there_outside() -> None:
    kinds = ("database", "objects", "files", "block", "system")
    inside = [(f"backup/{kind}", "backup/bucket/backups") for kind in kinds]
    assert backup_arrows("production-minimum") == inside
    copies = ("away", "the-vault-of-the-other-site")
    assert backup_arrows("copied") == [
        *inside,
        *(("backup/bucket/backups", f"copy/{name}") for name in copies),
    ]
    boxes = {box.id: box for box in picture("copied").boxes}
    assert boxes["zone-backup"].bottom < boxes["network"].bottom < boxes["copy/away"].y
    said = {"a set of all kinds at one moment, every 1 h 30 min", "S3 bucket, not locked, kept for 7 d"}
    assert said < set(words("copied"))
    assert {"media, site, drill", "10.0.0.9:9000", "2 RBD volumes"} < set(words("copied"))


def test_on_kubernetes_operators_take_what_they_know() -> None:
    there = [source for source, _ in backup_arrows("copied-on-kubernetes")]
    assert there == [
        *(f"backup/{kind}" for kind in ("database", "objects", "files")),
        "backup/bucket/backups",
    ]
    assert "each kind by its operator, the database all the time, others every 6 h" in words(
        "copied-on-kubernetes"
    )


def test_without_backups_there_is_no_room_for_them() -> None:
    assert backup_arrows("without-backups") == []
    assert not any("backup" in box.id for box in picture("without-backups").boxes)
    assert picture("without-backups").height < picture("production-minimum").height


def test_a_host_shows_its_machine_and_what_runs_on_it() -> None:
    assert words("production-minimum", "storage-k") == [
        *("storage-k", "10.146.163.128", "2 CPU · 4 GiB RAM · 20 GB disk"),
        *("mon", "monitor :3300", "mgr", "manager, dashboard", "rgw", "S3 gateway :7443"),
        *("osd.0", "vdb", "20 GB ssd", "osd.1", "vdc", "20 GB ssd"),
    ]


def test_a_control_plane_shows_what_really_runs() -> None:
    assert words("production-minimum", "cp-1")[3:] == [
        *("administration", "ceph, admin key", "database-etcd", ":2379 :2380")
    ]
    assert words("on-hetzner", "cp-1")[3:8] == [
        *("etcd", "API server", "scheduler", "controller manager", "cloud controller manager")
    ]
    assert "CSI node plugin" in words("on-hetzner", "storage-k")
    assert "CSI node plugin" not in words("production-minimum")


def test_hosts_that_are_alike_share_a_box_once_they_are_many() -> None:
    assert words("thirty", "worker-d")[:4] == [
        *("worker-d … worker-g", "4 identical"),
        *("2 CPU · 4 GiB RAM · 20 GB disk", "10.174.62.35 … 10.174.62.38"),
    ]
    sizes = [len(box.stands_for) for box in picture("thousand").boxes if box.sheets]
    assert sizes == [2, 192, 5, 5, 2, 16, 60, 717]
    assert picture("thousand").width < 2200
    assert not any(box.sheets for box in picture("production-minimum").boxes)


def test_the_networks_are_named() -> None:
    assert "Public network 10.146.163.0/24 · MTU 1500" in words("production-minimum")
    assert "Cluster network 10.127.7.0/24, replication between OSDs" in words("thirty")
    assert "10.127.7.145 … 10.127.7.147" in words("thirty")


def test_a_long_description_is_shortened() -> None:
    title = [box.texts[0].text for box in picture("production-minimum").boxes if box.id.startswith("title")]
    assert title == [
        "production-minimum",
        (
            "Use it for light to medium loads, and to learn: block, file and object storage on seven "
            "servers, a small media site that uses each (a database with"
        ),
        "failover, films and a live channel, a CDN), and backups of all of it.",
        (
            f"native on lab · {RELEASES[DEFAULT_RELEASE].title} · 7 servers · 1 control plane · 2 workers"
            " · 4 storage nodes · 8 OSDs on 160 GB raw"
        ),
    ]
