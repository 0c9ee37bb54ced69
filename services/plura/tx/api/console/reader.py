"""The reader of a page: identity, language, and the page's address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from fastapi import Request
from starlette.types import Scope

from plura.kit.auth.principal import ADMIN_AUDIT
from plura.kit.http.audit_context import audit_context_of
from plura.tx.api.console.catalogue import Language, preferred
from plura.tx.api.console.session import START, cookie_of, is_console_path, session_of
from plura.tx.api.services import services_of

LANGUAGE_COOKIE = "plura_language"
SWITCH = "lang"
"""Parameter of any page's address that changes the language."""
_LONGEST_ADDRESS = 4096
_KEY = "plura.reader"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The reader of a page."""

    language: Language
    now: datetime
    address: str
    """Path and query of the page; of the start page if the request was not for a page of the console."""
    can_sign_in: bool
    """Whether sign-in is enabled and nobody is signed in."""
    actor: str | None
    csrf: str | None
    is_auditor: bool

    def signed_out(self) -> Reader:
        """Return the same reader without the ended session."""
        return replace(self, can_sign_in=True, actor=None, csrf=None, is_auditor=False)

    def address_in(self, language: Language) -> str:
        """Return the address that shows this page in ``language`` and stores that choice."""
        return self.address + ("&" if "?" in self.address else "?") + f"{SWITCH}={language}"


async def identify_reader(request: Request) -> Reader:
    """Identify the reader of ``request``, and store it for ``reader_of``."""
    services, context = services_of(request), audit_context_of(request)
    session = session_of(services, context)
    # without sign-in, authentication is disabled and the caller may name itself
    principal = session.principal if session else None
    if services.sign_in is None:
        principal = await services.authenticator.authenticate(context.headers)
    reader = Reader(
        language=_language(cookie_of(context, LANGUAGE_COOKIE), context.headers.get("accept-language", "")),
        now=datetime.now(UTC),
        address=_address(request.scope),
        can_sign_in=services.sign_in is not None and session is None,
        actor=principal.actor_id if principal else None,
        csrf=session.csrf if session else None,
        is_auditor=principal is not None and principal.has_any(ADMIN_AUDIT),
    )
    request.scope[_KEY] = reader
    return reader


def reader_of(request: Request) -> Reader:
    """Return the reader of ``request``."""
    return cast("Reader", request.scope[_KEY])


def _language(kept: str, accepted: str) -> Language:
    try:
        return Language(kept)
    except ValueError:
        return preferred(accepted)


def _address(scope: Scope) -> str:
    address = b"?".join(part for part in (scope["raw_path"], scope["query_string"]) if part).decode("latin-1")
    is_page = scope["method"] == "GET" and is_console_path(scope["path"]) and len(address) <= _LONGEST_ADDRESS
    return address if is_page else START
