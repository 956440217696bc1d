"""rookery: a production-pattern demo system for Rook Ceph from one short file."""

__version__ = "0.1.0"
