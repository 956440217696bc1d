"""The CDN: nginx edges on the workers that cache a static website kept in an RGW bucket."""
