"""YAML that is written here is read as what it was by readers of other makes: 1.1, 1.2 and Go's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rookery.projections.kubernetes.emit import dump

# What some reader takes for something else than a text, where it stands without quotes.
ODD = (
    *(
        "6402913e34",
        "1e3",
        "1E3",
        "+1e-3",
        "1_000",
        "1_0e3",
        "0x_1F",
        "0x1F",
        "0o17",
        "017",
        "08",
        "0b11",
        "-0b1",
    ),
    *(
        "1:30",
        "190:20:30",
        "190:20:30.15",
        ".5",
        "5.",
        "+.5",
        ".inf",
        "-.INF",
        ".NaN",
        "1__",
        "._5",
        "0x1p-2",
    ),
    *("y", "N", "yes", "No", "on", "OFF", "true", "False", "null", "Null", "~", "", "<<", "=", "nan", "inf"),
    *("2026-01-01", "2026-1-1", "2026-01-01 10:00:00", "2026-01-01T10:00:00Z", "12e03", "0e0", "1e400"),
    *(
        "a: b",
        "a #b",
        "- a",
        "? a",
        "%a",
        "@a",
        "`a",
        "!a",
        "&a",
        "*a",
        "{a",
        "[a",
        "|",
        ">",
        "'",
        '"',
        "---",
        "...",
    ),
    *(
        "-_",
        "-_1",
        "\ttab",
        "tab\t",
        " a",
        "a ",
        "a\n",
        "\na",
        " a\nb",
        "a \nb",
        "a\n\n",
        "a\r\nb",
        "a\x85b",
        "a\u2028b\nc",
    ),
    *(
        "\ufeffa",
        "a\ufeff",
        "\x07",
        "\x7f",
        "\x9f",
        "😀",
        "#",
        "{{ x }}",
        "a\n---\nb",
        "a\n...\nb",
        "\t\n",
        "\n \n",
    ),
)
# Hashes that are numbers are rare among random texts: they are asked for.
hashes = st.from_regex(r"[0-9]{1,8}[eE][0-9]{1,3}", fullmatch=True)
numbers = st.text("0123456789_.:+-eExXoObBaAfFnNiIpP", max_size=8)
texts = st.one_of(st.text(max_size=40), numbers, hashes, st.sampled_from(ODD))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, min_size=1, max_size=5)
EVERY_ODD = {"keys": dict.fromkeys(ODD, "here"), "values": list(ODD)}


@given(documents)
@example(EVERY_ODD)
@settings(deadline=None)
def test_a_reader_of_yaml_1_1_reads_what_was_written(document: dict[str, Any]) -> None:
    assert yaml.load(dump((document,)), Loader=yaml.SafeLoader) == document


@given(documents)
@example(EVERY_ODD)
@settings(deadline=None)
def test_a_reader_of_yaml_1_2_reads_what_was_written(document: dict[str, Any]) -> None:
    assert ruamel.yaml.YAML(typ="safe", pure=True).load(dump((document,))) == document


@given(documents)
@settings(deadline=None)
def test_several_documents_stay_several(document: dict[str, Any]) -> None:
    assert list(yaml.safe_load_all(dump((document, document)))) == [document, document]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl: its reader is Go's")
def test_go_reads_what_was_written(tmp_path: Path) -> None:
    """kubectl reads with the library that the API server reads with; without quotes it reads other things."""
    odd = [f"{mantissa}e{exponent}" for mantissa in (1, 6402913, 99999999) for exponent in (0, 3, 34, 999)]
    tried = {f"text-{number}": text for number, text in enumerate((*ODD, *odd))}
    metadata = {"name": "tried", "annotations": tried}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": tried}
    assert go_reads(dump((document,)), tmp_path)["data"] == tried
    unquoted = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tried}\ndata: {hash: 6402913e34, b: y, o: 0o17}\n"
    )
    assert go_reads(unquoted, tmp_path)["data"] == {"hash": 6.402913e40, "b": True, "o": 15}


def go_reads(text: str, folder: Path) -> dict[str, Any]:
    """Return an object as kubectl reads it; it asks no server."""
    path = folder / "tried.yaml"
    path.write_text(text, encoding="utf-8")
    argv = ["kubectl", "annotate", "--local", "--filename", str(path), "seen=yes", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
