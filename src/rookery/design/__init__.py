"""The design: everything that follows from a spec, computed before anything runs."""
