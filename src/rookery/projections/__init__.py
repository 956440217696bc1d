"""Projections: pure functions from a design to files, independent of each other."""
