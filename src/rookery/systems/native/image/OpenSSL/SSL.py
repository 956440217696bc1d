"""TLS contexts, as far as ceph-mgr uses them: to see whether a key belongs to a certificate."""

from __future__ import annotations

import ssl

from . import crypto

TLSv1_METHOD = 4


class Error(Exception):
    """A certificate and a key that do not go together."""


class Context:
    """Holds the names of a certificate's and a key's file until they are checked."""

    def __init__(self, _method: int) -> None:
        self._certificate = ""
        self._key = ""

    def use_certificate_file(self, path: str, _kind: int = crypto.FILETYPE_PEM) -> None:
        self._certificate = path

    def use_privatekey_file(self, path: str, _kind: int = crypto.FILETYPE_PEM) -> None:
        self._key = path

    def check_privatekey(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
        except ssl.SSLError as error:
            raise crypto.Error(str(error)) from None
