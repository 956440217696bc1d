"""The load generator; it runs by itself in a container, on the image's own Python and packages."""
