"""Files of rules as hypothesis strategies: the default one with mistakes and with further versions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from python_jobs.rules.catalog import COLUMNS
from tests.oracle.rule_file import READER_OF, READERS
from tests.rule_files import DEFAULT, ENTRY_TYPES

Cells = list[str]
Table = list[Cells]
"""Header and rows."""

_DEFAULT_TABLE: Table = list(csv.reader(io.StringIO(DEFAULT)))

_NUMBERS = (
    *("0", "1", "0.5", "5", "200", "12", "60", "0.25", "100.5", "-1", "-0", "007", "1e3", "0,5", " 5 ", "NaN", "ten"),
    *("1.5", "0.0000000001", "999999999999999", "12345678901234567", "5.", ".5", "+5", "١", "1_0", "70.555"),
)
_KEYS = ("warn", "crit", "fail", "warning", "CRIT", "crit ", "")
_TEXTS = (
    "PAID",
    "PENDING",
    "GIFT",
    " PAID",
    "",
    "\u200b",
    "Gebühr",
    "결제",
    "a,b",
    'quo"te',
    "back\\slash",
    *ENTRY_TYPES,
)
_CURRENCIES = ("KRW", "USD", "JPY", "krw", "KR", "KRWX", "K1W", "")
_PATTERNS = (
    *("([0-9]+)$", "po_([0-9]+)", "^(\\d{4})-x", "(a|b)[^_]+", "@.*", "credit_(?:a|b)+?", "[a-z-]+", "[0-9", "(a)(b)"),
    *("(?i)a", "(?=a)b", "a{3}(b)", "(a)\\1", "a**", "\\w+\\.(x)", "", "()", "(a){2,3}?", "[[:alpha:]]", "\\p{L}"),
)
_STARTS = (
    *(
        "",
        "2026-02-03",
        "2026-02-03 15:00:00",
        "2026-02-03T00:00:00+09:00",
        "2026-02-03T00:00:00Z",
        "2026-02-03 00:00+0900",
    ),
    *(
        "2026-02-04 00:00:00.000001-05",
        "1970-01-01",
        "1969-12-31",
        "2026-02-30",
        "03.02.2026",
        "1770000000",
        "tomorrow",
    ),
    *("2026-02-03 24:00", "9998-12-31 23:59:59", "9999-12-31", " 2026-02-03", "2000-02-29T23:59:59.999999+14:00"),
)
_ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)


def _json_limits() -> st.SearchStrategy[str]:
    numbers: st.SearchStrategy[Any] = st.one_of(
        st.sampled_from(_NUMBERS), st.sampled_from([0, 1, 0.5, 0.001, 10, True, None, "5", [1]]).map(json.dumps)
    )
    members = st.lists(st.tuples(st.sampled_from(_KEYS), numbers), max_size=3)
    return members.map(lambda pairs: "{" + ", ".join(f"{json.dumps(k)}: {v}" for k, v in pairs) + "}")


def _json_values(texts: tuple[str, ...]) -> st.SearchStrategy[str]:
    plain = st.lists(st.one_of(st.sampled_from(texts), _ANY_TEXT), max_size=3)
    return st.one_of(
        plain.map(json.dumps), plain.map(lambda values: json.dumps(values, ensure_ascii=False)), plain.map(str)
    )


def _cells() -> dict[str, st.SearchStrategy[str]]:
    metrics = sorted(READER_OF)
    scopes = sorted({scope for metrics in READERS.values() for known in metrics.values() for scope in known})
    return {
        "rule_id": st.one_of(st.sampled_from(["odd", " odd", "", "ledger_recon_abs_default"]), _ANY_TEXT),
        "domain": st.sampled_from(["dq", "ledger", "silver", "analytics", "leger", "DQ", "", "dq "]),
        "metric": st.sampled_from([*(metric.split("/")[1] for metric in metrics), "drift", "", "drift_abs "]),
        "scope": st.sampled_from([*scopes, "", "bronze.user_wallets", "null", "NULL"]),
        "threshold": st.one_of(st.sampled_from(_NUMBERS), st.just(""), _ANY_TEXT),
        "severity_map": st.one_of(_json_limits(), st.just(""), _ANY_TEXT),
        "allowed_values": st.one_of(_json_values(_TEXTS), _json_values(_PATTERNS), _json_values(_STARTS), st.just("")),
        "effective_start_ts": st.one_of(st.sampled_from(_STARTS), _ANY_TEXT),
        "comment": st.one_of(st.just(""), st.just("null"), _ANY_TEXT),
    }


CELLS = _cells()


@st.composite
def further_versions(draw: st.DrawFn) -> Cells:
    """A row that is sound more often than not: its metric reads the fields that it has."""
    metric = draw(st.sampled_from(sorted(READER_OF)))
    reader = READER_OF[metric]
    domain, name = metric.split("/")
    scopes = sorted(READERS[reader][metric])
    cells = dict.fromkeys(COLUMNS, "") | {"domain": domain, "metric": name}
    cells["rule_id"] = f"v{draw(st.integers(0, 99))}"
    cells["scope"] = draw(st.sampled_from(["", *scopes]))
    cells["effective_start_ts"] = draw(st.one_of(_instants(), st.sampled_from(_STARTS)))
    cells["comment"] = draw(st.sampled_from(["", "null", " ", "Why, and since when.", 'A "quote".', "왜"]))
    if reader in {"limits", "share limits", "share stop"}:
        keys = ["fail"] if reader == "share stop" else draw(st.sampled_from([["warn", "crit"], ["crit"], ["warn"], []]))
        limits = sorted(draw(st.lists(_limits(), min_size=len(keys), max_size=len(keys))))
        cells["severity_map"] = json.dumps(dict(zip(keys, limits, strict=True))) if keys else ""
        cells["threshold"] = draw(st.one_of(st.just(""), _limits().map(str)))
    elif reader in {"minutes", "rows", "hours", "money"}:
        cells["threshold"] = draw(st.sampled_from(["10", "0", "15", "60", "70.5", "1", "-5"]))
    elif reader in {"patterns", "link"}:
        cells["allowed_values"] = json.dumps(draw(st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=2)))
    elif reader == "instant":
        cells["allowed_values"] = json.dumps([draw(st.sampled_from(_STARTS))])
    else:
        texts = _CURRENCIES if reader == "currencies" else _TEXTS
        values = draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3, unique=True))
        cells["allowed_values"] = json.dumps(values, ensure_ascii=draw(st.booleans()))
    return [cells[name] for name in COLUMNS]


def _limits() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from([0, 1, 0.5, 0.001]), st.integers(0, 10_000).map(lambda n: n / 10_000))


def _instants() -> st.SearchStrategy[str]:
    zones = st.sampled_from(["", "Z", "+09:00", "+0900", "+09", "-03:30", "+14:00"])
    return st.tuples(st.datetimes(min_value=_day(1971), max_value=_day(2100)), st.sampled_from("T "), zones).map(
        lambda parts: parts[0].isoformat(sep=parts[1]) + parts[2]
    )


def _day(year: int) -> Any:
    from datetime import datetime

    return datetime(year, 1, 1)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """The default rules, further versions, and up to two changed cells, columns or rows."""
    table = [list(cells) for cells in _DEFAULT_TABLE]
    table += draw(st.lists(further_versions(), max_size=3))
    changes: Sequence[Callable[[st.DrawFn, Table], None]] = [_change_cell] * 8 + [_change_row] * 2 + [_change_column]
    for change in draw(st.lists(st.sampled_from(changes), max_size=2)):
        change(draw, table)
    return table


def _change_cell(draw: st.DrawFn, table: Table) -> None:
    row = draw(st.integers(1, len(table) - 1))
    column = draw(st.integers(0, len(COLUMNS) - 1))
    if column < len(table[row]):
        table[row][column] = draw(CELLS[COLUMNS[column]])


def _change_column(draw: st.DrawFn, table: Table) -> None:
    header = table[0]
    at = draw(st.integers(0, len(header) - 1))
    match draw(st.sampled_from(["rename", "repeat", "drop", "swap"])):
        case "rename":
            header[at] = draw(st.sampled_from(["treshold", "scopes", "", "Comment", *COLUMNS]))
        case "repeat":
            for cells in table:
                cells.append(cells[at] if at < len(cells) else "")
        case "drop":
            for cells in table:
                del cells[at : at + 1]
        case _:
            for cells in table:
                cells[:] = [*cells[1:], cells[0]] if cells else []


def _change_row(draw: st.DrawFn, table: Table) -> None:
    at = draw(st.integers(1, len(table) - 1))
    match draw(st.sampled_from(["repeat", "drop", "shorten", "lengthen", "empty"])):
        case "repeat":
            table.append(list(table[at]))
        case "drop":
            del table[at]
        case "shorten":
            table[at] = table[at][:-1]
        case "lengthen":
            table[at] = [*table[at], ""]
        case _:
            table.insert(at, [""] * len(COLUMNS))


@st.composite
def rule_files(draw: st.DrawFn) -> bytes:
    """A file: a table in one of the ways in which tools write it, now and then with a wrong character."""
    text = io.StringIO(newline="")
    written: dict[str, Any] = {
        "delimiter": draw(st.sampled_from([","] * 18 + [";", "\t"])),
        "lineterminator": draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    }
    csv.writer(text, **written).writerows(draw(tables()))
    content = text.getvalue() + draw(st.sampled_from(["", "\n", ",,,,,,,,\n"] * 6 + ["# end\n", " \n"]))
    if draw(st.sampled_from([False] * 7 + [True])):
        at = draw(st.integers(0, len(content)))
        wrong = draw(st.sampled_from(['"', ",", "\n", "{", "'", "\x00", "\u00a0", "”", ""]))
        content = content[:at] + wrong + content[at + draw(st.integers(0, 1)) :]
    encoding = draw(st.sampled_from(["utf-8"] * 18 + ["utf-8-sig", "utf-8-sig", "utf-16", "cp949"]))
    return content.encode(encoding, errors="replace")
