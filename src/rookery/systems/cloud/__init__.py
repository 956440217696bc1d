"""Servers that a cloud makes: one class for every cloud, over the protocol of `clouds/cloud.py`."""
