"""Certificates and keys, as far as ceph-mgr looks into them."""

from __future__ import annotations

import ssl
import tempfile
import time

FILETYPE_PEM = 1


class Error(Exception):
    """A certificate or key that cannot be used."""


class X509:
    """A certificate, decoded by Python's ssl."""

    def __init__(self, pem: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pem)
            file.flush()
            try:
                self._fields = ssl._ssl._test_decode_cert(file.name)  # type: ignore[attr-defined]  # noqa: SLF001
            except ssl.SSLError as error:
                raise Error(str(error)) from None

    def has_expired(self) -> bool:
        return ssl.cert_time_to_seconds(self._fields["notAfter"]) < time.time()

    def get_notAfter(self) -> bytes:  # noqa: N802 - pyOpenSSL's name
        seconds = ssl.cert_time_to_seconds(self._fields["notAfter"])
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode()


class PKey:
    """A private key; whether it is sound, and the certificate's, shows when both are loaded together."""

    def __init__(self, pem: bytes) -> None:
        if b"PRIVATE KEY-----" not in pem:
            raise Error("no private key in PEM form")

    def check(self) -> bool:
        return True


def load_certificate(_kind: int, data: bytes | str) -> X509:
    return X509(data.encode() if isinstance(data, str) else data)


def load_privatekey(_kind: int, data: bytes | str) -> PKey:
    return PKey(data.encode() if isinstance(data, str) else data)
