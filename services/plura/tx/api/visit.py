"""One request: who sent it from where, what it wants, and what the audit has to know of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from plura.kit.auth.principal import Principal
from plura.kit.observability import correlation
from plura.tx.api.errors import ApiError
from plura.tx.db import LONGEST_ID

LONGEST_QUERY = 32_768
"""Bytes of a query; a longer one is not read. Two filters and a cursor of the longest ids are a quarter as long."""
_KEY = "plura.visit"
_MASK = "***"
_LONGEST = 2000
"""Bytes of a text from the request that the audit keeps."""
_LONGEST_ID_BYTES = 4 * LONGEST_ID
"""Bytes of an id that the audit keeps: any valid id, and far less than an index of PostgreSQL takes (2,704)."""
_LONGEST_FORWARDED = 4096
"""Characters of X-Forwarded-For that are read, from its end."""
_LONGEST_ADDRESS = 64
UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters, which PostgreSQL cannot store."""
_JOINED = {"authorization": ", ", "x-forwarded-for": ", ", "cookie": "; "}
"""Headers whose repetitions are joined, and by what: two tokens must not look like one."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a route is about, in the words of the audit."""

    action: str
    resource_type: str
    parameter: str | None = None
    """Path parameter, or query parameter where the path has none, that holds the id."""


class Visit:
    """A request at work. Made when it arrives; the gate adds subject and principal.

    What the framework would read in more than linear time, or without a limit, is taken out of the scope: the cookies,
    and a query that is too long.
    """

    def __init__(self, scope: Scope, *, trusted: tuple[IPv4Network | IPv6Network, ...], masked: frozenset[str]) -> None:
        self.started = time.perf_counter()
        self.headers = _headers(scope)
        self.correlation_id = correlation.accepted(self.headers.get("x-correlation-id")) or correlation.new()
        self.subject: Subject | None = None
        self.resource_id: str | None = None
        self.principal: Principal | None = None
        self.session_id: str | None = None
        """Of somebody who signed in; a statement refuses it once it was ended."""
        self.session_ended = False
        self.answer_error: Callable[[ApiError, str], Response] | None = None
        """How an error is told where it is not told as a problem: people read pages."""
        self._scope = scope
        self._masked = masked
        self._query: bytes = scope["query_string"]
        self.query_is_too_long = len(self._query) > LONGEST_QUERY
        if self.query_is_too_long:
            scope["query_string"] = b""
        if "cookie" in self.headers:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        self.ip = client_address(scope.get("client"), self.headers.get("x-forwarded-for"), trusted)
        scope[_KEY] = self

    def end_session(self) -> None:
        """Take the caller's name away: the session was ended."""
        self.principal = self.session_id = None
        self.session_ended = True

    def audited(self) -> dict[str, Any]:
        """Return what every audit row of this request says."""
        subject, principal, scope = self.subject, self.principal, self._scope
        return {
            "actor_id": principal and principal.actor_id,
            "actor_roles": storable(",".join(principal.roles)) or None if principal else None,
            "action": subject.action if subject else "",
            "resource_type": subject.resource_type if subject else "",
            "session": self.session_id,
            "id": storable(self.resource_id, _LONGEST_ID_BYTES),
            "request_method": scope["method"],
            "request_path": storable(scope["path"]),
            "request_query": masked_query(self._query, self._masked),
            "ip": self.ip,
            "user_agent": storable(self.headers.get("user-agent")),
            "correlation_id": self.correlation_id,
            "elapsed_ms": self.elapsed_ms,
        }

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self.started) * 1000)


def visit_of(request: Request) -> Visit:
    """Return the visit that a request is."""
    visit: Visit = request.scope[_KEY]
    return visit


def storable(text: str | None, longest: int = _LONGEST) -> str | None:
    """Return ``text`` as a row can hold it: ``longest`` bytes of UTF-8, without the characters that no id may have."""
    if text is None:
        return None
    clean = UNSTORABLE.sub("\ufffd", text[:longest])
    return clean if clean.isascii() else clean.encode()[:longest].decode("utf-8", "ignore")


def masked_query(query: bytes, masked: frozenset[str]) -> str | None:
    """Return the query with the values of ``masked`` keys hidden, None if there is none."""
    if not query:
        return None
    pairs = parse_qsl(query[:_LONGEST].decode("latin-1"), keep_blank_values=True)
    return urlencode([(key, _MASK if key.lower() in masked else value) for key, value in pairs])[:_LONGEST] or None


def client_address(
    peer: tuple[str, int] | None, forwarded: str | None, trusted: tuple[IPv4Network | IPv6Network, ...]
) -> str | None:
    """Return the address of the client.

    ``forwarded`` is read from its end as long as the speaker is trusted: what stands before the word of the first
    stranger was written by that stranger. Of a list beyond ``_LONGEST_FORWARDED`` characters only the end is read.
    """
    if peer is None:
        return None
    speaker = _peer_address(peer[0])
    if speaker is None or not forwarded:
        return peer[0] if speaker is None else str(speaker)
    if len(forwarded) > _LONGEST_FORWARDED:
        forwarded = forwarded[-_LONGEST_FORWARDED:].partition(",")[2]  # without the word that was cut
    for word in reversed(forwarded.split(",")):
        if not any(speaker in network for network in trusted):
            break
        named = _address(word.strip())
        if named is None:
            break
        speaker = named
    return str(speaker)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with a port perhaps; a zone means something on its own machine only and is left out."""
    bare = text[: _LONGEST_ADDRESS + 1]
    if text.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


@lru_cache(maxsize=1024)
def _peer_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read the address at the other end of a connection, mostly one of a few."""
    return _address(text)


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name not in found:
            found[name] = value
        elif name in _JOINED:
            repeated.setdefault(name, [found[name]]).append(value)
    for name, values in repeated.items():
        found[name] = _JOINED[name].join(values)
    return found
