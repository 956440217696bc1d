"""The catalogue without servers: its SQL as text, its settings, its TLS."""

from __future__ import annotations

import _ssl
import contextlib
import ctypes
import importlib
import re
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.catalogue.quoting import quote_name, quote_text
from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import Title, render_seed
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.errors import InputError
from tests.kit.loopback import write_certificate

TITLE = Title(id="dawn", name="Dawn", kind="video", seconds=596)
STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(st.text(STORABLE), st.text("'\\\"\n\r:$;-E"))


def read_literal(sql: str) -> str:
    """Read one SQL literal as PostgreSQL does; fail where it is not exactly one."""
    escapes = sql.startswith("E")
    body = re.fullmatch(r"E?'((?:[^'\\]|''|\\.)*)'" if escapes else r"'((?:[^']|'')*)'", sql, re.DOTALL)
    assert body is not None, sql
    if not escapes:
        return body[1].replace("''", "'")
    token = re.compile(r"''|\\\\|\\U([0-9A-F]{8})")
    return token.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[0][0], body[1])


@given(TEXTS)
def test_a_text_stays_one_literal_on_one_line(text: str) -> None:
    quoted = quote_text(text)
    assert read_literal(quoted) == text
    assert len(quoted.splitlines()) == 1


@given(st.text(STORABLE, min_size=1, max_size=15))
def test_a_name_stays_one_name(name: str) -> None:
    quoted = quote_name(name)
    assert re.fullmatch(r'"(?:[^"]|"")*"', quoted, re.DOTALL)
    assert quoted[1:-1].replace('""', '"') == name


@pytest.mark.parametrize("text", ["a\0b", "\ud83c"])
def test_what_postgresql_cannot_store_is_refused(text: str) -> None:
    for refuse in (quote_text, quote_name):
        with pytest.raises(InputError, match="which PostgreSQL cannot store"):
            refuse(text)
    with pytest.raises(InputError, match="which PostgreSQL cannot store"):
        render_seed([replace(TITLE, name=text)], viewers=0, plays=0, owner="o")


@pytest.mark.parametrize("name", ["", "ö" * 32])
def test_a_name_that_postgresql_would_change_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="it takes 1 to 63 bytes"):
        render_schema(owner=name, user="u")


def test_owner_and_user_differ() -> None:
    with pytest.raises(InputError) as refused:
        render_schema(owner="same", user="same")
    assert str(refused.value) == (
        "the catalogue's owner and its user are both 'same'\n"
        "  A table's owner may do anything to it: give the service a role of its own."
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"id": "a/b"}, "title 'a/b': its id is part of an address, and cannot be that"),
        ({"id": ""}, "title '': its id is part of an address, and cannot be that"),
        ({"id": "-a"}, "title '-a': its id is part of an address, and cannot be that"),
        ({"id": "é"}, "title 'é': its id is part of an address, and cannot be that"),
        ({"id": "a" * 101}, "its id is part of an address, and cannot be that"),
        ({"kind": "text"}, "title 'dawn': its kind is 'text', not one of video, audio"),
        ({"seconds": -1}, "title 'dawn': -1 is no length in seconds"),
        ({"name": ""}, "title 'dawn': it has no name"),
    ],
)
def test_a_title_that_cannot_be_is_refused(change: dict[str, str | int], text: str) -> None:
    title = replace(TITLE, **change)  # type: ignore[arg-type] # each case changes one field to its own type
    with pytest.raises(InputError, match=re.escape(text)):
        render_seed([title], viewers=0, plays=0, owner="o")


def test_a_title_is_there_once() -> None:
    with pytest.raises(InputError, match="title 'dawn' is in the catalogue twice"):
        render_seed([TITLE, replace(TITLE, name="Other")], viewers=0, plays=0, owner="o")


@given(st.permutations([replace(TITLE, id=each) for each in ("b", "a", "C", "a.b")]))
def test_the_order_of_titles_does_not_matter(titles: list[Title]) -> None:
    ordered = sorted(titles, key=lambda title: title.id)
    assert render_seed(titles, viewers=3, plays=4, owner="o") == render_seed(
        ordered, viewers=3, plays=4, owner="o"
    )


@pytest.mark.parametrize("counts", [(-1, 0), (0, -1), (2**31, 0)])
def test_counts_are_counts(counts: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="is not within 0 to 2147483647"):
        render_seed([TITLE], viewers=counts[0], plays=counts[1], owner="o")


def test_the_script_does_not_grow_with_what_it_invents() -> None:
    few, many = (render_seed([TITLE], viewers=n, plays=n, owner="o") for n in (1, 50_000_000))
    assert len(many) - len(few) < 20


def test_roles_are_named_as_they_are() -> None:
    script = render_schema(owner='odd "owner"', user="o'user")
    assert 'AUTHORIZATION "odd ""owner"""' in script
    assert 'GRANT USAGE ON SCHEMA catalogue TO "o\'user";' in script
    assert "format(change, current_database(), 'o''user')" in script


def test_settings_begin_with_a_believable_site() -> None:
    assert CatalogueSettings().model_dump() == {"instances": None, "viewers": 20_000, "plays": 300_000}


def test_errors_that_libpq_leaves_behind_do_not_reach_clients(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    service = str(Path(__file__).parents[1] / "src/rookery/apps/catalogue/service")
    openssl = ctypes.PyDLL(_ssl.__file__)
    sys.path.insert(0, service)
    try:
        cleared = importlib.import_module("catalogue.tls").ClearedObject
    finally:
        sys.path.remove(service)

    def reads(kind: type[ssl.SSLObject]) -> bytes:
        """Have a server of this kind wait for a client, and read, while another's error is in the queue."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        context.sslobject_class = kind
        trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(up, down, server_side=True)
        client = trust.wrap_bio(down, up, server_hostname="localhost")
        for side in (client, server, client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            server.read(9)
        openssl.ERR_new()
        openssl.ERR_set_error(20, 1, None)
        with contextlib.suppress(ssl.SSLWantReadError):
            server.read(9)
        client.write(b"request")
        return server.read(9)

    with pytest.raises(ssl.SSLError):
        reads(ssl.SSLObject)
    assert reads(cleared) == b"request"
