"""SQL of DuckDB that turns the texts of a line's values into the types of the columns; nothing is rounded or guessed.

Each text is tried as it is first: trimming is slow and rarely needed.
"""

from __future__ import annotations

from python_jobs.contracts import Column

BLANKS = r"e' \t\n\r\f' || chr(11)"
_TIMESTAMP = r"\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?"
# engines agree on instants from 1900 on, and a KST day has four digits in its year
_FIRST_INSTANT, _LAST_INSTANT = "1900-01-01 00:00:00+00", "9999-12-31 14:59:59.999999+00"
_DECIMAL = r"[+-]?0*\d{1,16}(\.\d{1,2}0*)?"
_INTEGER = r"[+-]?\d+(\.0+)?"
_EXPONENT = r"([+-]?)(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,3})"


def parsed(column: Column, text: str) -> str:
    """Return the SQL expression that reads the text of a value, NULL where it does not fit the type of the column.

    Money is never rounded: more than two decimals, or more digits than the type holds, do not fit; exponents are taken
    exactly. Booleans are true, false, 1 and 0. An instant is read as timestamptz: without an offset it is in UTC, and
    digits after microseconds are cut.
    """
    kind, trimmed = column.data_type, f"trim({text}, {BLANKS})"
    if kind == "string":
        return text
    if kind == "boolean":
        word = f"lower({trimmed})"
        return f"case when {word} in ('true', '1') then true when {word} in ('false', '0') then false end"
    if kind == "timestamp":
        pattern = f"'{_TIMESTAMP}'"
        return (
            f"try_cast(case when regexp_full_match({text}, {pattern}) then {text} when {text} is not null"
            f" then case when regexp_full_match({trimmed}, {pattern}) then {trimmed} end end as timestamptz)"
        )
    pattern = _INTEGER if kind in {"bigint", "int"} else _DECIMAL
    written_out = _without_exponent(trimmed)
    return (
        f"case when regexp_full_match({text}, '{pattern}') then {_cast_number(text, kind)}"
        f" when {text} is not null then case when regexp_full_match({trimmed}, '{pattern}')"
        f" then {_cast_number(trimmed, kind)} when regexp_full_match({trimmed}, '{_EXPONENT}')"
        f" and regexp_full_match({written_out}, '{pattern}') then {_cast_number(written_out, kind)} end end"
    )


def kept(column: Column, value: str) -> str:
    """Return the SQL expression for what a column keeps of a value that was read.

    Of instants only those from 1900 up to the KST year 9999, as UTC without a zone; of other types everything.
    """
    if column.data_type != "timestamp":
        return value
    limits = f"timestamptz '{_FIRST_INSTANT}' and timestamptz '{_LAST_INSTANT}'"
    return f"case when {value} between {limits} then cast({value} as timestamp) end"


def _cast_number(text: str, kind: str) -> str:
    """SQL: text that matched the pattern of its type as a number, NULL when it is too large."""
    return (
        f"try_cast(split_part({text}, '.', 1) as {kind})"
        if kind in {"bigint", "int"}
        else f"try_cast({text} as {kind})"
    )


def _without_exponent(text: str) -> str:
    """SQL: a number with exponent in plain digits, its point moved digit by digit so that nothing is rounded."""
    parts = f"regexp_extract({text}, '{_EXPONENT}', ['sign', 'whole', 'fraction', 'exponent'])"
    digits = "(n.whole || n.fraction)"
    point = "(length(n.whole) + n.exponent::int)"
    return (
        f"list_transform([{parts}], lambda n: n.sign || case"
        f" when {point} <= 0 then '0.' || repeat('0', -{point}) || {digits}"
        f" when {point} >= length({digits}) then {digits} || repeat('0', {point} - length({digits}))"
        f" else {digits}[:{point}] || '.' || {digits}[{point} + 1:] end)[1]"
    )
