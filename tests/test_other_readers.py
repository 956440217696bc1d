"""Texts that a spec leaves free, as readers of another make take them: each file by who reads it.

What is free is little: a description, the folders of site and films, names of files. Everything else has a
form of its own, and the first tests show what that keeps out. The rest gives hostile but valid values, and
asks the reader itself, or another of its kind, what it understood.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from markdown_it import MarkdownIt

from rookery.apps.catalogue.seed import Title, render_seed
from rookery.files import Program
from rookery.projections.kubernetes.emit import as_comment
from rookery.projections.native.ceph_conf import render_ceph_conf
from rookery.projections.native.haproxy import render_haproxy
from rookery.projections.native.server import render_server
from rookery.projections.native.supervisor_conf import render_supervisor_conf
from rookery.releases import DEFAULT_RELEASE
from rookery.spec.strict import UnreadableError
from rookery.systems.native.root import image_root
from rookery.texts import shell_word
from tests.kit.hostile_texts import NAMES, SHOWN, hostile, on_kubernetes, read, tree
from tests.kit.servers_image import MISSING
from tests.kit.streaming_programs import guest

# What never gets that far

DOMAIN_FORM = "use lower-case letters, digits, hyphens and dots, like demo.example.org"
REFUSED = (
    ("name: 'a b'", "name: is 'a b'; use lower-case letters, digits and dashes, a letter first"),
    ("name: 'a%s'", "name: is 'a%s'; use lower-case letters, digits and dashes, a letter first"),
    ('name: "a\\n"', "name: is 'a\\n'; use lower-case letters, digits and dashes, a letter first"),
    ("name: 'ä'", "name: is 'ä'; use lower-case letters, digits and dashes, a letter first"),
    (
        "kubernetes: {domain: 'a;b.c'}",
        f"kubernetes.domain: is 'a;b.c'; {DOMAIN_FORM}",
    ),
    (
        'kubernetes: {version: "1.\\u0663\\u0666"}',
        "kubernetes.version: is '1.٣٦'; write a minor version in quotes, like \"1.36\"",
    ),
    (
        'network: {public: "10.\\u0663.0.0/24"}',
        "network.public: is '10.٣.0.0/24'; write an IPv4 network like 10.20.0.0/24",
    ),
    (
        "hosts: {workers: {memory: '4GB, 5'}}",
        "hosts.workers.memory: is '4GB, 5'; write a size with its unit, like 20GB or 4GiB",
    ),
    (
        'hosts: {workers: {disk: "20GB\\n%"}}',
        "hosts.workers.disk: is '20GB\\n%'; write a size with its unit, like 20GB or 4GiB",
    ),
    (
        "hosts: {workers: {disk: 20GB/s}}",
        "hosts.workers.disk: is '20GB/s'; write a size with its unit, like 20GB or 4GiB",
    ),
    (
        'hosts: {workers: {disk: "\\u0662\\u0660GB"}}',
        "hosts.workers.disk: is '\u0662\u0660GB'; write a size with its unit, like 20GB or 4GiB",
    ),
    (
        "apps: {cdn: {site: ''}}",
        "apps.cdn.site: is empty; name a folder, `.` for the one that the spec is in",
    ),
    (
        'apps: {streaming: {media: "a\\0b"}}',
        "apps.streaming.media: has a NUL character, which no name of a folder has",
    ),
)


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_has_a_form_is_refused_in_any_other(line: str, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read(f"apiVersion: rookery/v1\n{line}\n")
    assert [str(problem) for problem in caught.value.problems] == [f"x:2: {message}"]


def test_a_description_becomes_one_line_that_can_be_shown() -> None:
    assert hostile().description == SHOWN


# Shells


@pytest.mark.parametrize("name", NAMES)
def test_bash_reads_a_folder_s_name_as_it_is(name: str) -> None:
    word = shell_word(name)
    done = subprocess.run(
        ["bash", "-c", f"printf %s {word}"], capture_output=True, timeout=10, check=False, env={"LC_ALL": "C"}
    )
    assert (done.returncode, done.stdout) == (0, name.encode("utf-8", "surrogateescape"))
    assert word.isprintable()
    # A comment's lines are wrapped at spaces, and no two of them stand together.
    assert " ".join(line[2:] for line in as_comment(f"cd {word}").splitlines()) == f"cd {word}"


@pytest.mark.parametrize("name", [name for name in NAMES if "\udce9" not in name])
def test_the_guide_s_commands_are_code_that_bash_can_read(name: str) -> None:
    folder = f"/srv/{name}"
    files = tree(on_kubernetes(folder))
    found = code(files["README.md"])
    fences = [text for kind, text in found if kind == "fence"]
    for text in (*fences, files["apply.sh"]):
        done = subprocess.run(
            ["bash", "-n"], input=text.encode(), capture_output=True, timeout=10, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
    given = shell_word(folder)
    assert [text.count(given) for text in fences if given in text] == [1]
    assert [text.startswith(f"tar -C {given} -ch . | kubectl ") for kind, text in found if given in text] == [
        True,
        False,
    ]


def code(text: str) -> list[tuple[str, str]]:
    """Return what Markdown takes for code: fenced blocks of a shell, and spans."""
    found = []
    for token in MarkdownIt().parse(text):
        assert token.type != "html_block", token.content
        if token.type == "fence":
            found.append(("fence", token.content))
        for inner in token.children or ():
            assert inner.type != "html_inline", inner.content
            if inner.type == "code_inline":
                found.append(("span", inner.content))
    return found


# YAML's comments, Ansible, Helm, Flux, kubelet


@pytest.mark.parametrize("name", [name for name in NAMES if "\udce9" not in name])
def test_a_folder_s_name_stays_in_its_comment(name: str) -> None:
    text = tree(on_kubernetes(f"/srv/{name}"))["72-streaming/04-source.yaml"]
    plain = tree(on_kubernetes("/srv/plain"))["72-streaming/04-source.yaml"]
    assert list(yaml.safe_load_all(text)) == list(yaml.safe_load_all(plain))


TEMPLATED = {
    "kubeadm": {"api_url": "https://{{ endpoint }}", "kubeconfig_file": "{{ playbook_dir }}/kubeconfig"}
}


@pytest.mark.parametrize("bootstrap", ["kubeadm", "kubeone"])
def test_ansible_finds_no_template_but_ours(bootstrap: str) -> None:
    """Jinja2 reads every variable that is used: each comes out as it went in."""
    files = tree(on_kubernetes(bootstrap=bootstrap))
    loader = DataLoader()
    variables = loader.load(files["00-bootstrap/group_vars/all.yaml"])
    ours = {name: variables.pop(name) for name in TEMPLATED.get(bootstrap, {})}
    assert ours == TEMPLATED.get(bootstrap, {})
    inventory = loader.load(files["00-bootstrap/inventory.yaml"])
    assert Templar(loader).template(variables) == variables
    assert Templar(loader).template(inventory) == inventory
    assert "{{" not in json.dumps([variables, inventory])


def test_helm_and_flux_find_nothing_to_replace() -> None:
    """Charts pass some values through `tpl`, Flux replaces `${...}` where it is asked to."""
    files = tree(on_kubernetes(), gitops="flux")
    values = {path: text for path, text in files.items() if path.endswith(".values.yaml")}
    assert values
    assert [path for path, text in values.items() if "{{" in str(yaml.safe_load(text))] == []
    assert [path for path, text in files.items() if "postBuild" in text and path.startswith("flux/")] == []


@pytest.mark.parametrize("site", ["", "apps: {cdn: {site: /a}}\n"])
def test_kubelet_replaces_nothing_in_commands(site: str) -> None:
    """It takes `$$` for `$`, and `$(NAME)` for a variable of the container (Kubernetes, "Define dependent
    environment variables"); what is none of these stays."""
    design = hostile(f"{site}", provider="existing")
    found = []
    for path, text in tree(design).items():
        if path.endswith(".yaml") and not path.endswith(".values.yaml") and path[:2] > "00":
            found += [one for document in yaml.safe_load_all(text) for one in containers(document)]
    assert found
    for one in found:
        names = {each["name"] for each in one.get("env", ())}
        words = [*one.get("command", ()), *one.get("args", ())]
        words += [each["value"] for each in one.get("env", ()) if "value" in each]
        for word in words:
            assert "$$" not in word, word
            found_in = set(re.findall(r"\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)", word))
            # A word that is a variable and nothing else is meant as one.
            assert not names & found_in or word in {f"$({name})" for name in names}, word


def containers(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("containers", "initContainers"):
                yield from value
            yield from containers(value)
    elif isinstance(node, list):
        for value in node:
            yield from containers(value)


# Configuration files of servers


def test_ini_files_say_what_the_design_says() -> None:
    for design in (hostile(), hostile(name="a" * 32)):
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=True)
        parser.read_string(render_ceph_conf(design, fsid="00000000-0000-4000-8000-000000000000"))
        assert parser["global"]["public_network"] == design.network.public
        assert [name for name in parser if SHOWN in str(dict(parser[name]))] == []


WORDS = (
    "a b",
    "x ;y",
    "x #y",
    "%(here)s %s %%",
    "it's",
    '"q"',
    "$HOME `id` \\",
    "",
    ";",
    "#",
    "a\t;b",
    "-x=y z",
)
VALUES = ("a,b", "x;y", "%(ENV_HOME)s", 'say "a" twice', "it's", "/usr/lib:/b", "a=b c")


def test_supervisor_reads_words_and_variables_as_they_are() -> None:
    folder = image_root(DEFAULT_RELEASE) / "usr/lib/python3/dist-packages"
    if not (folder / "supervisor").is_dir():
        pytest.skip(MISSING)
    environment = tuple((f"V{number}", value) for number, value in enumerate(VALUES))
    program = Program(name="x", argv=WORDS, environment=environment)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SUPERVISOR, folder],
        input=render_supervisor_conf((program,)),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    command, variables = json.loads(done.stdout)
    assert tuple(shlex.split(command))[-len(WORDS) :] == WORDS
    assert tuple(variables.items()) == environment


# Its own parser, with the values that it replaces.
_SUPERVISOR = """\
import importlib.util, json, sys, types
sys.path.append(sys.argv[1])
sys.modules.setdefault("pkg_resources", types.ModuleType("pkg_resources"))
from supervisor.options import UnhosedConfigParser
from supervisor.datatypes import dict_of_key_value_pairs
parser = UnhosedConfigParser()
parser.expansions = {"here": "HERE", "program_name": "x", "ENV_HOME": "HOME"}
parser.read_string(sys.stdin.read())
section = "program:x"
variables = dict_of_key_value_pairs(parser.saneget(section, "environment", do_expand=False))
from supervisor.options import expand
variables = {name: expand(value, parser.expansions, name) for name, value in variables.items()}
print(json.dumps([parser.saneget(section, "command"), variables]))
"""


def test_haproxy_takes_the_longest_names(tmp_path: Path) -> None:
    if not shutil.which("haproxy"):
        pytest.skip("there is no haproxy")
    label = "a" * 63
    rest = f"kubernetes: {{domain: {label}.{label}.{label}.{'b' * 40}, network: bridge}}\n"
    files = tree(hostile(rest, provider="existing", name="a" + "-" * 30 + "a"))
    native = hostile(name="a" + "-" * 30 + "a")
    balancer = native.load_balancer
    assert balancer is not None
    for text in (files["haproxy.cfg"], render_haproxy(native, balancer)):
        kept = [line for line in text.splitlines() if line.strip() not in ("user haproxy", "group haproxy")]
        (tmp_path / "haproxy.cfg").write_text("\n".join(kept) + "\n")
        done = subprocess.run(
            ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_scripts_of_servers_are_scripts() -> None:
    design = hostile()
    texts = [
        file.content.decode()
        for host in design.hosts
        for file in render_server(design, host, fsid="00000000-0000-4000-8000-000000000000")
        if file.content.startswith(b"#!/bin/sh") or file.path.endswith(".sh")
    ]
    assert texts
    for text in dict.fromkeys(texts):
        assert subprocess.run(["sh", "-n"], input=text.encode(), check=False).returncode == 0


# Names of films


def test_a_film_s_name_is_text_in_sql_and_plain_in_paths() -> None:
    """What is served below is a slug: playlists, URLs and ffmpeg's arguments have no other."""
    sources = guest("sources")
    for name in NAMES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", sources.slug(name))
    titles = [
        Title(id=f"t{number}", name=sources.readable(name), kind="video", seconds=1)
        for number, name in enumerate(NAMES)
        if "\udce9" not in name
    ]
    script = render_seed(titles, viewers=0, plays=0, owner="o")
    literals = re.findall(r"^    \('t(\d+)', (E?'(?:[^'\\]|''|\\.)*'), 'video', 1\)", script, re.MULTILINE)
    assert [unquoted(text) for _, text in literals] == [
        title.name for title in sorted(titles, key=lambda t: t.id)
    ]
    assert script.replace("\n", "").replace("\t", "").isprintable()


def unquoted(literal: str) -> str:
    """Read a literal as PostgreSQL's scanner does (4.1.2.2 of its documentation)."""
    text = literal.removeprefix("E")[1:-1].replace("''", "'")
    if not literal.startswith("E"):
        return text
    return re.sub(r"\\(U([0-9A-F]{8})|\\)", lambda found: chr(int(found[2], 16)) if found[2] else "\\", text)
