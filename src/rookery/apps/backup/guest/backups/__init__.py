"""Backups of one system: taken, looked at, removed when their time is over, and brought back.

It runs on a server or in a pod, on the Python and with the tools that it finds there: `python3 -m backups`.
"""
