"""Types messages on the executors with the DuckDB statements that type the lines of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from python_jobs.contracts import Column, Table
from python_jobs.load import bronze
from python_jobs.load.lines import LONGEST_LINE, Lines
from python_jobs.stream.feeds import Feed
from python_jobs.stream.messages import Message, read_message

STAMPS = ("batch_id", "ingested_at", "ingest_seq")
"""Columns of Bronze that the writer of the batch adds."""

_NO_STAMPS = bronze.Stamps(batch_id="", batch_seq=0, extracted_at=None, loaded_at=datetime(1970, 1, 1))  # noqa: DTZ001 - the warehouse stores UTC without a zone
_MEMORY = "256MiB"
_PIECE = 8 * 1024 * 1024
"""Characters of messages that are typed at once; the longest message alone may have more, and fits in the memory."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Offsets of a partition in a micro-batch; the message at ``first`` has the line number ``base``.

    Offsets without a message (of transactions, or compacted) leave their line numbers empty.
    """

    topic: str
    partition: int
    first: int
    last: int
    base: int


def typed_columns(table: Table) -> list[Column]:
    """Return the columns of typed messages, without raw_line and error of malformed messages."""
    return [column for column in table.columns if column.name not in STAMPS]


def typed_schema(table: Table) -> str:
    """Return the schema of typed messages as Spark DDL."""
    columns = [f"{column.name} {column.data_type}" for column in typed_columns(table)]
    return ", ".join([*columns, "raw_line string", "error string"])


def typing_of(
    feed: Feed, tables: dict[str, Table], spans: Iterable[Span], *, longest: int = LONGEST_LINE
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return a function for ``mapInArrow`` from messages (key, value, partition, offset) to typed rows."""
    by_partition = {span.partition: span for span in spans}
    table = tables[feed.table]
    needed = {name: tables[name] for name in (feed.table, "malformed_lines")}

    def typed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        connection = duckdb.connect(config={"threads": "1", "memory_limit": _MEMORY})
        try:
            connection.execute("set TimeZone = 'UTC'")
            bronze.create_tables(connection, needed)
            for batch in batches:
                messages: list[tuple[int, Message]] = []
                places: dict[int, str] = {}
                for row in batch.to_pylist():
                    message = read_message(feed, row["key"], row["value"], longest=longest)
                    if message is not None:
                        span = by_partition[row["partition"]]
                        number = span.base + row["offset"] - span.first
                        messages.append((number, message))
                        places[number] = f"{feed.topic}, partition {row['partition']}, offset {row['offset']}"
                for piece in _pieces(messages):
                    yield from _typed(connection, table, piece, places).to_batches()
        finally:
            connection.close()

    return typed


def _pieces(messages: list[tuple[int, Message]]) -> Iterator[list[tuple[int, Message]]]:
    """Cut messages, in their order, into pieces of bounded size."""
    piece: list[tuple[int, Message]] = []
    size = 0
    for number, message in messages:
        if piece and size + len(message.original) > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append((number, message))
        size += len(message.original)
    if piece:
        yield piece


def _typed(
    connection: duckdb.DuckDBPyConnection, table: Table, messages: list[tuple[int, Message]], places: dict[int, str]
) -> pa.Table:
    """Rows of some messages; the loader numbers them 1, 2, …, which become their line numbers again."""
    readable = [(number, message) for number, message in messages if message.line is not None]
    lines = Lines(first_number=1, texts=[message.line for _, message in readable], bytes_read=0)
    bronze.insert_lines(connection, table, lines, _NO_STAMPS)
    columns = typed_columns(table)
    types = ", ".join(
        f"cast({column.name} as timestamptz) as {column.name}" if column.data_type == "timestamp" else column.name
        for column in columns
    )
    good: pa.Table = connection.sql(f"select {types} from bronze.{table.name} order by line_number").to_arrow_table()
    malformed = connection.execute("select line_number, raw_line, error from bronze.malformed_lines").fetchall()
    connection.execute(f"truncate bronze.{table.name}")
    connection.execute("truncate bronze.malformed_lines")

    positions = good["line_number"].to_pylist()
    numbers = pa.array([readable[position - 1][0] for position in positions], pa.int64())
    originals = pa.array([readable[position - 1][1].original for position in positions], pa.string())
    good = good.set_column(good.schema.get_field_index("line_number"), "line_number", numbers)
    good = good.set_column(good.schema.get_field_index("raw_json"), "raw_json", originals)
    broken = [(readable[position - 1][0], readable[position - 1][1].original, why) for position, _, why in malformed]
    broken += [(number, message.original, message.error) for number, message in messages if message.line is None]

    schema = pa.schema([*good.schema, ("raw_line", pa.string()), ("error", pa.string())])
    rows = [
        {"line_number": number, "raw_line": text, "error": f"{why} ({places[number]})"} for number, text, why in broken
    ]
    nothing = pa.nulls(len(good), pa.string())
    return pa.concat_tables(
        [
            good.append_column("raw_line", nothing).append_column("error", nothing).cast(schema),
            pa.Table.from_pylist(rows, schema=schema),
        ]
    )
