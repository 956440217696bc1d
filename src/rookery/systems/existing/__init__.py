"""Servers that were there already: somebody else made them, and they are reached by SSH."""
