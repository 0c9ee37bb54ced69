"""What DuckDB makes of a line of JSON is what the plain Python oracle makes of it, and no chunking changes it."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from python_jobs.contracts import Table, read_contracts
from python_jobs.load import bronze, lines
from python_jobs.load.lines import Lines, Malformed, read_lines
from tests.dbt_runs import PROJECT
from tests.oracle.bronze import COLUMNS, META, Batch, BronzeRow, parse_line

TABLES = {name: table for name, table in read_contracts(PROJECT).items() if name in COLUMNS}
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
LOADED_AT = datetime(2026, 3, 10, tzinfo=UTC)
SEQ = 3
STAMPS = bronze.Stamps(batch_id="one batch", batch_seq=SEQ, extracted_at=None, loaded_at=LOADED_AT.replace(tzinfo=None))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty Bronze in memory."""
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        bronze.create_tables(warehouse, read_contracts(PROJECT))
        yield warehouse


def loaded(connection: duckdb.DuckDBPyConnection, name: str, chunks: list[list[str]]) -> list[BronzeRow]:
    """Rows that the loader makes of consecutive chunks of lines, as the oracle writes rows."""
    table, first = TABLES[name], 1
    for chunk in chunks:
        bronze.insert_lines(connection, table, Lines(first_number=first, texts=list(chunk), bytes_read=0), STAMPS)
        first += len(chunk)
    rows = read_rows(connection, table)
    connection.execute(f"delete from bronze.{name}")
    connection.execute("delete from bronze.malformed_lines")
    return rows


def read_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> list[BronzeRow]:
    columns = [column.name for column in table.value_columns]
    cursor = connection.execute(
        "select ingest_seq, raw_json, unreadable_columns, implausible_columns, source_system, source_extracted_at,"
        f" {', '.join(columns)} from bronze.{table.name}"
    )
    rows = []
    for seq, raw, unreadable, remote, system, extracted_at, *cells in cursor.fetchall():
        values = {name: aware(cell) for name, cell in zip(columns, cells, strict=True)}
        values |= {"source_extracted_at": aware(extracted_at), "source_system": system}
        flaws = {"unreadable": names(unreadable), "remote": names(remote)}
        rows.append(oracle_row(table.name, seq, raw, source_extracted_at=aware(extracted_at), values=values, **flaws))
    cursor = connection.execute("select ingest_seq, raw_line from bronze.malformed_lines")
    rows += [oracle_row(table.name, seq, raw, malformed=True) for seq, raw in cursor.fetchall()]
    return sorted(rows, key=lambda row: row.ingest_seq)


def names(joined: str | None) -> tuple[str, ...]:
    return () if joined is None else tuple(joined.split(","))


def oracle_row(name: str, seq: int, raw: str, **known: Any) -> BronzeRow:
    return BronzeRow(
        **{"source_extracted_at": None} | known, table=name, ingest_seq=seq, raw=raw, ingested_at=LOADED_AT
    )


def aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def expected(name: str, texts: list[str]) -> list[BronzeRow]:
    batch = Batch(name, tuple(texts), None, LOADED_AT, SEQ)
    parsed = (parse_line(batch, number, text) for number, text in enumerate(texts, start=1) if text.strip())
    return [
        oracle_row(
            row.table,
            row.ingest_seq,
            row.raw,
            malformed=row.malformed,
            source_extracted_at=row.source_extracted_at,
            # when the line itself was ingested elsewhere is checked and not kept
            values={name: value for name, value in row.values.items() if name != "ingested_at"},
            unreadable=row.unreadable,
            remote=row.remote,
        )
        for row in parsed
    ]


def comparable(rows: list[BronzeRow]) -> list[tuple[Any, ...]]:
    """Rows with their numbers as text, so that 1 is not 1.00 and not True."""
    return [
        (
            row.ingest_seq,
            row.raw,
            row.malformed,
            row.source_extracted_at,
            row.unreadable,
            row.remote,
            {name: f"{type(value).__name__} {value}" for name, value in row.values.items() if value is not None},
        )
        for row in rows
    ]


digits = st.text(string.digits, min_size=1, max_size=19)
number_texts = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "-", "+"]),
        st.one_of(digits, st.integers(0, 10**17).map(str)),
        st.one_of(
            st.just(""), digits.map(".{}".format), st.sampled_from([".", ".0", ".50", ".500000000000000000000000"])
        ),
        st.one_of(
            st.just(""),
            st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "-", "+"]), st.integers(0, 130)),
        ),
    ),
)
timestamp_texts = st.one_of(
    st.datetimes(datetime(1969, 12, 30), datetime(2100, 1, 1)).map(str),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(datetime.isoformat),
    st.builds(
        "{:04}-{:02}-{:02}{}{}{}".format,
        st.one_of(st.integers(0, 10000), st.just(2026)),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from(["", "T", " ", "t"]),
        st.one_of(
            st.just(""),
            st.builds(
                "{:02}:{:02}{}".format,
                st.integers(0, 25),
                st.integers(0, 60),
                st.sampled_from(["", ":00", ":59.1", ":60", ":07.12345678901", ":5", ":"]),
            ),
        ),
        st.sampled_from(["", "Z", "z", "+09:00", "-0930", "+14", "+9", " Z", " UTC", "+24:00", "+23:59", "+09:60"]),
    ),
)
words = st.sampled_from(
    ["true", "FALSE", "True", "false", "yes", "1", "0", "1.0", "1001.0", "null", "NaN", "", "PAYMENT", "po_1", "가나다"]
)
blanks = st.text(" \t\n\r\f\v\u00a0\u3000", max_size=2)
padded = st.builds("{}{}{}".format, blanks, st.one_of(number_texts, timestamp_texts, words), blanks)
plain_strings = st.one_of(number_texts, timestamp_texts, words, padded, st.text(max_size=8))


def quoted(text: str) -> str:
    """JSON string of a text, its control characters escaped."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(escapes.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


escaped_strings = st.lists(
    st.sampled_from(['\\"', "\\\\", "\\/", "\\n", "\\u0041", "\\u0000", "\\ud83d\\ude00", "\\ud800", "\\x", "a", "한"]),
    max_size=4,
).map(lambda parts: f'"{"".join(parts)}"')
scalars = st.one_of(
    number_texts,  # with leading zeros or a plus it is no JSON
    plain_strings.map(quoted),
    escaped_strings,
    st.sampled_from(["true", "false", "null", "NaN", "-Infinity", "nul", "01", "-0", "-0.0", "1.10", "0.0001", "1e5"]),
    st.sampled_from(["0", "1", "1.0", "0.0", "1e0", "10e-1", "1001", "1001.0", "1001.00", "1.001e3", "-7.0", "1e1001"]),
)
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]"),
        st.lists(st.tuples(st.sampled_from(["a", "amount"]), inner), max_size=3).map(
            lambda members: f"{{{','.join(f'{quoted(key)}:{value}' for key, value in members)}}}"
        ),
    ),
    max_leaves=4,
)


@st.composite
def line(draw: st.DrawFn, name: str) -> str:
    """Something like a line of a table's file: mostly an object with known keys, some twice, sometimes broken."""
    known = [spelling for column in TABLES[name].value_columns for spelling in column.spellings]
    keys = st.sampled_from([*known, *known, *META, "unheard_of", "amo\\u0075nt", ""])
    members = draw(st.lists(st.tuples(keys, st.one_of(scalars, scalars, nested)), max_size=6))
    space = draw(st.sampled_from(["", "", " ", "\t", "\r", "\f", "\u00a0"]))
    text = f"{space},".join(f'"{key}"{space}:{space}{value}' for key, value in members)
    text = f"{space}{{{text}}}"
    if draw(st.integers(0, 9)) == 0:
        text = draw(st.sampled_from([text[:-1], text + "}", f"[{text}]", text.replace('"', "'"), "", " ", "7", "null"]))
    return text


@pytest.mark.parametrize("name", list(COLUMNS))
def test_each_line_is_typed_as_the_oracle_types_it(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    @settings(PATIENT, max_examples=25)
    @given(st.lists(line(name), min_size=5, max_size=25))
    def agrees(texts: list[str]) -> None:
        assert comparable(loaded(connection, name, [texts])) == comparable(expected(name, texts))

    agrees()


@settings(PATIENT, max_examples=60)
@given(st.lists(number_texts, min_size=1, max_size=40))
@example(["9999999999999999.99", "10000000000000000.00", "0.005", "1.5e1", "123456.789e1", "5e-1", "5e-3", "0e-99"])
@example(["9223372036854775807", "9223372036854775808", "2147483648", "-0", "1.2345678901234E12", "000" * 20 + "1"])
def test_numbers_in_any_notation_are_read_exactly(connection: duckdb.DuckDBPyConnection, numbers: list[str]) -> None:
    texts = [
        f'{{"item_id": "{number}", "quantity": "{number}", "price_at_purchase": "{number}"}}' for number in numbers
    ]
    assert comparable(loaded(connection, "order_items_raw", [texts])) == comparable(expected("order_items_raw", texts))


@settings(PATIENT, max_examples=60)
@given(st.lists(timestamp_texts, min_size=1, max_size=40))
@example(["1970-01-01", "1969-12-31T23:59:59.999999Z", "1900-01-01T08:59:59+09:00", "1900-01-01T09:00:00+09:00"])
@example(["0001-01-01T00:00:00Z", "0000-01-01", "0000-00-00 00:00:00", "0000-02-29", "9999-12-31", "1899-12-30"])
@example([f"2026-02-01T09:00{offset}" for offset in ("+09", "+0960", "+09:60", "+24:00", "-23:59", "+9", " Z", "z")])
@example(["9999-12-31T23:59:59.999999+09:00", "9999-12-31T15:00:00Z", "2026-02-29", "2024-02-29T24:00"])
def test_instants_written_in_any_way_are_the_same_instant(
    connection: duckdb.DuckDBPyConnection, instants: list[str]
) -> None:
    texts = [
        f'{{"tx_id": "t", "created_at": {quoted(instant)}, "source_extracted_at": {quoted(instant)}}}'
        for instant in instants
    ]
    name = "transaction_ledger_raw"
    assert comparable(loaded(connection, name, [texts])) == comparable(expected(name, texts))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_present_value_is_typed_or_named(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Any JSON value of any key has its typed meaning, or is named with its line, or is blank."""
    keys = [spelling for column in TABLES[name].value_columns for spelling in column.spellings]
    keys += ["source_extracted_at", "source_system"]

    @settings(PATIENT, max_examples=15)
    @given(st.lists(st.tuples(st.sampled_from(keys), nested), min_size=1, max_size=25))
    def is_never_lost(members: list[tuple[str, str]]) -> None:
        for row in loaded(connection, name, [[f'{{"{key}": {value}}}' for key, value in members]]):
            if row.malformed:
                continue
            ((key, value),) = json.loads(row.raw, parse_int=str, parse_float=str).items()
            is_absent = value is None or (isinstance(value, str) and not value.strip(" \t\n\r\f\v"))
            has_meaning = any(cell is not None for cell in row.values.values())
            is_named = key in row.unreadable + row.remote
            assert is_named != (has_meaning or is_absent)

    is_never_lost()


@settings(PATIENT, max_examples=25)
@given(st.data())
def test_a_file_is_the_sum_of_its_lines_in_any_chunking(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    name = "transaction_ledger_raw"
    texts = data.draw(st.lists(line(name), min_size=1, max_size=12))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(texts)))))
    chunks = [texts[start:end] for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    assert comparable(loaded(connection, name, chunks)) == comparable(loaded(connection, name, [texts]))


@settings(PATIENT, max_examples=30)
@given(st.lists(line("user_wallets_raw"), min_size=1, max_size=12))
def test_every_kept_line_can_be_read_by_the_engine_again(
    connection: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    """Silver and reports look into raw_json with DuckDB's own parser; it must not stumble over a line of Bronze."""
    kept = [row.raw for row in loaded(connection, "user_wallets_raw", [texts]) if not row.malformed]
    readable = connection.execute(
        "select raw from unnest($1::varchar[]) as kept (raw) where json_valid(raw) and json_keys(raw) is not null",
        [kept],
    ).fetchall()
    assert [raw for (raw,) in readable] == kept


@settings(PATIENT, max_examples=150)
@given(st.lists(st.binary(max_size=20)), st.integers(1, 40), st.booleans())
@example([b"\xef\xbb\xbf{}\r", b"a\r", b"\xff"], 1, True)
@example([b"\xef\xbb\xbf"], 2, False)
@example([b"a", b"\xef\xbb\xbf{}"], 2, True)
def test_blocks_of_any_size_give_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], block: int, ends_with_newline: bool
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "any.jsonl"
    content = b"\n".join(parts) + (b"\n" if ends_with_newline else b"")
    assume(not content.startswith(b"\x1f\x8b"))  # what gzip files begin with
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK", block)
        small = joined(path)
    assert small == joined(path) == split(content)


def joined(path: Path) -> tuple[list[str | None], list[Malformed]]:
    texts: list[str | None] = []
    malformed: list[Malformed] = []
    for some in read_lines(path):
        assert some.first_number == len(texts) + 1
        texts += some.texts
        malformed += some.malformed
    return texts, malformed


def split(content: bytes) -> tuple[list[str | None], list[Malformed]]:
    """Lines of a file's content, taken apart all at once."""
    ended = content if content.endswith(b"\n") or not content else content + b"\n"
    raw = ended.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")[:-1]
    texts: list[str | None] = []
    malformed = []
    for number, line in enumerate(raw, start=1):
        try:
            texts.append(line.decode())
        except UnicodeDecodeError as error:
            texts.append(None)
            text = line.decode(errors="backslashreplace")
            malformed.append(Malformed(line_number=number, raw_line=text, error=f"not UTF-8 at byte {error.start + 1}"))
    return texts, malformed
