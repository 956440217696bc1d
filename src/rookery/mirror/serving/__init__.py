"""The mirror over HTTP, read-only."""
