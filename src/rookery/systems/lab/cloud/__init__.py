"""Servers, volumes and load balancers of a cloud's stand-in, made on this machine as a lab's are."""
