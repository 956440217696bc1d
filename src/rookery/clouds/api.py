"""A price API over HTTP and JSON: asked with patience, and every way to fail told apart.

Keys travel in headers only, and what a server answers to a bad request is not repeated: neither a key nor a
URL with one can end in an error's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from rookery.errors import NotPossibleError, RookeryError

Answer = TypeVar("Answer", bound=BaseModel)
_REFUSED = (401, 403)


class PriceApi:
    """One provider's API. `key` says what its credential is called, for errors."""

    def __init__(
        self, name: str, base_url: str, *, headers: Mapping[str, str], key: str, timeout: float = 20
    ) -> None:
        self._name = name
        self._key = key
        self._client = httpx.Client(base_url=base_url, headers=dict(headers), timeout=timeout)

    def get(self, path: str, answer: type[Answer], **query: str | int) -> Answer:
        """Return what the API answers at `path`, as the model `answer`; RookeryError says what went wrong."""
        try:
            response = self._client.get(path, params=query)
        except httpx.TimeoutException:
            raise RookeryError(
                f"{self._name} did not answer {path} in time", hint="Try again; nothing was changed."
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RookeryError(
                f"{self._name} cannot be reached: {type(error).__name__}",
                hint="Is the internet reachable from here? HTTPS_PROXY names a proxy. Nothing was changed.",
            ) from None
        self._refuse(path, response)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise changed_answer(f"{self._name} at {path}", error) from None

    def _refuse(self, path: str, response: httpx.Response) -> None:
        status = response.status_code
        if status in _REFUSED or (status == 400 and _says_key_is_bad(response)):
            raise NotPossibleError(
                f"{self._name} refuses {self._key} ({status})",
                hint="It may be mistyped, deleted, or lack the right to read prices. Nothing was changed.",
            )
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            after = f"in {wait} s" if wait.isdigit() else "later"
            raise RookeryError(
                f"{self._name} had too many requests from {self._key} (429)",
                hint=f"Try again {after}; nothing was changed.",
            )
        if status != 200:
            raise RookeryError(
                f"{self._name} answered {status} at {path}", hint="Try again later; nothing was changed."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def changed_answer(where: str, error: ValidationError) -> RookeryError:
    """Return the error for an answer that is not as it was when this was written."""
    details = tuple(
        f"{'.'.join(str(part) for part in found['loc']) or 'answer'}: {found['msg']}"
        for found in error.errors(include_input=False)[:5]
    )
    return RookeryError(
        f"the answer of {where} is not what this version understands",
        details=details,
        hint="The known prices stay. A newer version of rookery may know the new form.",
    )


def shortest(amount: Decimal) -> Decimal:
    """Return the same amount without the zeros that APIs fill it up with: 0.0088 for 0.0088000000."""
    return Decimal(f"{amount.normalize():f}")


def missing_price(name: str, what: str) -> RookeryError:
    """Return the error for an answer without a price that a bill needs."""
    return RookeryError(
        f"{name} names no price for {what}",
        hint="The known prices stay. A newer version of rookery may know where it is told now.",
    )


def _says_key_is_bad(response: httpx.Response) -> bool:
    """Tell Google's answer to a wrong key, a 400, from other bad requests."""
    try:
        error = json.loads(response.content)["error"]
        return "API_KEY" in json.dumps(error) or "API key" in str(error["message"])
    except (ValueError, KeyError, TypeError):
        return False
