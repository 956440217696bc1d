"""Clients of services: HTTP, S3, PostgreSQL, TLS."""
