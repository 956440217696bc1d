"""The native platform: the daemons themselves, supervised, on the lab's servers."""
