"""apply.sh as a person runs it; programs that note their words stand for kubectl, helm and openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rookery.design.model import Design
from rookery.manifest import Item, NeededSecrets, Objects, Release, Remote, Wait, jobs_of
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.sources import chart_path, is_tree, remote_path
from rookery.run.workspace import open_spec

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")

PASSWORD = "5ec4e7" * 8
APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=rookery")

# Notes its words and what it is told, and says of secrets whether they are there.
PROGRAM = """\
#!/bin/sh
name=${0##*/} told=
for word; do
    case $word in *=/dev/stdin) told=$(cat) ;; esac
done
{ printf '%s\\037' "$name" "$@"; printf '\\036%s\\n' "$told"; } >> "$NOTES"
for word; do
    if [ "$word" = "${BROKEN:-}" ]; then exit 7; fi
done
case $name/$* in
openssl/*) [ "${BROKEN:-}" != openssl ] || exit 1; echo PASSWORD ;;
kubectl/*" get secret "*) case " ${SECRETS:-} " in *" ${word} "*) ;; *) exit 1 ;; esac ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A rendered tree with programs to apply it by."""

    folder: Path
    programs: Path
    design: Design

    def run(self, *words: str, secrets: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script where `secrets` are there, and those that somebody else makes."""
        awaited = [one.name for one in items(self.design) if isinstance(one, Wait) and one.kind == "secret"]
        environment["SECRETS"] = " ".join((*awaited, secrets))
        notes = self.folder / "notes"
        notes.unlink(missing_ok=True)
        return subprocess.run(
            [self.folder / "tree/apply.sh", *words],
            cwd=self.folder,
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "NOTES": str(notes), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def noted(self) -> list[tuple[str, tuple[str, ...], str]]:
        notes = []
        for line in (self.folder / "notes").read_text().split("\n")[:-1]:
            words, _, told = line.partition("\036")
            name, *rest = words.split("\037")[:-1]
            notes.append((name, tuple(rest), told))
        return notes


def items(design: Design) -> list[Item]:
    return [item for stage in build_stages(design) for item in stage.items]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    design = open_spec("production-minimum", as_new=True, provider="hetzner").design
    for file in render_kubernetes(design):
        path = tmp_path / "tree" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("kubectl", "helm", "openssl", "git"):
        (programs / name).write_text(PROGRAM.replace("PASSWORD", PASSWORD))
        (programs / name).chmod(0o755)
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    return Tree(folder=tmp_path, programs=programs, design=design)


def expected(tree: Tree, mirror: str = "") -> list[tuple[str, tuple[str, ...]]]:
    """Return what is to be called for the items of a design, in their order, where no secret is there."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for stage in build_stages(tree.design):
        for place, item in enumerate(stage.items, 1):
            number = place * 10 if len(stage.items) < 10 else place
            found += _calls(item, f"{stage.name}/{number:02}-", mirror)
    return found


def _calls(item: Any, prefix: str, mirror: str) -> list[tuple[str, tuple[str, ...]]]:
    if isinstance(item, Objects):
        earlier = [("kubectl", ("--namespace", job.namespace, *job.others)) for job in jobs_of(item)]
        return [*earlier, ("kubectl", (*APPLY, "-f", f"{prefix}{item.name}.yaml"))]
    if isinstance(item, Remote):
        place = f"{mirror}/{remote_path(item)}" if mirror else item.url
        return [("kubectl", (*APPLY, "-k" if is_tree(item) else "-f", place))]
    if isinstance(item, Release):
        chart = item.chart
        where = (
            (f"{mirror}/{chart_path(chart)}",)
            if mirror
            else (chart.name, "--repo", chart.repository, "--version", chart.version)
        )
        waits = ("--wait", "--timeout", "900s") if item.waits else ()
        values = f"{prefix}{item.name}.values.yaml"
        rest = ("--namespace", item.namespace, "--values", values)
        return [("helm", ("upgrade", "--install", item.name, *where, *waits, *rest))]
    if isinstance(item, Wait):
        namespace = (f"--namespace={item.namespace}",) if item.namespace else ()
        look = [("kubectl", (*namespace, "get", item.kind, item.name))] if item.name != "--all" else []
        return [*look, ("kubectl", (*namespace, *item.words(item.seconds)))]
    assert isinstance(item, NeededSecrets)
    return [call for needed in item.secrets for call in _secret_calls(needed)]


def _secret_calls(needed: Any) -> list[tuple[str, tuple[str, ...]]]:
    where = ("--namespace", needed.namespace)
    made = (
        *("create", "secret", "generic", needed.name),
        *(("--type=kubernetes.io/basic-auth",) if needed.username else ()),
        *((f"--from-literal=username={needed.username}",) if needed.username else ()),
        f"--from-file={needed.key}=/dev/stdin",
    )
    labels = tuple(f"{key}={value}" for key, value in needed.labels)
    labelled = [("kubectl", (*where, "label", "secret", needed.name, *labels))] if labels else []
    return [
        ("kubectl", (*where, "get", "secret", needed.name)),
        ("openssl", ("rand", "-hex", "24")),
        ("kubectl", (*where, *made)),
        *labelled,
    ]


def test_everything_is_applied_in_order_and_passwords_are_no_arguments(tree: Tree) -> None:
    done = tree.run()
    assert (done.returncode, done.stderr) == (0, "")
    noted = tree.noted()
    assert [(name, words) for name, words, _ in noted] == expected(tree)
    assert {told for _, words, told in noted if "create" in words} == {PASSWORD}
    assert not any(PASSWORD in word for _, words, _ in noted for word in words)
    assert PASSWORD not in done.stdout
    for stage in build_stages(tree.design):
        assert f"\n== {stage.title}\n" in done.stdout


def test_every_named_file_is_in_the_tree(tree: Tree) -> None:
    tree.run()
    named = [
        words[-1] for _, words, _ in tree.noted() if words[-1].endswith(".yaml") and "//" not in words[-1]
    ]
    assert len(named) > 20
    assert [name for name in named if not (tree.folder / "tree" / name).is_file()] == []


def test_a_secret_that_is_there_is_left_alone(tree: Tree) -> None:
    names = [
        one.name for item in items(tree.design) if isinstance(item, NeededSecrets) for one in item.secrets
    ]
    assert len(names) > 2
    done = tree.run(secrets=" ".join(names[1:]))
    assert done.returncode == 0
    assert [words[5] for _, words, _ in tree.noted() if "create" in words] == names[:1]
    assert sum(name == "openssl" for name, _, _ in tree.noted()) == 1


def test_without_a_password_no_secret_is_made(tree: Tree) -> None:
    done = tree.run(BROKEN="openssl")
    assert done.returncode == 1
    assert [words for _, words, _ in tree.noted() if "create" in words] == []


def test_one_stage_and_all_that_follow_one(tree: Tree) -> None:
    assert tree.run("10-namespaces").returncode == 0
    assert [words[-1] for _, words, _ in tree.noted()] == ["10-namespaces/10-namespaces.yaml"]
    assert tree.run("--from", "50-storage").returncode == 0
    noted = [(name, words) for name, words, _ in tree.noted()]
    everything = expected(tree)
    assert noted == everything[-len(noted) :]
    assert noted[0][1][:3] == ("upgrade", "--install", "rook-ceph")


def test_a_job_s_predecessors_go_right_before_it_comes(tree: Tree) -> None:
    tree.run("74-cdn")
    asked = [words for _, words, _ in tree.noted()]
    where = next(n for n, words in enumerate(asked) if "delete" in words)
    applied = (tree.folder / "tree" / asked[where + 1][-1]).read_text()
    job = next(one for one in yaml.safe_load_all(applied) if one["kind"] == "Job")
    assert job["metadata"]["labels"]["rookery.io/job"] == "site-publisher"
    assert asked[where] == (
        *("--namespace", "media", "delete", "jobs", "--selector", "rookery.io/job=site-publisher"),
        *("--field-selector", f"metadata.name!={job['metadata']['name']}", "--cascade=foreground"),
    )


@pytest.mark.parametrize("words", [("55-storage",), ("--from", "55-storage")])
def test_a_stage_that_does_not_exist_is_said(tree: Tree, words: tuple[str, ...]) -> None:
    done = tree.run(*words)
    assert (done.returncode, done.stderr) == (2, "apply.sh: there is no stage 55-storage\n")
    assert not (tree.folder / "notes").exists()


def test_it_ends_where_something_fails(tree: Tree) -> None:
    done = tree.run(BROKEN="cilium")
    assert done.returncode == 7
    noted = tree.noted()
    assert noted[-1][:1] == ("helm",)
    assert len(noted) < len(expected(tree))


def test_what_never_appears_is_said(tree: Tree) -> None:
    done = tree.run("30-foundation", BROKEN="rookery-ca")
    said = "apply.sh: there is no clusterissuer rookery-ca after 60 s\n"
    assert (done.returncode, done.stderr) == (1, said)
    looks = ("kubectl", ("get", "clusterissuer", "rookery-ca"), "")
    assert tree.noted()[-60:] == [looks] * 60


def _without(tree: Tree, *absent: str) -> str:
    """Return a PATH that has the shell's own tools, and none of those programs."""
    for name in absent:
        (tree.programs / name).unlink(missing_ok=True)
    for name in ("sh", "dirname", "cat"):
        found = shutil.which(name)
        assert found is not None
        (tree.programs / name).symlink_to(found)
    return str(tree.programs)


def test_every_missing_program_is_named_before_anything_is_done(tree: Tree) -> None:
    done = tree.run(PATH=_without(tree, "helm", "git"))
    assert (done.returncode, done.stderr) == (3, "apply.sh: helm is missing\napply.sh: git is missing\n")
    assert not (tree.folder / "notes").exists()


def test_git_fetches_a_folder_of_objects_where_no_mirror_has_it(tree: Tree) -> None:
    path = _without(tree, "git")
    assert any(isinstance(item, Remote) and is_tree(item) for item in items(tree.design))
    assert tree.run(PATH=path).stderr == "apply.sh: git is missing\n"
    (tree.folder / "mirror").mkdir()
    (tree.folder / "mirror/index.json").write_text("{}")
    done = tree.run(PATH=path, ROOKERY_MIRROR="mirror")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_locale_is_the_script_s_own(tree: Tree) -> None:
    (tree.programs / "kubectl").write_text('#!/bin/sh\necho "$LC_ALL $LANGUAGE" >> "$NOTES"\n')
    tree.run("10-namespaces", LC_ALL="de_DE.ISO-8859-1", LANGUAGE="de")
    assert (tree.folder / "notes").read_text() == "C.UTF-8 \n"


def test_a_mirror_takes_the_place_of_the_net(tree: Tree) -> None:
    mirror = tree.folder / "a mirror"
    mirror.mkdir()
    (mirror / "index.json").write_text("{}")
    # A relative path counts from where the script was called, not from where it is.
    done = tree.run(ROOKERY_MIRROR="a mirror")
    assert (done.returncode, done.stderr) == (0, "")
    noted = tree.noted()
    assert [(name, words) for name, words, _ in noted] == expected(tree, str(mirror))
    assert not any("://" in word for _, words, _ in noted for word in words)


def test_a_mirror_that_is_none_is_refused(tree: Tree) -> None:
    done = tree.run(ROOKERY_MIRROR="/nowhere")
    said = "apply.sh: ROOKERY_MIRROR=/nowhere is no mirror: it has no index.json\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert not (tree.folder / "notes").exists()
