"""Streaming in pods: films packed and published, the live channel, the volumes of both."""
