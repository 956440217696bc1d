"""The price book as this machine knows it: the shipped one, and what the user read anew.

What is read anew goes to the user's configuration folder, one provider at a time, and is taken instead of
what is shipped where it is newer. The file is written whole or not at all, and only after it was read back:
whatever an answer was like, nothing is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from pathlib import Path

from rookery.drivers.machine.files import alone, write_whole
from rookery.errors import NotPossibleError, RookeryError
from rookery.prices.book import Cloud, PriceBook, ProviderPrices, merge_books, parse_book, render_book

Fetch = Callable[[ProviderPrices], ProviderPrices]
"""From the prices known to the same regions' prices of today; what a provider does not tell is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrices:
    """The book to use, and the providers whose prices come from the user's own file."""

    book: PriceBook
    own: tuple[Cloud, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What was read, what of it is not of today, and the file that has it."""

    prices: ProviderPrices
    before: ProviderPrices
    kept: tuple[str, ...]
    path: Path


def own_book_path() -> Path:
    """Return the user's price book: $XDG_CONFIG_HOME/rookery/prices.json, or below ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "rookery" / "prices.json"


def shipped_book() -> PriceBook:
    """Return the book that comes with the program."""
    file = resources.files("rookery.prices") / "book.json"
    return parse_book(file.read_bytes(), file="the shipped price book")


def load_prices(path: Path | None = None) -> KnownPrices:
    """Return the shipped book with what `path` (the user's own by default) has newer.

    InputError where that file is there and is no price book.
    """
    shipped, own = shipped_book(), _read(path or own_book_path())
    if own is None:
        return KnownPrices(book=shipped, own=())
    book = merge_books(shipped, own)
    taken = tuple(prices.provider for prices in own.providers if book.of(prices.provider) == prices)
    return KnownPrices(book=book, own=taken)


def refresh_prices(provider: Cloud, fetch: Fetch, *, today: date, path: Path | None = None) -> Refreshed:
    """Read a provider's prices and keep them in `path`, the user's own book by default.

    Other providers in that file stay as they are. The error of `fetch`, or a refusal of what it gave, leaves
    the file as it was.
    """
    target = path or own_book_path()
    before = load_prices(target).book.of(provider)
    prices = fetch(before)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.with_suffix(".lock")):
            own = _read(target) or replace(shipped_book(), providers=())
            text = render_book(own.with_prices(prices))
            parse_book(text, file=f"what {provider} answered")
            write_whole(target, text.encode())
    except OSError as error:
        raise NotPossibleError(
            f"{target} cannot be written: {error.strerror}", hint="--output-file names another file."
        ) from None
    kept = tuple(name for name, price in prices.prices if price.date != today)
    return Refreshed(prices=prices, before=before, kept=kept, path=target)


def fetcher(provider: Cloud, *, today: date, base_url: str = "") -> Fetch:
    """Return what reads a provider's prices, with the credentials of the environment.

    `base_url` is for another address than the provider's own. NotPossibleError names what is missing.
    """
    return _FETCHERS[provider](today, base_url)


def _hetzner(today: date, base_url: str) -> Fetch:
    from rookery.clouds.hetzner.prices import HETZNER_API, fetch_hetzner_prices

    token = _secret("HCLOUD_TOKEN", "a read token of any project: Hetzner Console, Security, API tokens")
    return lambda known: fetch_hetzner_prices(
        known, token=token, today=today, base_url=base_url or HETZNER_API
    )


def _aws(today: date, base_url: str) -> Fetch:
    from rookery.clouds.aws.prices import fetch_aws_prices

    return lambda known: fetch_aws_prices(known, today=today, endpoint_url=base_url)


def _gcp(today: date, base_url: str) -> Fetch:
    from rookery.clouds.gcp.prices import GCP_BILLING_API, fetch_gcp_prices

    key = _secret("GCP_API_KEY", "an API key with the Cloud Billing API enabled")
    return lambda known: fetch_gcp_prices(
        known, api_key=key, today=today, base_url=base_url or GCP_BILLING_API
    )


_FETCHERS: Mapping[Cloud, Callable[[date, str], Fetch]] = {"hetzner": _hetzner, "aws": _aws, "gcp": _gcp}


def _secret(name: str, what: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise NotPossibleError(f"{name} is not set", hint=f"It must hold {what}.")
    if not value.isascii() or not value.isprintable():
        raise NotPossibleError(f"{name} holds characters that no key has", hint=f"It must hold {what}.")
    return value


def _read(path: Path) -> PriceBook | None:
    try:
        return parse_book(path.read_bytes(), file=str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RookeryError(f"{path} cannot be read: {error.strerror}") from None
