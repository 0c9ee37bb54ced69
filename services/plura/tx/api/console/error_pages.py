"""Error pages: what happened and what to do next, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from plura.kit.http.audit_context import AuditContext, storable
from plura.kit.http.errors import ApiError
from plura.tx.api.console.catalogue import Texts
from plura.tx.api.console.pages import address, page
from plura.tx.api.console.pasted import LONGEST_PASTED
from plura.tx.api.console.reader import Reader
from plura.tx.api.console.session import START

_RETRYABLE = frozenset({"tx_not_found", "order_not_found", "unavailable", "internal_error"})
"""Errors after which a retry can succeed."""
_MAY_BE_OTHER_KIND = frozenset({"tx_not_found", "order_not_found"})
"""Errors after which the id may be that of a different kind of object."""
_SIGN_IN = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True)
class Action:
    """A link to what the reader can do next."""

    label: str
    href: str


def error_page(reader: Reader, context: AuditContext, error: ApiError, correlation_id: str) -> Response:
    """Return the page of an error."""
    texts = Texts(reader.language)
    requested_id = storable(context.resource_id) or ""
    query = requested_id if len(requested_id) <= LONGEST_PASTED else ""
    key = _key(context, error, texts)
    return page(
        "error",
        reader,
        status=error.status_code,
        headers={name: value for name, value in error.headers.items() if name != "WWW-Authenticate"},
        query=query,
        title=texts(f"error.{key}.title"),
        text=texts(f"error.{key}.text", id=_id(requested_id)),
        # errors without a translated text show their English detail
        detail=error.detail if key == "other" else None,
        lines=[_line(details, texts) for details in error.errors or ()],
        hints=error.code in _MAY_BE_OTHER_KIND,
        actions=_actions(reader, context, error, texts, query),
        sign_in_for=(reader.address if context.subject else START) if error.status_code in _SIGN_IN else None,
        error=error,
        correlation_id=correlation_id,
    )


def _key(context: AuditContext, error: ApiError, texts: Texts) -> str:
    if error.code == "forbidden" and context.subject is None:  # no lookup: the form is outdated or of a different site
        return "old_form"
    return error.code if texts.has(f"error.{error.code}.title") else "other"


def _id(text: str) -> Markup:
    return Markup('<bdi class="id">{}</bdi>').format(text)


def _line(error: dict[str, Any], texts: Texts) -> str:
    """Return the text for an error of a parameter."""
    key = f"invalid.{error['type']}"
    return texts(key if texts.has(key) else "invalid.other", name=error["loc"][-1])


def _actions(reader: Reader, context: AuditContext, error: ApiError, texts: Texts, query: str) -> list[Action]:
    actions: list[Action] = []
    if error.code in _MAY_BE_OTHER_KIND and query:
        actions.append(Action(label=texts("action.search_all"), href=address("/console/search", q=query)))
    if error.code in _RETRYABLE:
        actions.append(Action(label=texts("action.again"), href=reader.address))
    path, _, parameters = reader.address.partition("?")
    if error.code == "invalid_request" and context.subject and context.subject.parameter != "q" and parameters:
        actions.append(Action(label=texts("action.without_filter"), href=path))
    return actions
