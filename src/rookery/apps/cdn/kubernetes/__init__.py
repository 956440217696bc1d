"""The CDN in pods: its edges, and how its site comes into the bucket."""
