"""Bronze tables in DuckDB: their creation from the contract, and typed inserts of JSON texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from python_jobs.load.lines import LONGEST_KEY, Lines, Malformed, parse_line, plain_text, scalar_text
from python_jobs.load.values import BLANKS, kept, parsed

if TYPE_CHECKING:
    import duckdb

    from python_jobs.contracts import Column, Table

SEQ_PER_BATCH = 1 << 32
"""Width of a batch in the ingest order: ingest_seq = batch_seq * 2^32 + line_number."""

_LINES_PER_RECORD_BATCH = 10_000

_PLAIN_DIGITS = frozenset({"string", "boolean"})
"""Types in whose columns a JSON number counts by its value, however it is written."""

# a flat JSON object whose numbers DuckDB's parser keeps to the last digit
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))*"'
_NUMBER = r"(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,8})\.(?:[0-9]{0,3}[1-9]|0))"
_MEMBER = rf"[ \t\r]*{_STRING}[ \t\r]*:[ \t\r]*(?:{_STRING}|{_NUMBER}|true|false|null)[ \t\r]*"
_PLAIN_OBJECT = rf"[ \t]*\{{{_MEMBER}(?:,{_MEMBER})*\}}[ \t]*"


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """What the load stamps on every row of a batch; instants are UTC without a zone."""

    batch_id: str
    batch_seq: int
    extracted_at: datetime | None
    loaded_at: datetime

    @property
    def values(self) -> list[object]:
        """Parameters $1 to $4 of the inserts: ingest_seq of line 0, batch, extraction instant, load instant."""
        return [self.batch_seq * SEQ_PER_BATCH, self.batch_id, self.extracted_at, self.loaded_at]


def create_tables(connection: duckdb.DuckDBPyConnection, tables: dict[str, Table]) -> None:
    """Create the schema bronze and every table of the contract that is missing, and add missing columns."""
    connection.execute("create schema if not exists bronze")
    existing: dict[str, set[str]] = {}
    for name, column in connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'bronze'"
    ).fetchall():
        existing.setdefault(name, set()).add(column)
    for table in tables.values():
        if table.name not in existing:
            columns = ", ".join(f"{column.name} {duckdb_type(column)}" for column in table.columns)
            connection.execute(f"create table bronze.{table.name} ({columns})")
        for column in table.columns if table.name in existing else ():
            if column.name not in existing[table.name]:
                connection.execute(f"alter table bronze.{table.name} add column {column.name} {duckdb_type(column)}")


def duckdb_type(column: Column) -> str:
    """Return the type of a column in DuckDB's words."""
    return "varchar" if column.data_type == "string" else column.data_type


def insert_lines(connection: duckdb.DuckDBPyConnection, table: Table, lines: Lines, stamps: Stamps) -> tuple[int, int]:
    """Insert some lines of a file and return how many were objects and how many were malformed.

    DuckDB takes flat objects in plain JSON apart itself, which is many times faster; Python takes the others, strictly,
    and those so long that a key may be too long.
    Runs in the transaction of the caller.
    """
    numbers = range(lines.first_number, lines.first_number + len(lines.texts))
    chunk = pa.table({"line_number": pa.array(numbers, pa.int64()), "raw_json": pa.array(lines.texts, pa.string())})
    with _rows(connection, "chunk", chunk):
        others = connection.execute(
            "select line_number, raw_json from chunk"
            " where strlen(raw_json) > $2 or not regexp_full_match(raw_json, $1)",
            [_PLAIN_OBJECT, LONGEST_KEY],
        ).fetchall()
    skipped = [number for number, _ in others] + [line.line_number for line in lines.malformed]
    columns = table.keyed_columns
    keys = list(dict.fromkeys(spelling for column in columns for spelling in column.spellings))
    texts = ", ".join(f"{_first_text(column, keys)}, {_first_key(column, keys)}" for column in columns)
    with _rows(connection, "chunk", chunk):
        plain = _insert_typed(
            connection,
            table,
            f"(select line_number, raw_json, cast(null as varchar[]) as unfit, {texts}"
            f" from (select line_number, raw_json, json_extract_string(raw_json, {keys}) as vals from chunk"
            " where line_number not in (select unnest($5::bigint[]))))",
            [*stamps.values, skipped],
        )
    objects, malformed = _parse_others(columns, others)
    if objects:
        with _rows(connection, "objects", pa.Table.from_pylist(objects, schema=_text_schema(columns))):
            _insert_typed(connection, table, "objects", stamps.values)
    malformed += lines.malformed
    if malformed:
        with _rows(connection, "broken", pa.Table.from_pylist([vars(line) for line in malformed])):
            connection.execute(
                "insert into bronze.malformed_lines by name"
                " select $2 as batch_id, $5 as table_name, line_number, raw_line, error,"
                " $1 + line_number as ingest_seq, $4 as ingested_at, $3 as source_extracted_at from broken",
                [*stamps.values, table.name],
            )
    return plain + len(objects), len(malformed)


@contextmanager
def _rows(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    """Give rows a name for one scan.

    A reader hands its batches over; a table would stay in memory until the transaction ends. Several batches let DuckDB
    work on them in parallel.
    """
    batches = rows.to_batches(max_chunksize=_LINES_PER_RECORD_BATCH)
    connection.register(name, pa.RecordBatchReader.from_batches(rows.schema, iter(batches)))
    yield
    connection.unregister(name)  # after an error the transaction takes no statement; the rollback forgets the name


def has_value(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, *, batch_id: str) -> bool:
    """Return whether any row of a batch has a value in a column."""
    return _exists(connection, table, f"{column.name} is not null", batch_id)


def has_key(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, *, batch_id: str) -> bool:
    """Return whether any line of a batch has the key of a column, be its value null."""
    keys = " or ".join(f"json_exists(raw_json, '$.\"{spelling}\"')" for spelling in column.spellings)
    return _exists(connection, table, keys, batch_id)


def first_keys(connection: duckdb.DuckDBPyConnection, table: Table, *, batch_id: str) -> set[str]:
    """Return the keys of the first lines of a batch."""
    rows = connection.execute(
        f"select distinct unnest(json_keys(raw_json)) from bronze.{table.name}"
        f" where batch_id = $1 and line_number <= {_LINES_PER_RECORD_BATCH}",
        [batch_id],
    ).fetchall()
    return {row[0] for row in rows}


def _exists(connection: duckdb.DuckDBPyConnection, table: Table, condition: str, batch_id: str) -> bool:
    row = connection.execute(
        f"select exists (select 1 from bronze.{table.name} where batch_id = $1 and ({condition}))", [batch_id]
    ).fetchone()
    return bool(row and row[0])


def _first_text(column: Column, keys: list[str]) -> str:
    """SQL: text of the first spelling of a column that holds a value; the list ``vals`` has the values of ``keys``."""
    texts = [f"vals[{keys.index(spelling) + 1}]" for spelling in column.spellings]
    if column.data_type in _PLAIN_DIGITS:
        texts = [_whole_number(text, key) for text, key in zip(texts, column.spellings, strict=True)]
    return f"coalesce({', '.join(texts)}) as {_text_of(column)}"


def _whole_number(text: str, key: str) -> str:
    """SQL: plain digits of a JSON number that ends with ``.0``, as a plain line may write a whole number."""
    is_number = f"json_type(raw_json, '/{key}') = 'DOUBLE'"
    whole = f"case {text} when '-0.0' then '0' else left({text}, -2) end"
    return f"case when ends_with({text}, '.0') and {is_number} then {whole} else {text} end"


def _first_key(column: Column, keys: list[str]) -> str:
    """SQL: the spelling that held the value."""
    if len(column.spellings) == 1:
        return f"'{column.spellings[0]}' as {_key_of(column)}"
    found = " ".join(
        f"when vals[{keys.index(spelling) + 1}] is not null then '{spelling}'" for spelling in column.spellings
    )
    return f"case {found} end as {_key_of(column)}"


def _text_of(column: Column) -> str:
    return f"text_of_{column.name}"


def _key_of(column: Column) -> str:
    return f"key_of_{column.name}"


def _parsed_of(column: Column) -> str:
    return f"parsed_of_{column.name}"


def _value_of(column: Column) -> str:
    return f"value_of_{column.name}"


def _insert_typed(connection: duckdb.DuckDBPyConnection, table: Table, texts: str, parameters: list[object]) -> int:
    """Insert rows of JSON texts; ``parameters`` begin with the four values of ``Stamps``.

    ``texts`` has for each column of a line its text and the key that held it, and in the list ``unfit`` the keys that
    held an object or a list.
    """
    columns = table.keyed_columns
    extracted_at, system = (_value_of(_column(table, name)) for name in ("source_extracted_at", "source_system"))
    unreadable, remote = _misfits(columns)
    all_parsed = (f"{parsed(column, _text_of(column))} as {_parsed_of(column)}" for column in columns)
    all_kept = (f"{kept(column, _parsed_of(column))} as {_value_of(column)}" for column in columns)
    row = connection.execute(
        f"insert into bronze.{table.name} by name"
        f" select {', '.join(f'{_value_of(column)} as {column.name}' for column in table.value_columns)},"
        f" $4 as ingested_at, coalesce({extracted_at}, $3) as source_extracted_at, $2 as batch_id,"
        f" {system} as source_system, {unreadable} as unreadable_columns, {remote} as implausible_columns,"
        " raw_json, line_number, $1 + line_number as ingest_seq"
        f" from (select *, {', '.join(all_kept)} from (select *, {', '.join(all_parsed)} from {texts}))",
        parameters,
    ).fetchone()
    return int(row[0]) if row else 0


def _misfits(columns: tuple[Column, ...]) -> tuple[str, str]:
    """SQL: the keys with a value that does not fit, and those with an instant that is not kept, joined by commas."""

    def is_misfit(column: Column) -> str:
        return f"({_parsed_of(column)} is null and trim({_text_of(column)}, {BLANKS}) <> '')"

    def is_remote(column: Column) -> str:
        return f"({_parsed_of(column)} is not null and {_value_of(column)} is null)"

    def is_named_already(column: Column) -> str:
        """Two columns may read one key, which is named once."""
        earlier = [
            candidate
            for candidate in columns[: columns.index(column)]
            if set(candidate.spellings) & set(column.spellings)
        ]
        return " or ".join([*(f"{_key_of(column)} = {_key_of(candidate)}" for candidate in earlier), "false"])

    def names(of: Iterable[Column], condition: Callable[[Column], str]) -> str:
        parts = (
            f"case when ({condition(column)}) and not ({is_named_already(column)}) then {_key_of(column)} end"
            for column in of
        )
        return f"nullif(concat_ws(',', {', '.join(parts)}), '')"

    instants = [column for column in columns if column.data_type == "timestamp"]
    # for nearly every line these conditions decide, and no names are put together
    any_misfit = " or ".join(is_misfit(column) for column in columns if column.data_type != "string")
    any_remote = " or ".join(is_remote(column) for column in instants)
    unreadable = names(columns, lambda column: f"list_contains(unfit, {_key_of(column)}) or {is_misfit(column)}")
    return (
        f"case when unfit is not null or {any_misfit} then {unreadable} end",
        f"case when {any_remote} then {names(instants, is_remote)} end",
    )


def _parse_others(
    columns: tuple[Column, ...], others: list[tuple[int, str]]
) -> tuple[list[dict[str, object]], list[Malformed]]:
    """Take apart the lines that are no plain flat object; blank ones are left out."""
    objects: list[dict[str, object]] = []
    malformed: list[Malformed] = []
    for line_number, text in others:
        if not text.strip():
            continue
        try:
            record = parse_line(text)
        except ValueError as error:
            malformed.append(Malformed(line_number=line_number, raw_line=text, error=str(error)))
            continue
        row: dict[str, object] = {"line_number": line_number, "raw_json": text}
        unfit = []
        for column in columns:
            key = next((key for key in column.spellings if record.get(key) is not None), None)
            value = None if key is None else record[key]
            text_of_value = plain_text(value) if column.data_type in _PLAIN_DIGITS else scalar_text(value)
            if value is not None and text_of_value is None:
                unfit.append(key)
            row |= {_text_of(column): text_of_value, _key_of(column): key}
        objects.append(row | {"unfit": unfit or None})
    return objects, malformed


def _text_schema(columns: tuple[Column, ...]) -> pa.Schema:
    names = [name for column in columns for name in (_text_of(column), _key_of(column))]
    return pa.schema(
        [
            ("line_number", pa.int64()),
            ("raw_json", pa.string()),
            ("unfit", pa.list_(pa.string())),
            *((name, pa.string()) for name in names),
        ]
    )


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)
