"""What no tree can hold of the site: the pod that takes it, what is sent, and whether it is there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from rookery.apps import serving
from rookery.apps.cdn.kubernetes.publishing import publish_argv
from rookery.apps.cdn.kubernetes.sending import SENDER, SENDING, sending_command, sending_job
from rookery.apps.cdn.site.content import RULES, render_site
from rookery.apps.ground.names import NAMESPACE
from rookery.apps.pod_image import image_reference
from rookery.apps.serving import Rules, parse_rules, told_by_ending
from rookery.design.model import Design
from rookery.drivers.clients.s3 import Upload
from rookery.drivers.machine.process import CommandError, run_fed
from rookery.errors import InputError
from rookery.files import File
from rookery.plan.kubernetes import cluster_steps, content_id
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.placed import placed_items
from rookery.run.workspace import open_spec
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.content import Content, sent_content, write_archive
from rookery.systems.kubernetes.system import KubernetesSystem
from tests.kit.cluster_schemas import problems
from tests.kit.fake_cluster import FakeKubectl
from tests.kit.kubernetes_objects import (
    app_items,
    find,
    made,
    objects_of,
    referenced,
    restricted_problems,
    selects,
)

APPS = Path(serving.__file__).parent
SAID = "1 of 2 files sent to site, 0 removed\n"


SENT = content_id("cdn")


@cache
def design(site: str | None = None) -> Design:
    of = open_spec("production-minimum", as_new=True, provider="existing").design
    changed = (
        replace(app, settings=app.settings.model_copy(update={"site": site})) if app.name == "cdn" else app
        for app in of.apps
    )
    return replace(of, apps=tuple(changed))


def page(text: str) -> File:
    return File(path="document.html", content=text.encode(), media_type="text/html")


def content(kubectl: FakeKubectl, *, site: Path | None = None, document: str = "one") -> Content:
    return sent_content(design(str(site) if site else None), kubectl, lambda: (page(document),))["cdn"]


def cluster() -> FakeKubectl:
    """Return a cluster with the bucket's claim, in which pods run."""
    kubectl = FakeKubectl(kinds={"job"}, answers={"sh": SAID})
    kubectl.put({"kind": "ObjectBucketClaim", "metadata": {"name": "site", "namespace": NAMESPACE}})
    return kubectl


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive, in their order."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = ((one, opened.extractfile(one)) for one in opened)
        return {one.name: file.read() for one, file in found if file is not None}


def listing(files: dict[str, bytes], **others: int) -> str:
    """Return a bucket's objects, and others of a category, as radosgw-admin says it."""
    entries = [
        {"name": name, "meta": {"category": 1, "etag": hashlib.md5(data).hexdigest()}}
        for name, data in files.items()
        if not name.startswith(".")
    ]
    entries += [
        {"name": name, "meta": {"category": category, "etag": ""}} for name, category in others.items()
    ]
    return json.dumps(entries)


# The pod


def test_the_pod_is_one_that_publishes_and_goes_by_itself() -> None:
    items = app_items(design(), "cdn")
    job = sending_job(10 * 1024**2, image_reference())
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    assert list(problems(job)) == []
    assert restricted_problems(spec) == []
    assert referenced(spec) <= made(items)
    assert spec["volumes"][0]["emptyDir"] == {"sizeLimit": "84Mi"}
    assert job["spec"]["backoffLimit"] == 0
    assert 0 < job["spec"]["ttlSecondsAfterFinished"] < job["spec"]["activeDeadlineSeconds"]
    # Whoever publishes may reach the gateways, with a folder of the user's own too.
    for of in (design(), design("/mine")):
        policy = find(objects_of(app_items(of, "cdn")), "NetworkPolicy", "site-publisher")
        assert selects(policy["spec"]["podSelector"], job["spec"]["template"]["metadata"]["labels"])
        [rule] = policy["spec"]["egress"]
        assert rule["to"][0]["podSelector"] == {"matchLabels": {"app": "rook-ceph-rgw"}}


def here(folder: Path) -> list[str]:
    """Return the pod's command for a folder of this machine, with the program as it lies in the image."""
    program = folder / "program"
    program.mkdir(exist_ok=True)
    for path in (APPS / "guest/publish.py", APPS / "serving.py"):
        (program / path.name).write_bytes(path.read_bytes())
    files = folder / "files"
    files.mkdir(exist_ok=True)
    interpreter, publish, *_ = publish_argv([], rules="", ca="")
    changes = {"/srv/files": str(files), publish: str(program / "publish.py"), interpreter: sys.executable}
    command = list(sending_command())
    for old, new in changes.items():
        command = [word.replace(old, new) for word in command]
    return command


def test_the_command_unpacks_and_refuses_what_is_not_whole(tmp_path: Path) -> None:
    archive = io.BytesIO()
    items = [
        Upload(path=name, source=name.encode(), media_type="", cache_control="")
        for name in ("a/b c.txt", "index.html")
    ]
    write_archive(items, SENDING.rules_file, "{}", archive)
    # Cut between two files, where tar itself sees nothing amiss: each is a header and a block.
    for end, said in ((2 * 1024, ".rules.json: "), (None, "the environment has no AWS_ACCESS_KEY_ID")):
        done = subprocess.run(
            here(tmp_path),
            input=archive.getvalue()[:end],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, said in done.stderr.decode()) == (2, True), done.stderr
    assert (tmp_path / "files/a/b c.txt").read_text() == "a/b c.txt"
    assert "--prune" in sending_command()


# What is sent


def test_the_whole_site_is_sent_with_the_document() -> None:
    kubectl = cluster()
    heard: list[str] = []
    content(kubectl).send(heard.append)
    files = unpacked(kubectl.fed[0])
    site = {file.path: file.content for file in render_site(design())}
    assert list(files)[-1] == ".rules.json"
    assert parse_rules(files.pop(".rules.json").decode()) == RULES
    assert files == site | {"document.html": b"one"}
    assert heard[-1] == SAID.strip()
    # The pod of a run that was killed goes first, this one's at the end.
    verbs = [words[0] for words in kubectl.asked if words[0] in ("delete", "apply", "exec")]
    assert verbs == ["delete", "apply", "exec", "delete"]
    assert ("job", NAMESPACE, SENDER) not in kubectl.objects


def test_a_folder_of_the_user_s_is_sent_without_pages_of_ours(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.css").write_text("a")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("no")
    kubectl = cluster()
    content(kubectl, site=tmp_path).send(quiet)
    files = unpacked(kubectl.fed[0])
    assert parse_rules(files.pop(".rules.json").decode()) == Rules()
    assert files == {"sub/a.css": b"a"}
    gone = content(kubectl, site=tmp_path / "gone")
    with pytest.raises(InputError, match="there is no folder"):
        gone.send(quiet)
    assert not gone.is_current()


def test_the_pod_goes_where_sending_fails() -> None:
    kubectl = cluster()
    del kubectl.answers["sh"]
    with pytest.raises(CommandError, match="ended with exit code 1"):
        content(kubectl).send(quiet)
    assert ("job", NAMESPACE, SENDER) not in kubectl.objects


# Whether it is there


def test_what_the_bucket_holds_says_whether_it_is_done() -> None:
    kubectl = cluster()
    assert not content(kubectl).is_current()  # nobody answers
    content(kubectl).send(quiet)
    files = unpacked(kubectl.fed[0])
    kubectl.answers["radosgw-admin"] = listing(files, _multipart_x=3)
    assert content(kubectl).is_current()
    assert not content(kubectl, document="another").is_current()
    for others in ({"stray": b""}, {"index.html": b"somebody's"}):
        kubectl.answers["radosgw-admin"] = listing(files | others)
        assert not content(kubectl).is_current()
    kubectl.answers["radosgw-admin"] = listing(files)
    kubectl.objects.clear()
    assert not content(kubectl).is_current()


def test_the_system_has_it_as_its_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = cluster_steps(design(), placed_items(build_stages(design())))
    assert [step.id for step in steps].count(SENT) == 1
    assert (steps[-1].id, steps[-1].phase, steps[-1].needs) == (SENT, "cdn", ())
    assert steps[-1].after == ([step.id for step in steps if step.phase == "cdn"][-2],)
    without = replace(design(), apps=tuple(app for app in design().apps if app.name != "cdn"))
    assert sent_content(without, FakeKubectl(), tuple) == {}
    assert SENT not in {step.id for step in cluster_steps(without, placed_items(build_stages(without)))}

    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path))
    system = KubernetesSystem(design(), ExistingServers(design()), pages=lambda: (page("one"),))
    kubectl = cluster()
    system.kubectl = kubectl
    system.apply(steps[-1], quiet)
    assert unpacked(kubectl.fed[0])["document.html"] == b"one"


def test_the_guide_says_how_it_comes_by_hand(tmp_path: Path) -> None:
    def guide(of: Design) -> str:
        return next(file for file in render_kubernetes(of) if file.path == "README.md").content.decode()

    ours, own = guide(design()), guide(design("/my site"))
    domain = "https://s3.production-minimum.internal"
    assert "rookery render SPEC -o out --only document" in ours
    assert f"aws --endpoint-url {domain} --region default s3 cp \\\n    out/design.html s3://site/" in ours
    assert "--only document" not in own
    asked = by_hand(own, tmp_path)
    start = f"--endpoint-url {domain} --region default s3"
    copy = f"{start} cp /my site s3://site --recursive --content-type"
    assert asked[0] == f"{start} sync /my site s3://site --delete {chosen('*')}"
    assert f"{copy} application/gzip {chosen('*.gz')}" in asked
    assert f"{copy} text/html; charset=utf-8 {chosen('*.html')}" in asked
    assert asked[-1] == f"{copy} image/svg+xml --content-encoding gzip {chosen('*.svgz')}"
    assert len(asked) == 2 + sum(len(endings) for _, endings, encoding in told_by_ending() if not encoding)


def chosen(pattern: str) -> str:
    """Return how aws is told which files are meant: no hidden ones but those in .well-known."""
    return (
        f"--exclude * --include {pattern} --exclude .* --exclude */.* --include .well-known/{pattern} "
        "--exclude .well-known/.* --exclude .well-known/*/.* --cache-control public, max-age=60"
    )


def by_hand(guide: str, folder: Path) -> list[str]:
    """Run what the guide says of the site, with programs that note what they are asked."""
    section = guide.partition("## The site: what is in no tree")[2]
    script = section.partition("```sh\n")[2].partition("\n```")[0]
    for name, text in (("aws", f'printf "%s\\n" "$*" >> {folder}/asked'), ("kubectl", "echo a2V5")):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(("sh", "-eu", "-c", script), cwd=folder, env=environment, check=True, timeout=60)
    return (folder / "asked").read_text().splitlines()


# Feeding a command


def nothing_but(size: int) -> Any:
    def write(out: IO[bytes]) -> None:
        for _ in range(size // 65536):
            out.write(bytes(65536))

    return write


def test_a_command_reads_what_is_written_and_says_what_it_likes() -> None:
    assert run_fed(("wc", "-c"), nothing_but(1 << 22), timeout=30) == f"{1 << 22}\n"
    # One that reads no further, and one that says more than a pipe holds before it reads.
    assert run_fed(("head", "-c", "1"), nothing_but(1 << 22), timeout=30) == "\0"
    loud = ("sh", "-c", "head -c 300000 /dev/zero; cat > /dev/null; exit 3")
    with pytest.raises(CommandError) as raised:
        run_fed(loud, nothing_but(1 << 22), timeout=30)
    assert (raised.value.command_exit_code, len(raised.value.output)) == (3, 300000)


def test_a_command_is_ended_by_its_limit_and_where_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="ran out of time"):
        run_fed(("sleep", "60"), nothing_but(0), timeout=0.2)

    def write(out: IO[bytes]) -> None:
        out.write(b"half")
        raise InputError("the file is gone")

    whole = tmp_path / "whole"
    with pytest.raises(InputError):
        run_fed(("sh", "-c", f"cat > /dev/null; touch {whole}"), write, timeout=30)
    assert not whole.exists()
