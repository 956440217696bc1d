"""Experiments, all of them data: a question, what is broken to answer it, what was seen, what that means."""
