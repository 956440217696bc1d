"""Backup: what the system keeps, where, for how long, and the programs that take it and bring it back."""
