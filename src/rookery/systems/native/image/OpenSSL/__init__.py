"""The part of pyOpenSSL that ceph-mgr's modules use, on Python's own ssl.

pyOpenSSL stands on `cryptography` (PyO3), which cannot be imported into the subinterpreters that ceph-mgr
runs its modules in; see bcrypt.py beside it. The dashboard checks its certificate and key with it before it
serves them.
"""
