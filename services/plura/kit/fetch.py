"""Small requests to other servers: a few kilobytes, over before anyone gets impatient."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

LIMIT_BYTES = 1_000_000
TIMEOUT_SECONDS = 5.0


class FetchError(Exception):
    """The other server gave no usable answer."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes where it was told to, and nowhere else: an address of the settings was trusted, not what it points to."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing; the answer becomes an error."""
        return


_opener = urllib.request.build_opener(_NoRedirect)


async def fetch(url: str, *, form: bytes | None = None) -> bytes:
    """Return the body of ``url``, asked by GET, or by POST with an encoded form.

    Raises:
        FetchError: no answer in time, an answer other than 2xx, or one that is too long.
    """
    request = _request(url, form, {"Accept": "application/json"})
    try:
        return await asyncio.wait_for(asyncio.to_thread(_sent, request), timeout=2 * TIMEOUT_SECONDS)
    except TimeoutError:
        raise FetchError(f"{url} did not answer in time") from None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the answer to ``body``; blocks.

    Raises:
        FetchError: no answer in time, an answer other than 2xx, or one that is too long.
    """
    return _sent(_request(url, body, headers))


def _request(url: str, body: bytes | None, headers: Mapping[str, str]) -> urllib.request.Request:
    return urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310  # the settings check it


def _sent(request: urllib.request.Request) -> bytes:
    url = request.full_url
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            body: bytes = answer.read(LIMIT_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"{url} answered {error.code}") from None
    except (OSError, HTTPException) as error:
        raise FetchError(f"{url}: {error}") from None
    if len(body) > LIMIT_BYTES:
        raise FetchError(f"{url} answered more than {LIMIT_BYTES} bytes")
    return body
