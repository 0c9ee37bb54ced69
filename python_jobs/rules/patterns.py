r"""Regular expressions that mean the same to every engine: Python, DuckDB (RE2) and Spark (Java).

The common part of the three is small but enough for ids: literal characters, ``.``, classes such as ``[0-9a-f]`` and
``\d``, groups, ``|``, the quantifiers ``* + ? {n,m}`` (greedy or lazy) and the anchors ``^ $ \b``.
"""

from __future__ import annotations

import math
import re
import warnings

_ESCAPE = r"\\(?:[dDwWsSbBtnr]|[!-/:-@\[-^{-~])"
_CLASS_ESCAPE = r"\\(?:[dDwWsStnr]|[!-/:-@\[-^{-~])"
_CLASS = rf"\[\^?(?:[^\[\]\\&~|-]|-(?!-)|{_CLASS_ESCAPE})+\]"
_QUANTIFIER = r"(?:[*+?]|\{\d+(?:,\d*)?\})\??(?![*+?{])"
_PORTABLE = re.compile(rf"(?:{_ESCAPE}|{_CLASS}|\((?:\?:|(?!\?))|\)|{_QUANTIFIER}|[^\\\[\](){{}}*+?])*")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")

_MOST_REPEATS = 1000
"""What RE2 repeats at most, counts within counts multiplied."""


def pattern_problem(pattern: str, *, groups: int | None = None) -> str | None:
    """Return what is wrong with a regular expression in a few words, None for one that every engine reads alike.

    Args:
        pattern: the regular expression.
        groups: the number of groups it must have, None for any.
    """
    try:
        with warnings.catch_warnings(action="error"):
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        return f"is not a regular expression: {error}"
    if not _PORTABLE.fullmatch(pattern):
        return "is a regular expression that not every engine reads alike: use literals, classes, groups and * + ? {n}"
    counts = [int(high or low) for low, high in _COUNT.findall(pattern)]
    if math.prod(count for count in counts if count) > _MOST_REPEATS:
        return f"repeats more than {_MOST_REPEATS} times"
    if groups is not None and compiled.groups != groups:
        return f"has {compiled.groups} groups"
    return None
