"""A stand-in for Hetzner Cloud: its API over HTTP, with a state, times, limits and faults, on this machine.

It exists so that everything that makes servers at Hetzner can be tried without an account, and so that what
an account would do once in a hundred times (an answer that is lost, a type that is sold out half way) happens
when a test wants it. What it answers is held against the published description of the API and against clients
that others wrote (decision 0065).
"""
