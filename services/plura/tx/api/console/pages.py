"""Pages: templates, how values stand in them, and the headers that keep others out of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from plura.tx.api.errors import ApiError, ForbiddenError

KST = timezone(timedelta(hours=9), "KST")
"""Korea has no daylight saving time."""

_FOLDER = Path(__file__).parent / "templates"
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_FORBIDDEN = (
    "Lookups need the role ADMIN_READ or ADMIN_AUDIT, the audit needs ADMIN_AUDIT. Ask whoever administers the identity"
    " provider for it, then sign in again."
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"}


def _instant(value: datetime) -> str:
    try:
        return value.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:  # the last hours of the year 9999
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")


def _segment(value: str) -> str:
    return quote(value, safe="")


_templates = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.filters["instant"] = _instant
_templates.filters["segment"] = _segment


def page(name: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any) -> Response:
    """Return the page of a template; everything in ``values`` is escaped."""
    shown = {"actor": None, "csrf": None, "is_auditor": False, "query": "", **values}
    return Response(
        _templates.get_template(f"{name}.html").render(shown),
        status_code=status,
        media_type="text/html",
        headers={**_HEADERS, **(headers or {})},
    )


def style() -> Response:
    """Return the style sheet of the pages."""
    return Response((_FOLDER / "style.css").read_bytes(), media_type="text/css")


def error_page(error: ApiError, correlation_id: str, *, following: str | None = None) -> Response:
    """Return the page that tells of ``error``; ``following`` is the page behind the gate that was asked for."""
    lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors or ()]
    if isinstance(error, ForbiddenError) and following:
        lines = [_FORBIDDEN]
    headers = {name: value for name, value in error.headers.items() if name != "WWW-Authenticate"}
    return page(
        "message",
        status=error.status_code,
        headers=headers,
        title=error.title,
        text=error.detail,
        lines=lines,
        correlation_id=correlation_id,
        sign_in_for=(following or "/console") if error.status_code in (401, 403) else None,
        refresh=None,
    )
