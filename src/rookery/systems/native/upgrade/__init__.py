"""A running lab brought to the next release of Ceph, daemon by daemon, while it serves."""
