"""What the audit records about a request: caller, address, subject, query and duration."""

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
from plura.kit.http.errors import ApiError
from plura.kit.observability import correlation

LONGEST_QUERY = 32_768
"""Bytes of a query; a longer query is not read. Two filters and a cursor of the longest ids take a quarter of it."""
_KEY = "plura.audit_context"
_MASK = "***"
_LONGEST = 2000
"""Bytes of a text from the request that the audit stores."""
_LONGEST_ID_BYTES = 1020
"""Bytes of an id that the audit stores: four for each of 255 characters, and far below the limit of an index."""
_LONGEST_FORWARDED = 4096
"""Characters of X-Forwarded-For that are read, counted from its end."""
_LONGEST_ADDRESS = 64
UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates, which PostgreSQL cannot store."""
_JOINED = {"authorization": ", ", "x-forwarded-for": ", ", "cookie": "; "}
"""Headers whose repetitions are joined, with the separator: two tokens must not look like a single token."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Action and resource type of a route, as the audit records them."""

    action: str
    resource_type: str
    parameter: str | None = None
    """Path parameter that holds the id, or query parameter if the path has none."""


class AuditContext:
    """What the audit has to know about a request. ``authorize`` adds subject and principal.

    Removes from the ASGI scope what the framework would parse in more than linear time or without a limit: the cookies,
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
        """Id of the console session, if any; statements fail once the session was ended."""
        self.session_ended = False
        self.answer_error: Callable[[ApiError, str], Response] | None = None
        """Renders errors as pages; None renders them as problem details."""
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
        """Forget the caller, because the session was ended."""
        self.principal = self.session_id = None
        self.session_ended = True

    def audit_row(self) -> dict[str, Any]:
        """Return the columns that every audit row of this request has."""
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


def audit_context_of(request: Request) -> AuditContext:
    """Return the audit context of a request."""
    context: AuditContext = request.scope[_KEY]
    return context


def storable(text: str | None, longest: int = _LONGEST) -> str | None:
    """Return at most ``longest`` bytes of ``text`` as UTF-8, with unstorable characters replaced."""
    if text is None:
        return None
    clean = UNSTORABLE.sub("\ufffd", text[:longest])
    return clean if clean.isascii() else clean.encode()[:longest].decode("utf-8", "ignore")


def masked_query(query: bytes, masked: frozenset[str]) -> str | None:
    """Return the query with the values of ``masked`` keys hidden, None if it is empty."""
    if not query:
        return None
    pairs = parse_qsl(query[:_LONGEST].decode("latin-1"), keep_blank_values=True)
    return urlencode([(key, _MASK if key.lower() in masked else value) for key, value in pairs])[:_LONGEST] or None


def client_address(
    peer: tuple[str, int] | None, forwarded: str | None, trusted: tuple[IPv4Network | IPv6Network, ...]
) -> str | None:
    """Return the address of the client.

    ``forwarded`` is read from its end while the current address is a trusted proxy: an untrusted client may have
    written everything before its own address. Only the last ``_LONGEST_FORWARDED`` characters are read.
    """
    if peer is None:
        return None
    address = _peer_address(peer[0])
    if address is None or not forwarded:
        return peer[0] if address is None else str(address)
    if len(forwarded) > _LONGEST_FORWARDED:
        forwarded = forwarded[-_LONGEST_FORWARDED:].partition(",")[2]  # without the entry that was cut
    for entry in reversed(forwarded.split(",")):
        if not any(address in network for network in trusted):
            break
        previous = _address(entry.strip())
        if previous is None:
            break
        address = previous
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address with an optional port; drop the zone, which has a meaning on its own machine only."""
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
    """Parse the address of a peer; cached, because connections come from few proxies."""
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
