"""Streaming: films and music as HLS out of a bucket, and a live channel out of CephFS."""
