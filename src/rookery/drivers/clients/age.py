"""age: what is encrypted here is read only by who has the key, and with everybody's tools (`age`, `rage`).

Nothing of it is our own; pyrage carries it out. A key is text (`AGE-SECRET-KEY-1...`), and so is what one
encrypts to (`age1...`), which is no secret. https://age-encryption.org/v1
"""

from __future__ import annotations

from collections.abc import Iterable

from rookery.errors import InputError, NotPossibleError

_KEY = "AGE-SECRET-KEY-1"
_FORM = b"age-encryption.org/v1\n"
_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_TOO_LONG = "Excessive work"
_TRIES = 5


def make_key() -> tuple[str, str]:
    """Return a new key, and the recipient that one encrypts to for it."""
    from pyrage import x25519

    key = x25519.Identity.generate()
    return str(key), str(key.to_public())


def recipient_of(key: str) -> str:
    """Return the recipient that belongs to a key; raises InputError where it is none."""
    from pyrage import IdentityError, x25519

    try:
        return str(x25519.Identity.from_str(key).to_public())
    except IdentityError as error:
        raise InputError(f"this is no age key: {error}", hint=f"One begins with {_KEY}.") from None


def encrypt(content: bytes, recipients: Iterable[str]) -> bytes:
    """Encrypt for everybody who has the key of one of the recipients; raises InputError for what is none."""
    import pyrage

    try:
        known = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    except pyrage.RecipientError as error:
        raise InputError(f"this is no age recipient: {error}", hint="One begins with age1.") from None
    return pyrage.encrypt(content, known)


def decrypt(content: bytes, keys: Iterable[str], *, what: str) -> bytes:
    """Return what was encrypted; `what` names it in the InputError for a key that does not fit, or for
    content that is not as it was written."""
    import pyrage

    known = [pyrage.x25519.Identity.from_str(key) for key in keys]
    try:
        return pyrage.decrypt(content, known)
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            has = ", ".join(str(key.to_public()) for key in known)
            raise InputError(
                f"{what} was encrypted for another key",
                hint=f"This key is for {has}. Name the file with the other one by --identity.",
            ) from None
        raise InputError(f"{what} is not as it was written: {error}") from None


def lock_key(key: str, passphrase: str) -> bytes:
    """Encrypt a key by a passphrase, as `age -p` does, so that `age -d -i` and we can use the file."""
    from pyrage import passphrase as by_passphrase

    text = f"# recipient: {recipient_of(key)}\n{key}\n"
    return by_passphrase.encrypt(text.encode(), passphrase, armored=True)


def needs_passphrase(file: bytes) -> bool:
    """Tell whether a file with keys is encrypted by a passphrase."""
    return file.startswith((_ARMOR, _FORM))


def read_keys(file: bytes, *, passphrase: str, what: str) -> tuple[str, ...]:
    """Return the keys in a file, as `age-keygen` or `lock_key` writes it; raises InputError, with the name
    `what`, for a wrong passphrase and for a file without a key."""
    if needs_passphrase(file):
        file = _unlocked(file, passphrase, what)
    lines = (line.strip() for line in file.decode(errors="replace").splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise InputError(f"there is no key in {what}", hint=f"One is a line that begins with {_KEY}.")
    for key in keys:
        recipient_of(key)
    return keys


def _unlocked(file: bytes, passphrase: str, what: str) -> bytes:
    """Return what a passphrase encrypts.

    rage refuses what would take it long, and measures how fast it is each time: on a machine that is busy now
    and was not when the file was written it refuses its own. So it is asked again.
    """
    import pyrage

    for _ in range(_TRIES):
        try:
            return pyrage.passphrase.decrypt(file, passphrase)
        except pyrage.DecryptError as error:
            if _TOO_LONG in str(error):
                continue
            raise InputError(
                f"the passphrase of {what} is wrong, or it is not as it was written", details=(str(error),)
            ) from None
    raise NotPossibleError(
        f"this machine is too busy, or too slow, for how the passphrase of {what} is guarded",
        hint=f"Try again, or use `age -d -o FILE {what}` and name FILE.",
    )
