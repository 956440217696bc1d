"""A stateful stand-in for Google's Compute Engine, for tests: the calls that are used, held against the
descriptions of the APIs that google-api-python-client ships."""
