"""The edges: one small module for each thing outside the program."""
