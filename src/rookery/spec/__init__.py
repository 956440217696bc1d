"""The spec: the user's short file, and the patterns it builds on."""
