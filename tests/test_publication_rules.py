"""How files are published: their types, lifetimes and order, by rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.apps.cdn.site import content
from rookery.apps.serving import (
    NO_RULES,
    Rule,
    Rules,
    is_published,
    parse_rules,
    render_rules,
    turn,
)
from rookery.apps.streaming import media
from rookery.releases import DEFAULT_RELEASE
from rookery.systems.native.root import image_root


def test_rules_are_read_as_they_were_written() -> None:
    for rules in (media.RULES, content.RULES, Rules()):
        assert parse_rules(render_rules(rules)) == rules


def test_the_first_rule_that_matches_holds() -> None:
    rules = Rules(cache=(Rule("assets/*", "long"), Rule("*.js", "short")), types=(Rule("*.js", "text/js"),))
    assert [rules.cache_control(path) for path in ("assets/a/b.js", "b.js", "b.css")] == [
        "long",
        "short",
        "public, max-age=60",
    ]
    assert [rules.media_type(path) for path in ("b.js", "b.css", "b.woff2", "b", "x.y/b")] == [
        "text/js",
        "text/css",
        "font/woff2",
        "application/octet-stream",
        "application/octet-stream",
    ]


@pytest.mark.parametrize(
    ("name", "kind", "encoding"),
    [
        ("a.html", "text/html", ""),
        ("A.HTML", "text/html", ""),
        ("a.b/no-ending", "application/octet-stream", ""),
        ("archive.tar.gz", "application/gzip", ""),
        ("archive.tgz", "application/gzip", ""),
        ("data.csv.gz", "application/gzip", ""),
        ("data.json.br", "application/octet-stream", ""),
        ("data.sql.xz", "application/x-xz", ""),
        ("data.sql.bz2", "application/x-bzip2", ""),
        ("data.sql.zst", "application/zstd", ""),
        ("logo.svg", "image/svg+xml", ""),
        ("logo.svgz", "image/svg+xml", "gzip"),
        ("LOGO.SVGZ", "image/svg+xml", "gzip"),
        ("app.mjs", "text/javascript", ""),
        ("app.js.map", "application/json", ""),
        ("site.webmanifest", "application/manifest+json", ""),
        ("code.wasm", "application/wasm", ""),
        ("photo.avif", "image/avif", ""),
        ("photo.webp", "image/webp", ""),
        ("font.woff", "font/woff", ""),
        (".htaccess", "application/octet-stream", ""),
    ],
)
def test_a_file_is_what_its_last_ending_says(name: str, kind: str, encoding: str) -> None:
    assert (NO_RULES.media_type(name), NO_RULES.content_encoding(name)) == (kind, encoding)


def test_types_are_those_of_another_web_server() -> None:
    """nginx's own table, where a machine has one, but for what browsers and IANA call otherwise today."""
    places = (Path("/etc/nginx/mime.types"), image_root(DEFAULT_RELEASE) / "etc/nginx/mime.types")
    table = next((one for one in places if one.exists()), None)
    if table is None:
        pytest.skip("there is no nginx here whose table could be read")
    theirs: dict[str, str] = {}
    for line in table.read_text().splitlines():
        kind, *endings = line.strip().rstrip(";").split() or [""]
        if "/" in kind:
            theirs |= dict.fromkeys(endings, kind)
    other = {ending for ending, kind in theirs.items() if NO_RULES.media_type(f"x.{ending}") != kind}
    assert len(theirs) > 80
    assert other - OTHERWISE == set()


# Newer names (RFC 9239, RFC 8081 and the registry), and what nginx has of programs that are gone.
OTHERWISE = {
    *(
        "js",
        "woff",
        "ttf",
        "otf",
        "rar",
        "deb",
        "dmg",
        "iso",
        "rpm",
        "war",
        "ear",
        "jar",
        "m4a",
        "m4v",
        "bmp",
    ),
    *("wml", "wmlc", "wbmp", "htc", "mml", "jad", "jng", "mng", "hqx", "cco", "jardiff", "jnlp", "run", "pl"),
    *("pm", "prc", "pdb", "sea", "sit", "tk", "xpi", "ra"),
}


def test_text_has_its_charset_where_it_is_utf8(tmp_path: Path) -> None:
    files = {
        "utf8.html": "Grüße".encode(),
        "latin.html": "Grüße".encode("latin-1"),
        "utf16.txt": "Grüße".encode("utf-16"),
        "cut.txt": "ü".encode()[:1],
        "empty.css": b"",
        "picture.svg": "<svg>ü</svg>".encode(),
    }
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    assert {name: NO_RULES.content_type(name, tmp_path / name) for name in files} == {
        "utf8.html": "text/html; charset=utf-8",
        "latin.html": "text/html",
        "utf16.txt": "text/plain",
        "cut.txt": "text/plain",
        "empty.css": "text/css; charset=utf-8",
        "picture.svg": "image/svg+xml",
    }
    ours = Rules(types=(Rule("*.html", "text/html; charset=x"),))
    assert ours.content_type("latin.html", tmp_path / "latin.html") == "text/html; charset=x"


def test_what_is_hidden_is_not_published_but_for_well_known() -> None:
    paths = (
        ".well-known/a",
        "a/b.html",
        ".git/x",
        "a/.env",
        ".well-known/.x",
        "a/.well-known/b",
        ".htaccess",
    )
    assert [path for path in paths if is_published(path)] == [".well-known/a", "a/b.html"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is not an object of cacheControl and mediaTypes"),
        ('{"types": []}', "is not an object of cacheControl and mediaTypes"),
        ('{"mediaTypes": {}}', "mediaTypes: is no list"),
        ('{"cacheControl": [["*", "x"], ["*"]]}', "cacheControl[1]: is not a pattern and a value"),
    ],
)
def test_nonsense_in_rules_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".+") as raised:
        parse_rules(text)
    assert str(raised.value) == said


def test_what_names_others_comes_after_them() -> None:
    paths = ("index.json", "a/index.m3u8", "watch.html", "a/0.m4s", "index.html", "assets/x.css", "a/b.json")
    by_turn = sorted(paths, key=lambda path: (turn(path, content.RULES.media_type(path)), path))
    assert by_turn == [
        "a/0.m4s",
        "assets/x.css",
        "a/index.m3u8",
        "a/b.json",
        "watch.html",
        "index.html",
        "index.json",
    ]
