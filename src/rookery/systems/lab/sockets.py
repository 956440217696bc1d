"""Listening sockets of a server, read from the machine's /proc: nothing is started for it."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

from rookery.systems.protocol import Listener

_LISTEN = "0A"  # TCP_LISTEN in the kernel's net/tcp_states.h


def tcp_listeners(host: str, pid: int) -> tuple[Listener, ...]:
    """Return the TCP sockets that listen in the network namespace of process `pid`."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                address, _, port = fields[1].rpartition(":")
                found.add(Listener(host=host, address=_address(address), port=int(port, 16)))
    return tuple(sorted(found, key=lambda listener: (listener.port, listener.address)))


def _address(text: str) -> str:
    """Decode an address of /proc/net/tcp{,6}: 32-bit words in the machine's byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return "*" if address.is_unspecified else str(address)
