"""Verification: named checks of a running system, each with its evidence."""
