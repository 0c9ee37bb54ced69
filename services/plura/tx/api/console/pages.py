"""Pages: templates with their filters and globals, and security headers."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from plura.tx.api.console import formats
from plura.tx.api.console.catalogue import Language, Texts
from plura.tx.api.console.pasted import LONGEST_PASTED
from plura.tx.api.console.reader import Reader
from plura.tx.api.entries import status_group

PATHS = {"TX": "/console/tx/", "PAYMENT_ORDER": "/console/payment-orders/", "WALLET": "/console/wallets/"}
"""Paths of the pages of objects, by type."""

_FOLDER = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"}
_TONES = {
    "SUCCESS": "good",
    "COMPLETE": "good",
    "FOUND": "good",
    "FAIL": "bad",
    "UNAUTHENTICATED": "bad",
    "FORBIDDEN": "bad",
    "IN_PROGRESS": "open",
    "INCOMPLETE": "open",
    "INVALID": "open",
    "REFUND": "open",
}
"""Colours of states, by the API's code; other states have none."""
_LONG_WORD = re.compile(r"[^\s-]{13}")
_SEPARATOR = re.compile(r"(?<=[_./:@?&=#+,;|~%])")
_STATIC = {"style.css": "text/css", "icon.svg": "image/svg+xml"}

_templates = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def path_of(kind: str, id_: str) -> str:
    """Return the path of the page of an object; any character of the id is escaped."""
    return PATHS[kind] + quote(id_, safe="")


def address(path: str, **parameters: str) -> str:
    """Return ``path`` with the non-blank ``parameters``."""
    query = urlencode({name: value for name, value in parameters.items() if value}, quote_via=quote)
    return f"{path}?{query}" if query else path


def sign_in_address(following: str) -> str:
    """Return the address of the sign-in that continues at the page ``following``."""
    return f"/console/login?following={quote(following)}"


def breakable(text: str) -> str:
    """Return a text with a line-break opportunity after each separator, if it has a long word.

    Browsers break after hyphens without it.
    """
    if not _LONG_WORD.search(text):
        return text
    return Markup("<wbr>").join(_SEPARATOR.split(text))


_templates.filters.update(
    {
        "kst": formats.kst,
        "kst_plain": formats.kst_plain,
        "utc": formats.utc,
        "exact": formats.exact,
        "amount": formats.amount,
        "breakable": breakable,
    }
)
_templates.globals.update(
    {
        "path_of": path_of,
        "address": address,
        "sign_in_address": sign_in_address,
        "signed": formats.signed,
        "status_group": status_group,
        "tones": _TONES,
        "languages": list(Language),
        "longest_pasted": LONGEST_PASTED,
    }
)


def page(
    name: str, reader: Reader, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response:
    """Render a template in the reader's language; ``values`` are escaped."""
    texts = Texts(reader.language)
    shown = {
        "reader": reader,
        "t": texts,
        "ago": partial(formats.ago, now=reader.now, texts=texts),
        "duration": partial(formats.duration, texts=texts),
        "query": "",
        **values,
    }
    shown["parts"] = _templates.get_template("parts.html").make_module(shown)
    return Response(
        _templates.get_template(f"{name}.html").render(shown),
        status_code=status,
        media_type="text/html",
        headers={**_HEADERS, "Content-Language": reader.language.value, **(headers or {})},
    )


def static(name: str) -> Response:
    """Return a static file of the pages."""
    return Response((_FOLDER / name).read_bytes(), media_type=_STATIC[name])
