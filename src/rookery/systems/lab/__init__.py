"""This machine as seven servers: what every system on it stands on, and how that is taken down."""
