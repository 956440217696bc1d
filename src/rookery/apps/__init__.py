"""The applications: each a folder here and one row in `table`."""
