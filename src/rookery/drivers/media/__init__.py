"""Films by ffmpeg, pictures by resvg."""
