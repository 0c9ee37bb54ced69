"""Errors as pages: what happened and what to do next, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from plura.tx.api.console.catalogue import Texts
from plura.tx.api.console.pages import address, page
from plura.tx.api.console.pasted import LONGEST_PASTED
from plura.tx.api.console.reader import Reader
from plura.tx.api.console.session import START
from plura.tx.api.errors import ApiError
from plura.tx.api.visit import Visit, storable

_AGAIN = frozenset({"tx_not_found", "order_not_found", "unavailable", "internal_error"})
"""Errors for which it makes sense to try again."""
_ELSEWHERE = frozenset({"tx_not_found", "order_not_found"})
"""Errors after which the id may name something else."""
_SIGN_IN = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True)
class Action:
    """What the reader can do next."""

    label: str
    href: str


def error_page(reader: Reader, visit: Visit, error: ApiError, correlation_id: str) -> Response:
    """Return the page of an error."""
    texts = Texts(reader.language)
    asked = storable(visit.resource_id) or ""
    query = asked if len(asked) <= LONGEST_PASTED else ""
    key = _key(visit, error, texts)
    return page(
        "error",
        reader,
        status=error.status_code,
        headers={name: value for name, value in error.headers.items() if name != "WWW-Authenticate"},
        query=query,
        title=texts(f"error.{key}.title"),
        text=texts(f"error.{key}.text", id=_id(asked)),
        # details of errors without a text of their own are in English
        detail=error.detail if key == "other" else None,
        lines=[_line(one, texts) for one in error.errors or ()],
        hints=error.code in _ELSEWHERE,
        actions=_actions(reader, visit, error, texts, query),
        sign_in_for=(reader.address if visit.subject else START) if error.status_code in _SIGN_IN else None,
        error=error,
        correlation_id=correlation_id,
    )


def _key(visit: Visit, error: ApiError, texts: Texts) -> str:
    if error.code == "forbidden" and visit.subject is None:  # no lookup: a form that is not, or no longer, ours
        return "old_form"
    return error.code if texts.has(f"error.{error.code}.title") else "other"


def _id(asked: str) -> Markup:
    return Markup('<bdi class="id">{}</bdi>').format(asked)


def _line(error: dict[str, Any], texts: Texts) -> str:
    """Return what is wrong with one parameter."""
    key = f"invalid.{error['type']}"
    return texts(key if texts.has(key) else "invalid.other", name=error["loc"][-1])


def _actions(reader: Reader, visit: Visit, error: ApiError, texts: Texts, query: str) -> list[Action]:
    actions: list[Action] = []
    if error.code in _ELSEWHERE and query:
        actions.append(Action(label=texts("action.search_all"), href=address("/console/search", q=query)))
    if error.code in _AGAIN:
        actions.append(Action(label=texts("action.again"), href=reader.address))
    path, _, parameters = reader.address.partition("?")
    if error.code == "invalid_request" and visit.subject and visit.subject.parameter != "q" and parameters:
        actions.append(Action(label=texts("action.without_filter"), href=path))
    return actions
