"""Addresses of databases, parsed so that no part of a password gets into a message.

libpq quotes what it cannot parse, and parses a password with ``@``, ``/`` or ``%`` that is not percent-encoded as a
host, a port or a database name, which connection errors quote as well. So addresses are checked here first, with error
messages of our own.
"""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

_SCHEMES = ("postgresql://", "postgres://")
_HIGHEST_PORT = 65_535
_BLANKS = frozenset(" \t\n\v\f\r")
_WRITTEN = {"%": "%25", "@": "%40", "/": "%2F", ":": "%3A", "?": "%3F", "#": "%23", "a blank": "%20"}
_HINT = "user name and password of an address are written percent-encoded: " + ", ".join(
    f"{character} as {code}" for character, code in _WRITTEN.items()
)


def read_address(text: str) -> str:
    """Return an address that libpq accepts: a URI, or a list like ``host=db dbname=payments password='…'``.

    The driver's name in addresses of SQLAlchemy is removed.

    Raises:
        ValueError: it is not an address, or its user name or password is not percent-encoded. The message has no part
            of the address.
    """
    text = text.replace("postgresql+psycopg://", "postgresql://", 1)
    is_uri = text.startswith(_SCHEMES)
    try:
        is_readable = _are_ports(str(conninfo_to_dict(text).get("port", "")))
    except (psycopg.Error, ValueError):
        is_readable = False
    if is_uri and not (is_readable and _is_whole(text)):
        raise ValueError(f"cannot be read; {_HINT}")
    if not is_readable:
        raise ValueError(
            "has to begin with postgresql://, or be a list like host=db dbname=payments user=tx_api password='…'"
        )
    return text


def _is_whole(uri: str) -> bool:
    """Whether user name and password of ``uri`` end where libpq ends them.

    libpq ends them at the first ``@``, unless a ``/`` comes before it: then the URI has none. A further ``@`` in host
    or path, or in parameters after an address with a host, belonged to a password. ``uri`` must not contain blanks.
    """
    rest = uri.partition("://")[2]
    user, at, tail = rest.partition("@")
    has_user = bool(at) and "/" not in user
    where, _, parameters = (tail if has_user else rest).partition("?")
    has_host = has_user or not where.startswith("/")
    return "@" not in where and not (has_host and "@" in parameters) and _BLANKS.isdisjoint(uri)


def _are_ports(text: str) -> bool:
    """Whether ``text`` is blank or a list of ports."""
    return all(
        not port or (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _HIGHEST_PORT)
        for port in text.split(",")
    )
