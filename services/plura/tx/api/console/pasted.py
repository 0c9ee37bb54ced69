"""Pasted ids: with white space, invisible characters or quotes around them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator

from plura.kit.http.errors import InvalidRequestError
from plura.kit.http.parameters import PLAIN
from plura.tx.db import LONGEST_ID

LONGEST_PASTED = 1024
"""Most characters of a pasted text: the longest id and its surroundings."""

_INVISIBLE = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
)
"""Characters without a glyph: joiners, marks of direction, soft hyphens, Hangul fillers, byte order marks."""
_SPACES = (
    *(0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
    *range(0x09, 0x0E),
    *range(0x1C, 0x20),
    *range(0x2000, 0x200B),
)
BLANKS = "".join(map(chr, _INVISIBLE + _SPACES))
"""Characters that are removed from both ends of a pasted id, but kept inside."""

_QUOTES = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "«": "»",
    "\u2039": "\u203a",
    "「": "」",
    "『": "』",
}
"""Opening quotes with their closing quotes."""


def candidates(text: str) -> list[str]:
    """Return the ids that ``text`` may mean, the most likely first.

    The first is the text without blanks and quotes around it. The text with its quotes, and the text with the invisible
    characters around it, follow: an id may contain such characters. The consumer removes white space around ids, so no
    id starts or ends with it.
    """
    bare = text.strip(BLANKS)
    closing = _QUOTES.get(bare[:1], "")
    inner = bare[1:-1].strip(BLANKS) if len(bare) > 1 and bare[-1] in closing else ""
    return list(dict.fromkeys([inner or bare, bare, text.strip()]))


def trimmed(text: str) -> str:
    """Return the id that ``text`` most likely means, blank if it has none."""
    return candidates(text)[0]


PastedField = Annotated[str, BeforeValidator(trimmed), Query(max_length=LONGEST_ID, pattern=PLAIN.replace("+", "*"))]
"""An id in a field of a form; blank if nothing was entered."""


def searched(text: str) -> list[str]:
    """Return the ids to look up for a pasted ``text``, the most likely first.

    Raises:
        InvalidRequestError: the text cannot be an id: it is blank, too long, or has control characters.
    """
    first, *others = candidates(text)
    error: dict[str, Any] | None = None
    if not first:
        error = {"type": "string_too_short", "msg": "an id has at least one character"}
    elif len(first) > LONGEST_ID:
        error = {"type": "string_too_long", "msg": f"an id has at most {LONGEST_ID} characters"}
    elif not _is_id(first):
        error = {"type": "string_pattern_mismatch", "msg": "an id has no control characters"}
    if error is not None:
        raise InvalidRequestError(errors=[{"loc": ["query", "q"], **error}])
    return [first, *(candidate for candidate in others if _is_id(candidate))]


def _is_id(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and re.fullmatch(PLAIN, text) is not None
