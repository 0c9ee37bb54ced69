"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SIMILAR = 0.8
"""Similarity (difflib's ratio, 0 to 1) from which a name counts as misspelt."""


def closest(word: str, known: Iterable[str], *, similar: float = SIMILAR) -> str | None:
    """Return the known name that is most similar to a word; None if none is similar enough.

    Args:
        word: the word, in the same case as the names.
        known: the names.
        similar: least similarity, 0 to 1.
    """
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=similar)), None)


def suggestion(name: str | None) -> str:
    """Return a suggestion for the end of a message, with a leading separator; empty for no name."""
    return f"; did you mean {name}?" if name else ""
