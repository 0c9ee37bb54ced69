r"""The forms of text values as regular expressions of ECMA-262, for validators in any language.

They avoid what differs between dialects: ``\d`` and ``\s`` (some include digits and spaces of all alphabets), ``\p``,
look-ahead and look-behind.
"""

from __future__ import annotations

_BLANKS = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

NOT_BLANK = f"[^{_BLANKS}]"
"""Has a character that is not white space."""
CONTROL = r"[\u0000-\u001f\u007f-\u009f]"
"""Has a control character."""
NUL = r"\u0000"
"""Has a NUL character."""

_UNSIGNED = r"(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,2})?$"
AMOUNT = "^" + _UNSIGNED
SIGNED_AMOUNT = "^-?" + _UNSIGNED

_MONTH_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_INNER_YEAR = "(?:000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
_OUTER_YEAR = "(?:0001|9999)"
CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
"""Hours and minutes."""
_TIME_OF_DAY = rf"T{CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?"
INSTANT = (
    f"^(?:(?:{_INNER_YEAR}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29){_TIME_OF_DAY}(?:Z|[+-]{CLOCK})?"
    f"|{_OUTER_YEAR}-{_MONTH_DAY}{_TIME_OF_DAY}(?:Z|[+-]00:00)?)$"
)
"""A calendar date, a time to the microsecond, and an optional zone; in the years 1 and 9999 it has to be UTC."""


def _at_most(limit: str) -> str:
    """A whole number without leading zeros, from 1 to ``limit``."""
    shorter = [f"[1-9][0-9]{{0,{len(limit) - 2}}}"]
    as_long = [
        f"{limit[:place]}[{1 if place == 0 else 0}-{int(digit) - 1}]"
        + (f"[0-9]{{{len(limit) - place - 1}}}" if place < len(limit) - 1 else "")
        for place, digit in enumerate(limit)
        if int(digit) > (1 if place == 0 else 0)
    ]
    return "|".join([*shorter, *as_long, limit])


VERSION = f"^(?:0|-{2**63}|-?(?:{_at_most(str(2**63 - 1))}))$"
