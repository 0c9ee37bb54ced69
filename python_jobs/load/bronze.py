"""Bronze tables in DuckDB: their creation from the contract, and typed inserts of JSON texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from python_jobs.load.lines import Lines, Malformed, parse_line, scalar_text

if TYPE_CHECKING:
    import duckdb

    from python_jobs.contracts import Column, Table

SEQ_PER_BATCH = 1 << 32
"""Width of a batch in the ingest order: ingest_seq = batch_seq * 2^32 + line_number."""

_LINES_PER_RECORD_BATCH = 10_000

# a flat JSON object whose numbers DuckDB's parser keeps to the last digit
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))*"'
_NUMBER = r"(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,8})\.(?:[0-9]{0,3}[1-9]|0))"
_MEMBER = rf"\s*{_STRING}\s*:\s*(?:{_STRING}|{_NUMBER}|true|false|null)\s*"
_PLAIN_OBJECT = rf"[ \t]*\{{{_MEMBER}(?:,{_MEMBER})*\}}[ \t]*"

_TIMESTAMP = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|z|[+-]\d{2}(:?\d{2})?)?)?"
_PLAIN_DECIMAL = r"[+-]?\d{1,16}(\.\d{0,2}0*)?"
# what decimal(38,20) holds exactly; longer texts do not fit
_ANY_DECIMAL = r"[+-]?(\d{0,9}(\.\d{0,9})?[eE][+-]?\d|\d{0,18}(\.\d{0,18})?)"


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
    """Create the schema bronze and every table of the contract that is missing."""
    connection.execute("create schema if not exists bronze")
    for table in tables.values():
        columns = ", ".join(f"{column.name} {duckdb_type(column)}" for column in table.columns)
        connection.execute(f"create table if not exists bronze.{table.name} ({columns})")


def duckdb_type(column: Column) -> str:
    """Return the type of a column in DuckDB's words."""
    return "varchar" if column.data_type == "string" else column.data_type


def typed(column: Column, text: str) -> str:
    """Return the SQL expression that turns the JSON text of a value into the column's type, NULL where it does not fit.

    Money is never rounded: more than two decimals, or more digits than the type holds, do not fit. Timestamps without
    an offset are UTC.
    """
    kind = column.data_type
    if kind == "string":
        return text
    bare = f"trim({text}, e' \\t\\n\\r')"
    if kind == "boolean":
        return f"case lower({bare}) when 'true' then true when 'false' then false end"
    if kind == "timestamp":
        return (
            f"case when regexp_full_match({bare}, '{_TIMESTAMP}')"
            f" then cast(try_cast(upper({bare}) as timestamptz) as timestamp) end"
        )
    if kind in {"bigint", "int"}:
        whole = f"try_cast(split_part({bare}, '.', 1) as {kind})"
        return f"case when regexp_full_match({bare}, '[+-]?\\d+(\\.0*)?') then {whole} end"
    wide = f"case when regexp_full_match({bare}, '{_ANY_DECIMAL}') then try_cast({bare} as decimal(38,20)) end"
    return (
        f"case when regexp_full_match({bare}, '{_PLAIN_DECIMAL}') then try_cast({bare} as {kind})"
        f" when round({wide}, 2) = {wide} then try_cast({wide} as {kind}) end"
    )


def insert_lines(connection: duckdb.DuckDBPyConnection, table: Table, lines: Lines, stamps: Stamps) -> tuple[int, int]:
    """Insert some lines of a file and return how many were objects and how many were malformed.

    DuckDB takes flat objects in plain JSON apart itself, which is many times faster; Python takes the others, strictly.
    Runs in the transaction of the caller.
    """
    numbers = range(lines.first_number, lines.first_number + len(lines.texts))
    chunk = pa.table({"line_number": pa.array(numbers, pa.int64()), "raw_json": pa.array(lines.texts, pa.string())})
    # several record batches, so that DuckDB works on them in parallel
    connection.register("chunk", pa.Table.from_batches(chunk.to_batches(max_chunksize=_LINES_PER_RECORD_BATCH)))
    others = connection.execute(
        "select line_number, raw_json from chunk where not regexp_full_match(raw_json, $1)", [_PLAIN_OBJECT]
    ).fetchall()
    columns = (*table.value_columns, _column(table, "source_extracted_at"), _column(table, "source_system"))
    keys = [spelling for column in columns for spelling in column.spellings]
    texts = ", ".join(
        f"coalesce({', '.join(f'vals[{keys.index(spelling) + 1}]' for spelling in column.spellings)}) as {column.name}"
        for column in columns
    )
    plain = _insert_typed(
        connection,
        table,
        f"(select line_number, raw_json, {texts} from (select line_number, raw_json,"
        f" json_extract_string(raw_json, {keys}) as vals from chunk where regexp_full_match(raw_json, $5)))",
        [*stamps.values, _PLAIN_OBJECT],
    )
    connection.unregister("chunk")
    objects, malformed = _parse_others(columns, others)
    if objects:
        connection.register("objects", pa.Table.from_pylist(objects, schema=_text_schema(columns)))
        _insert_typed(connection, table, "objects", stamps.values)
        connection.unregister("objects")
    malformed += lines.malformed
    if malformed:
        connection.register("broken", pa.Table.from_pylist([vars(line) for line in malformed]))
        connection.execute(
            "insert into bronze.malformed_lines by name"
            " select $2 as batch_id, $5 as table_name, line_number, raw_line, error,"
            " $1 + line_number as ingest_seq, $4 as ingested_at, $3 as source_extracted_at from broken",
            [*stamps.values, table.name],
        )
        connection.unregister("broken")
    return plain + len(objects), len(malformed)


def has_value(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, *, batch_id: str) -> bool:
    """Return whether any row of a batch has a value in a column."""
    row = connection.execute(
        f"select exists (select 1 from bronze.{table.name} where batch_id = $1 and {column.name} is not null)",
        [batch_id],
    ).fetchone()
    return bool(row and row[0])


def raw_lines(connection: duckdb.DuckDBPyConnection, table: Table, *, batch_id: str) -> list[str]:
    """Return at most 10,000 original lines of a batch."""
    rows = connection.execute(
        f"select raw_json from bronze.{table.name} where batch_id = $1 limit 10000", [batch_id]
    ).fetchall()
    return [row[0] for row in rows]


def _insert_typed(connection: duckdb.DuckDBPyConnection, table: Table, texts: str, parameters: list[object]) -> int:
    """Insert rows of JSON texts; ``parameters`` begin with the four values of ``Stamps``."""
    extracted_at = typed(_column(table, "source_extracted_at"), "source_extracted_at")
    row = connection.execute(
        f"insert into bronze.{table.name} by name"
        f" select {', '.join(f'{typed(column, column.name)} as {column.name}' for column in table.value_columns)},"
        f" $4 as ingested_at, coalesce({extracted_at}, $3) as source_extracted_at,"
        f" $2 as batch_id, source_system, raw_json, line_number, $1 + line_number as ingest_seq from {texts}",
        parameters,
    ).fetchone()
    return int(row[0]) if row else 0


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
        for column in columns:
            values = (record.get(spelling) for spelling in column.spellings)
            row[column.name] = scalar_text(next((value for value in values if value is not None), None))
        objects.append(row)
    return objects, malformed


def _text_schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema(
        [("line_number", pa.int64()), ("raw_json", pa.string()), *((column.name, pa.string()) for column in columns)]
    )


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)
