"""Keys in the kernel's own keyrings (man 7 keyrings), asked for by system calls: no library of Python's has
them."""

from __future__ import annotations

import ctypes
import errno
import os

# add_key and keyctl: arch/x86/entry/syscalls/syscall_64.tbl; the others share include/uapi/asm-generic.
_GENERIC = (217, 219)
_CALLS = {"x86_64": (248, 250), "aarch64": _GENERIC, "riscv64": _GENERIC, "loongarch64": _GENERIC}
_PROCESS_KEYRING = -2  # it goes with this process
_UNLINK = 9


def refusal_of(kind: str, payload: bytes) -> int:
    """Add a key of a type to this process's own keyring and take it out again; return the error number by
    which the kernel refuses it, 0 where it takes it. ENOSYS where this machine's calls are not known."""
    calls = _CALLS.get(os.uname().machine)
    if calls is None:
        return errno.ENOSYS
    add_key, keyctl = calls
    libc = ctypes.CDLL(None, use_errno=True)
    ring = ctypes.c_long(_PROCESS_KEYRING)
    length = ctypes.c_size_t(len(payload))
    key = libc.syscall(ctypes.c_long(add_key), kind.encode(), b"rookery:question", payload, length, ring)
    if key < 0:
        return ctypes.get_errno()
    libc.syscall(ctypes.c_long(keyctl), ctypes.c_long(_UNLINK), ctypes.c_long(key), ring)
    return 0
