"""The design document: what a storage engineer hands to a customer, as Markdown and as one HTML page.

`content` says once what the document says, as blocks; `markdown` and `page` write them. What other
projections contribute (the drawing, the bill, the simulation) comes as text, through `Source`.
"""

from rookery.projections.document.render import PAGE, render_document, render_document_page
from rookery.projections.document.source import Source

__all__ = ["PAGE", "Source", "render_document", "render_document_page"]
