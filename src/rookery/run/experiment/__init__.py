"""Experiments on a running system: conducted, watched, and kept as they go."""
