"""The entry to the document: what it is made of in, files out."""

from __future__ import annotations

from rookery.files import File
from rookery.projections.document.content import CHART, DRAWING, build_document
from rookery.projections.document.markdown import render_markdown
from rookery.projections.document.page import render_page
from rookery.projections.document.source import Source

PAGE = "design.html"
MARKDOWN = "design.md"


def render_document(source: Source) -> tuple[File, ...]:
    """Return the Markdown, the pictures it shows, and the page, sorted by path."""
    document = build_document(source)
    files = [
        File.text(MARKDOWN, render_markdown(document)),
        File.text(PAGE, render_page(document)),
        File.text(DRAWING, source.drawing),
        *([File.text(CHART, source.chart)] if source.chart else []),
    ]
    return tuple(sorted(files, key=lambda file: file.path))


def render_document_page(source: Source) -> File:
    """Return the page alone, as a web server hands it out."""
    text = render_page(build_document(source))
    return File(path=PAGE, content=text.encode(), media_type="text/html; charset=utf-8")
