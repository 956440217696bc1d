"""The catalogue: a small HTTP API over PostgreSQL that knows a media site's titles and counts their plays."""
