"""bcrypt for ceph-mgr, on the system's libcrypt.

ceph-mgr runs each of its modules in a Python subinterpreter, and Debian's bcrypt (PyO3) refuses to be
imported into one: no module would load, the always-on ones included. libcrypt computes the same hashes.
This file lies in the modules' own folder, which they search first; nothing else on the server sees it.
"""

from __future__ import annotations

import ctypes
import hmac

_crypt = ctypes.CDLL("libcrypt.so.1")
_crypt.crypt_rn.restype = ctypes.c_char_p
_crypt.crypt_gensalt_rn.restype = ctypes.c_char_p

_WORK_AREA = 32768  # sizeof(struct crypt_data) in libxcrypt's crypt.h
_SALT_AREA = 192  # CRYPT_GENSALT_OUTPUT_SIZE


def gensalt(rounds: int = 12, prefix: bytes = b"2b") -> bytes:
    """Return a new salt of 2**rounds rounds."""
    out = ctypes.create_string_buffer(_SALT_AREA)
    salt = _crypt.crypt_gensalt_rn(b"$" + prefix + b"$", ctypes.c_ulong(rounds), None, 0, out, len(out))
    if salt is None:
        raise ValueError("Invalid rounds or prefix")
    return bytes(salt)


def hashpw(password: bytes, salt: bytes) -> bytes:
    """Return the hash of `password` under `salt` (or under the salt of an earlier hash)."""
    work = ctypes.create_string_buffer(_WORK_AREA)
    hashed = _crypt.crypt_rn(password, salt, work, len(work))
    if hashed is None:
        raise ValueError("Invalid salt")
    return bytes(hashed)


def checkpw(password: bytes, hashed_password: bytes) -> bool:
    """Tell whether `hashed_password` is a hash of `password`."""
    return hmac.compare_digest(hashpw(password, hashed_password), hashed_password)
