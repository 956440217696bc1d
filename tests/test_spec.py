"""Text to Spec: what is accepted, and the whole text of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.apps.table import SETTINGS
from rookery.errors import ExitCode, InputError
from rookery.spec.load import load_spec, read_pattern
from rookery.spec.model import ErasureCoding, Spec
from rookery.spec.parse import parse_spec
from rookery.spec.strict import UnreadableError

HINT = "\n  `rookery schema` prints the JSON Schema that editors complete from."


def parse(text: str, **patterns: str) -> Spec:
    """Parse `text` as demo.yaml; `patterns` are texts of patterns by name."""

    def read(name: str) -> tuple[str, str]:
        if name in patterns:
            return f"pattern:{name}", patterns[name]
        return read_pattern(name, relative_to=Path())

    return parse_spec(text, file="demo.yaml", settings=SETTINGS, read_pattern=read)


def problems(text: str, **patterns: str) -> str:
    """Return the whole text of the error that `text` gives."""
    with pytest.raises(UnreadableError) as caught:
        parse(text, **patterns)
    assert caught.value.exit_code is ExitCode.INPUT_WRONG
    return str(caught.value)


def one(line: str) -> str:
    """Return what is said of one problem; that the schema has all keys helps where the text is YAML."""
    helps = "not valid YAML" not in line and "there is no pattern" not in line
    return f"the spec has a problem\n    {line}{HINT if helps else ''}"


def test_a_spec_needs_its_version_only() -> None:
    spec = parse("apiVersion: rookery/v1\n")
    assert (spec.name, spec.provider, spec.platform) == ("rookery-demo", "lab", None)
    assert (spec.hosts.control_plane.count, spec.hosts.workers.count, spec.hosts.storage.count) == (1, 2, 4)
    assert spec.apps.chosen() == ()


def test_sizes_are_bytes_with_units_of_tens_and_of_twos() -> None:
    spec = parse("apiVersion: rookery/v1\nhosts: {storage: {memory: 4GiB, disk: 20GB}}\n")
    assert (spec.hosts.storage.memory, spec.hosts.storage.disk) == (4294967296, 20000000000)


def test_all_problems_are_reported_at_once_with_file_line_and_path() -> None:
    text = (
        "apiVersion: rookery/v1\n"
        "name: My_Demo\n"
        "provider: azure\n"
        "hosts:\n"
        "  storage:\n"
        "    drives:\n"
        "      - size: 20GB\n"
        "      - size: 1GB\n"
        "        class: tape\n"
        "storage:\n"
        "  mons: 0\n"
        "network:\n"
        "  public: everywhere\n"
    )
    assert problems(text) == (
        "the spec has 6 problems\n"
        "    demo.yaml:2: name: is 'My_Demo'; use lower-case letters, digits and dashes, a letter first\n"
        "    demo.yaml:3: provider: is 'azure'; it must be 'lab', 'hetzner', 'aws', 'gcp' or 'existing'\n"
        "    demo.yaml:8: hosts.storage.drives[1].size: is '1GB'; it must be at least 5 GB\n"
        "    demo.yaml:9: hosts.storage.drives[1].class: is 'tape'; it must be 'hdd', 'ssd' or 'nvme'\n"
        "    demo.yaml:11: storage.mons: is 0; it must be at least 1\n"
        "    demo.yaml:13: network.public: is 'everywhere'; write an IPv4 network like 10.20.0.0/24" + HINT
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("hosts: {storage: {dirves: []}}", "hosts.storage.dirves: unknown key; did you mean `drives`?"),
        (
            "hosts: {control_plane: {count: 3}}",
            "hosts.control_plane: unknown key; did you mean `controlPlane`?",
        ),
        ("apps: {cdn: {edge: 2}}", "apps.cdn.edge: unknown key; did you mean `edges`?"),
        ("apps: {blog: {}}", "apps.blog: unknown key; known: database, streaming, catalogue, cdn"),
        (
            "speed: fast",
            (
                "speed: unknown key; known: apiVersion, name, description, provider, lease, platform, hosts,"
                " network, storage, kubernetes, apps, backup, pattern"
            ),
        ),
        ("hosts: {workers: {count: yes}}", "hosts.workers.count: is 'yes'; it must be a whole number"),
        ("hosts: {workers: {count: true}}", "hosts.workers.count: is true; it must be a number"),
        ("hosts: {workers: {count: 1:30}}", "hosts.workers.count: is '1:30'; it must be a whole number"),
        (
            "hosts: {workers: {count: 017}}",
            "hosts.workers.count: is 017, a number with a zero before it; others read 15; write 17",
        ),
        (
            "hosts: {workers: {count: 09}}",
            "hosts.workers.count: is 09, a number with a zero before it; write 9",
        ),
        ("hosts: {workers: {count: 0b11}}", "hosts.workers.count: is '0b11'; it must be a whole number"),
        ("hosts: {workers: {count: .5}}", "hosts.workers.count: is .5; it must be a whole number"),
        ("hosts: {workers: {count: .NaN}}", "hosts.workers.count: is .NaN; it must be a whole number"),
        (
            "hosts: {workers: {memory: -.inf}}",
            "hosts.workers.memory: is -.inf; write a size with its unit, like 20GB or 4GiB",
        ),
        ("kubernetes: {version: 1.30}", "kubernetes.version: is 1.30; it must be text; put it in quotes"),
        (
            'kubernetes: {version: "1.30.2"}',
            """kubernetes.version: is '1.30.2'; write a minor version in quotes, like "1.36\"""",
        ),
        ("description: 1e3", "description: is 1e3; it must be text; put it in quotes"),
        (
            "hosts: {storage: {also: [worker, control-plane, worker]}}",
            "hosts.storage.also: names worker more than once; keep one",
        ),
        (
            "hosts: {workers: {addresses: [10.0.0.1, 10.0.0.1]}}",
            "hosts.workers.addresses: names 10.0.0.1 more than once; keep one",
        ),
        (
            "hosts: {workers: {addresses: [10.0.0.256]}}",
            (
                "hosts.workers.addresses[0]: is no IPv4 address: Octet 256 (> 255) not permitted in"
                " '10.0.0.256'"
            ),
        ),
        ("network: {balancer: here}", "network.balancer: is 'here'; write an IPv4 address like 10.20.0.5"),
        (
            "kubernetes: {pods: 10.244.0.1/16}",
            "kubernetes.pods: is no IPv4 network: 10.244.0.1/16 has host bits set",
        ),
        (
            "kubernetes: {domain: a..b}",
            "kubernetes.domain: has a part of 0 characters between dots; each has 1 to 63",
        ),
        (
            f"kubernetes: {{domain: {'a' * 64}}}",
            "kubernetes.domain: has a part of 64 characters between dots; each has 1 to 63",
        ),
        (
            "kubernetes: {domain: a.-b}",
            "kubernetes.domain: has the part '-b'; none may begin or end with a hyphen",
        ),
        (
            "kubernetes: {domain: a-.b}",
            "kubernetes.domain: has the part 'a-'; none may begin or end with a hyphen",
        ),
        (
            f"kubernetes: {{domain: {'.'.join(['a' * 8] * 30)}}}",
            (
                "kubernetes.domain: has 269 characters; with `dashboard.` before it a name has at most 253,"
                " so 243 are left"
            ),
        ),
        (
            "kubernetes: {domain: A.b}",
            (
                "kubernetes.domain: is 'A.b'; use lower-case letters, digits, hyphens and dots, like"
                " demo.example.org"
            ),
        ),
        ("apps: {cdn: {edges: true}}", "apps.cdn.edges: is true; it must be a number"),
        ("hosts: {workers: {count: two}}", "hosts.workers.count: is 'two'; it must be a whole number"),
        ("hosts: {workers: {count: 1.5}}", "hosts.workers.count: is 1.5; it must be a whole number"),
        ("network: {encryption: maybe}", "network.encryption: is 'maybe'; it must be true or false"),
        (
            "hosts: {workers: {memory: 4}}",
            (
                "hosts.workers.memory: is 4; it must be at least 512 MiB; without a unit these are bytes,"
                " write 4GB or the like"
            ),
        ),
        (
            "hosts: {workers: {memory: much}}",
            "hosts.workers.memory: is 'much'; write a size with its unit, like 20GB or 4GiB",
        ),
        ("network: {mtu: 9001}", "network.mtu: is 9001; it must be at most 9000"),
        ("hosts: {storage: {drives: []}}", "hosts.storage.drives: is []; it must have at least one item"),
        ("hosts: {storage: {drives: 2}}", "hosts.storage.drives: is 2; it must be a list"),
        ("hosts:", "hosts: is empty; it must be a mapping of keys"),
        (
            "name: 2026-01-01",
            "name: is '2026-01-01'; use lower-case letters, digits and dashes, a letter first",
        ),
        ("a: b: c", "not valid YAML: mapping values are not allowed in this context"),
        ("apps: &all {cdn: *all}", "apps.cdn: repeats a value by its anchor (`*`); write the value out"),
        ("? [a]\n: 3", "keys are plain words here"),
        ("<<: {name: x}", "keys are plain words here"),
        (
            "name: !!python/name:os.system",
            "name: cannot be read: the tag tag:yaml.org,2002:python/name:os.system",
        ),
        ("hosts:\n\tstorage: 1", "not valid YAML: a tab stands where a line is indented; use blanks"),
        ("name: a\x00b", "not valid YAML: control characters are not allowed"),
        ("name: " + "[" * 50 + "]" * 50, "nests deeper than 32 levels; no spec does"),
        (
            "storage: {block: {pool: {replicas: 2, erasureCoding: {k: 2, m: 1}}}}",
            (
                "storage.block.pool: has both replicas and erasureCoding: a pool's data is kept in one way;"
                " drop one"
            ),
        ),
    ],
)
def test_a_problem_says_what_and_where(body: str, line: str) -> None:
    number = 3 if "\t" in body else 2
    assert problems(f"apiVersion: rookery/v1\n{body}\n") == one(f"demo.yaml:{number}: {line}")


def test_plain_words_are_what_yaml_1_2_says() -> None:
    """Each where YAML 1.1 reads something else, or readers of it disagree."""
    text = (
        "apiVersion: rookery/v1\nname: no\ndescription: 2026-01-01\nnetwork: {encryption: on, mtu: 1_400}\n"
        "hosts: {workers: {count: 1e1}, storage: {count: 0o11}}\n"
    )
    for written in (text, f"\ufeff{text}", text.replace("\n", "\r\n")):
        spec = parse(written)
        assert (spec.name, spec.description, spec.network.encryption) == ("no", "2026-01-01", True)
        assert (spec.network.mtu, spec.hosts.workers.count, spec.hosts.storage.count) == (1400, 10, 9)


@pytest.mark.parametrize("domain", ["1.2.3", "a-b--c.d-e.internal", "xn--bcher-kva.example", "a", "a" * 63])
def test_domains_that_pass_everywhere(domain: str) -> None:
    assert parse(f'apiVersion: rookery/v1\nkubernetes: {{domain: "{domain}"}}\n').kubernetes.domain == domain


def test_a_key_that_stands_twice() -> None:
    assert problems("apiVersion: rookery/v1\nname: one\nname: two\n") == one(
        "demo.yaml:3: name: stands twice; keep one"
    )


def test_native_is_for_the_lab() -> None:
    assert problems("apiVersion: rookery/v1\nprovider: hetzner\nplatform: native\n") == one(
        "demo.yaml:1: platform: native runs on provider: lab only, not on hetzner; use platform: kubernetes"
    )


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file(text: str) -> None:
    assert problems(text) == one(
        "demo.yaml:1: the file is empty; a spec starts with `apiVersion: rookery/v1`"
    )


def test_what_is_no_spec() -> None:
    assert problems("- 1\n") == one(
        "demo.yaml:1: a spec is a mapping that starts with `apiVersion: rookery/v1`"
    )
    assert problems("name: x\n") == one("demo.yaml:1: apiVersion: is missing; write `apiVersion: rookery/v1`")
    assert problems("apiVersion: rookery/v2\n") == one(
        "demo.yaml:1: apiVersion: is 'rookery/v2'; it must be 'rookery/v1'"
    )


def test_a_spec_lies_over_its_pattern_key_by_key_and_lists_are_replaced() -> None:
    base = (
        "apiVersion: rookery/v1\n"
        "name: base\n"
        "hosts: {storage: {count: 5, drives: [{count: 2}, {count: 1, class: hdd}]}}\n"
        "storage: {mons: 5, block: {pool: {replicas: 2}}}\n"
    )
    spec = parse(
        "apiVersion: rookery/v1\npattern: base\n"
        "hosts: {storage: {drives: [{count: 3}]}}\n"
        "storage: {block: {pool: {erasureCoding: {k: 2, m: 2}}}}\n",
        base=base,
    )
    assert spec.name == "base"
    assert (spec.hosts.storage.count, spec.storage.mons) == (5, 5)
    assert [drives.count for drives in spec.hosts.storage.drives] == [3]
    assert spec.storage.block.pool.erasure_coding == ErasureCoding(k=2, m=2)


def test_an_application_of_the_pattern_can_be_left_out() -> None:
    spec = parse(
        "apiVersion: rookery/v1\npattern: production-minimum\napps: {streaming: null, catalogue: null}\n"
    )
    assert [name for name, _ in spec.apps.chosen()] == ["database", "cdn"]


def test_patterns_build_on_patterns() -> None:
    first = "apiVersion: rookery/v1\nstorage: {mons: 5, mgrs: 3}\n"
    second = "apiVersion: rookery/v1\npattern: first\nstorage: {mgrs: 4}\n"
    spec = parse("apiVersion: rookery/v1\npattern: second\nname: top\n", first=first, second=second)
    assert (spec.name, spec.storage.mons, spec.storage.mgrs) == ("top", 5, 4)


def test_a_problem_in_a_pattern_names_the_patterns_file() -> None:
    base = "apiVersion: rookery/v1\n\nstorage: {mons: many}\n"
    text = problems("apiVersion: rookery/v1\npattern: base\nstorage: {mgrs: 0}\n", base=base)
    assert text == (
        "the spec has 2 problems\n"
        "    demo.yaml:3: storage.mgrs: is 0; it must be at least 1\n"
        "    pattern:base:3: storage.mons: is 'many'; it must be a whole number" + HINT
    )


def test_patterns_in_a_circle() -> None:
    first = "apiVersion: rookery/v1\npattern: second\n"
    second = "apiVersion: rookery/v1\nname: x\npattern: first\n"
    text = problems("apiVersion: rookery/v1\npattern: first\n", first=first, second=second)
    assert text == one(
        "pattern:second:3: pattern: builds on itself:"
        " demo.yaml -> pattern:first -> pattern:second -> pattern:first"
    )


def test_a_pattern_that_does_not_exist() -> None:
    assert problems("apiVersion: rookery/v1\npattern: production-maximum\n") == one(
        "demo.yaml:2: pattern: there is no pattern 'production-maximum'. Did you mean production-minimum?"
    )
    assert problems("apiVersion: rookery/v1\npattern: other\n") == one(
        "demo.yaml:2: pattern: there is no pattern 'other'. Known: compact, database,"
        " file-heavy, ha-control-plane, hyperconverged, object-heavy, production-minimum, or the path"
        " of a spec."
    )
    assert problems("apiVersion: rookery/v1\npattern: [a]\n") == one(
        "demo.yaml:2: pattern: is a pattern's name or the path of a spec"
    )


def test_a_pattern_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("apiVersion: rookery/v1\nstorage: {mons: 5}\n")
    (tmp_path / "demo.yaml").write_text("apiVersion: rookery/v1\npattern: ./base.yaml\n")
    assert load_spec(tmp_path / "demo.yaml", settings=SETTINGS).storage.mons == 5


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(InputError) as caught:
        load_spec(missing, settings=SETTINGS)
    assert str(caught.value) == (f"there is no file {missing}\n  `rookery init` writes a spec to start from.")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"apiVersion: rookery/v1\nname: \xe9\n")
    with pytest.raises(InputError) as caught:
        load_spec(latin, settings=SETTINGS)
    assert str(caught.value) == f"{latin} is not UTF-8 text\n  Save it as UTF-8."
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path, settings=SETTINGS)
    assert str(caught.value) == f"{tmp_path} cannot be read: Is a directory"


def test_a_patterns_description_is_not_said_of_other_servers() -> None:
    """It says how many there are and what they survive."""
    base = "apiVersion: rookery/v1\nname: base\ndescription: Seven servers.\n"
    spec = parse("apiVersion: rookery/v1\npattern: base\nhosts: {storage: {count: 5}}\n", base=base)
    assert spec.description == "The pattern base, with hosts of its own."
    spec = parse("apiVersion: rookery/v1\npattern: base\nname: mine\n", base=base)
    assert spec.description == "Seven servers."
    own = "description: Mine.\nhosts: {storage: {count: 5}}\n"
    assert parse(f"apiVersion: rookery/v1\npattern: base\n{own}", base=base).description == "Mine."
