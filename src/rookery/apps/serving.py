"""How what is published is served: each file's Content-Type, Content-Encoding and Cache-Control, by its path.

Rules are data, so that the lab asks them and a program inside Kubernetes reads them from a file. This module
lies beside that program in our image, hence it needs nothing but Python.
"""

from __future__ import annotations

import codecs
import json
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

_FRESH_FOR_A_MINUTE = "public, max-age=60"
_UNKNOWN = "application/octet-stream"
# What Python's own table lacks in one of its versions, or has otherwise than web servers do (nginx's
# mime.types, and the registry of IANA for what that lacks). What is packed is what its last ending says, and
# its reader unpacks it: .tar.gz is gzip, no tar that a browser unpacks unasked.
_TYPES = {
    f".{ending}": f"{kind}/{name}"
    for kind, names in {
        "application": {
            "gzip": "gz tgz",
            "x-bzip2": "bz2 tbz2",
            "x-xz": "xz txz",
            "zstd": "zst tzst",
            "x-7z-compressed": "7z",
            "vnd.rar": "rar",
            "java-archive": "jar war ear",
            "vnd.debian.binary-package": "deb",
            "x-redhat-package-manager": "rpm",
            "x-apple-diskimage": "dmg",
            "vnd.android.package-archive": "apk",
            "x-iso9660-image": "iso",
            "wasm": "wasm",
            "manifest+json": "webmanifest",
            "ld+json": "jsonld",
            "geo+json": "geojson",
            "json": "json map",
            "yaml": "yaml yml",
            "toml": "toml",
            "atom+xml": "atom",
            "rss+xml": "rss",
            "xhtml+xml": "xhtml",
            "epub+zip": "epub",
            "rtf": "rtf",
            "xslt+xml": "xsl xslt",
            "xspf+xml": "xspf",
            "vnd.google-earth.kml+xml": "kml",
            "vnd.google-earth.kmz": "kmz",
            "x-x509-ca-cert": "pem crt der",
            "vnd.apple.mpegurl": "m3u8",
            "dash+xml": "mpd",
            "vnd.ms-fontobject": "eot",
            "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
            "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
            "vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
            "vnd.oasis.opendocument.text": "odt",
            "vnd.oasis.opendocument.spreadsheet": "ods",
            "vnd.oasis.opendocument.presentation": "odp",
            "vnd.oasis.opendocument.graphics": "odg",
        },
        "audio": {
            "aac": "aac",
            "flac": "flac",
            "midi": "mid midi kar",
            "mp4": "m4a",
            "mpeg": "mp3",
            "ogg": "ogg oga opus",
            "wav": "wav",
        },
        "font": {"otf": "otf", "ttf": "ttf", "collection": "ttc", "woff": "woff", "woff2": "woff2"},
        "image": {
            "apng": "apng",
            "avif": "avif",
            "bmp": "bmp",
            "heic": "heic",
            "jxl": "jxl",
            "svg+xml": "svg svgz",
            "webp": "webp",
            "x-icon": "ico cur",
        },
        "model": {"gltf+json": "gltf", "gltf-binary": "glb"},
        "text": {
            "calendar": "ics",
            "csv": "csv",
            "html": "html htm shtml",
            "css": "css",
            "javascript": "js mjs cjs",
            "markdown": "md markdown",
            "plain": "txt text log conf ini srt",
            "vcard": "vcf",
            "vtt": "vtt",
            "xml": "xml xsd",
        },
        "video": {
            "iso.segment": "m4s",
            "mp2t": "ts",
            "mp4": "mp4 m4v",
            "ogg": "ogv",
            "webm": "webm",
            "x-matroska": "mkv",
            "x-msvideo": "avi",
            "3gpp": "3gp 3gpp",
            "x-flv": "flv",
            "x-ms-asf": "asf asx",
            "x-ms-wmv": "wmv",
        },
    }.items()
    for name, endings in names.items()
    for ending in endings.split()
}
# An instance of its own: that of the module reads what the machine at hand has.
_OTHERS = mimetypes.MimeTypes()
# What a browser unpacks, because that alone is what its type says.
_ENCODINGS = {".svgz": "gzip"}
_PACKED = {f"application/{name}" for name in ("gzip", "x-bzip2", "x-xz", "zstd")}
# Hidden by its name, and published all the same (RFC 8615).
PUBLISHED_ALTHOUGH_HIDDEN = ".well-known"


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the paths that `pattern` matches; its `*` matches anything, slashes too."""

    pattern: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one bucket: the first that matches holds.

    Where none does, a file is fresh for a minute, and its type is what its ending says.
    """

    cache: tuple[Rule, ...] = ()
    types: tuple[Rule, ...] = ()

    def cache_control(self, path: str) -> str:
        """Return the Cache-Control header of a file, by its path in the bucket."""
        return _first(self.cache, path) or _FRESH_FOR_A_MINUTE

    def media_type(self, path: str) -> str:
        """Return what a file is, by its path in the bucket."""
        found = _first(self.types, path)
        if found is not None:
            return found
        ending = PurePath(path).suffix.lower()
        return _TYPES.get(ending) or _OTHERS.types_map[True].get(ending) or _UNKNOWN

    def content_type(self, path: str, file: Path) -> str:
        """Return the Content-Type header of a file: with the charset of text that is UTF-8.

        Text that is not says its charset itself, or has none: a header would take the place of that.
        """
        kind = self.media_type(path)
        plain_text = kind.startswith("text/") and ";" not in kind
        return f"{kind}; charset=utf-8" if plain_text and is_utf8_text(file) else kind

    def content_encoding(self, path: str) -> str:
        """Return the Content-Encoding header of a file, by its path in the bucket; empty for most."""
        return _ENCODINGS.get(PurePath(path).suffix.lower(), "")


# What holds for a folder of which nothing is known but its names.
NO_RULES = Rules()


def told_by_ending() -> tuple[tuple[str, tuple[str, ...], str], ...]:
    """Return what programs that guess by the name get wrong: Content-Type, endings, Content-Encoding.

    That is text, whose charset they do not say, and what is packed, which they take for what is in it.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for ending, kind in sorted(_TYPES.items()):
        packed = ending in _ENCODINGS or kind in _PACKED
        if packed or kind.startswith("text/"):
            said = kind if packed else f"{kind}; charset=utf-8"
            groups.setdefault((said, _ENCODINGS.get(ending, "")), []).append(ending)
    return tuple((kind, tuple(endings), encoding) for (kind, encoding), endings in sorted(groups.items()))


def is_published(path: str) -> bool:
    """Tell what is published from what is hidden: a part of its path begins with a dot."""
    first, *others = path.split("/")
    return (first == PUBLISHED_ALTHOUGH_HIDDEN or not first.startswith(".")) and not any(
        part.startswith(".") for part in others
    )


def is_utf8_text(file: Path) -> bool:
    """Tell whether all of a file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as opened:
        try:
            while block := opened.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def turn(path: str, media_type: str) -> int:
    """Return in which turn a file is published: none may name what is not there yet.

    What names nothing comes first, then playlists, then pages and indexes, at last those on top.
    """
    if path.startswith("index."):
        return 3
    if media_type.startswith(("text/html", "application/json")):
        return 2
    return 1 if path.endswith(".m3u8") else 0


def _first(rules: Iterable[Rule], path: str) -> str | None:
    return next((rule.value for rule in rules if fnmatchcase(path, rule.pattern)), None)


def render_rules(rules: Rules) -> str:
    """Return the rules as the text that `parse_rules` reads: lists of pattern and value."""
    told = {
        "cacheControl": [[rule.pattern, rule.value] for rule in rules.cache],
        "mediaTypes": [[rule.pattern, rule.value] for rule in rules.types],
    }
    return json.dumps(told, indent=1) + "\n"


def parse_rules(text: str) -> Rules:
    """Read rules; raises ValueError with what is wrong."""
    told = json.loads(text)
    if not isinstance(told, dict) or set(told) - {"cacheControl", "mediaTypes"}:
        raise ValueError("is not an object of cacheControl and mediaTypes")
    return Rules(cache=_rules(told, "cacheControl"), types=_rules(told, "mediaTypes"))


def _rules(told: dict[str, object], key: str) -> tuple[Rule, ...]:
    pairs = told.get(key, [])
    if not isinstance(pairs, list):
        raise ValueError(f"{key}: is no list")  # noqa: TRY004 - the text is wrong, not a type of ours
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)):
            raise ValueError(f"{key}[{number}]: is not a pattern and a value")
    return tuple(Rule(pattern, value) for pattern, value in pairs)
