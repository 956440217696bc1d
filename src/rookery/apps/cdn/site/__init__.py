"""What the CDN's site holds: pages about the system, and files that ship with them."""
