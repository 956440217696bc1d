"""A room for each cloud, and the client of their APIs that has patience."""
