"""Messages, feeds and settings of streams, without Kafka and Spark."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from unittest import mock

import pyarrow as pa
import pytest
from pydantic import SecretStr, ValidationError

from plura.cli.lake_stream import checkpoints
from plura.kit.kafka import KafkaSettings
from plura.kit.lake_settings import LakeSettings, SparkSettings
from python_jobs.contracts import read_contracts
from python_jobs.load.lines import LONGEST_LINE, parse_line
from python_jobs.stream import Feed, default_feeds, queries, read_feeds
from python_jobs.stream.messages import read_message, wallet_line
from python_jobs.stream.micro_batch import batch_id_of
from python_jobs.stream.typing import Span, typing_of
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT

TABLES = read_contracts(PROJECT)
LINES = Feed(topic="t", table="orders_raw")
CHANGES = Feed(topic="t", table="user_wallets_raw", form="cdc")


def test_events_changes_and_lines_of_each_source_are_known_by_topic() -> None:
    feeds = {feed.topic: (feed.table, feed.form) for feed in default_feeds(TABLES)}
    assert feeds["ledger.entry.upserted"] == ("transaction_ledger_raw", "lines")
    assert feeds["payment.order.upserted"] == ("payment_orders_raw", "lines")
    assert feeds["cdc.user_wallets"] == ("user_wallets_raw", "cdc")
    assert {topic for topic in feeds if topic.startswith("raw.")} == {
        f"raw.{table.source}" for table in TABLES.values() if table.source
    }


def test_a_word_names_a_known_topic_or_the_content_of_a_topic() -> None:
    assert read_feeds(["raw.orders", "x=orders_raw", "w=user_wallets:cdc", "x=orders"], TABLES) == [
        Feed(topic="raw.orders", table="orders_raw"),
        Feed(topic="x", table="orders_raw"),
        Feed(topic="w", table="user_wallets_raw", form="cdc"),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["x"], "not a topic that the lake knows"),
        (["x=nothing"], "a source among"),
        (["x=orders:avro"], "a source among"),
        (["x=load_registry"], "a source among"),
        (["x=orders:cdc"], "changes of user_wallets only"),
        (["x=orders", "x=products"], "named for two tables"),
    ],
)
def test_other_words_are_refused(words: list[str], why: str) -> None:
    with pytest.raises(LakeError, match=why):
        read_feeds(words, TABLES)


def test_a_message_is_read_up_to_the_longest_length() -> None:
    for size, is_read in ((10, True), (11, False)):
        message = read_message(LINES, None, b"x" * size, longest=10)
        assert message is not None
        assert (message.line is not None) == is_read


def test_a_tombstone_is_no_message_of_changes_and_an_unreadable_one_of_lines() -> None:
    assert read_message(CHANGES, b"{}", None) is None
    message = read_message(LINES, b"{}", None)
    assert message is not None
    assert (message.line, message.error) == (None, "no value (null)")


def test_a_change_keeps_every_digit_and_the_instant_of_the_database() -> None:
    text = '{"op":"u","after":{"user_id":"u","balance":1.10,"frozen_amount":0},"ts_ms":2000,"source":{"ts_ms":1001}}'
    message = read_message(CHANGES, None, text.encode())
    assert message is not None
    assert message.original == text
    assert message.line is not None
    assert parse_line(message.line) == {
        "user_id": "u",
        "balance": "1.1",
        "frozen_amount": "0",
        "source_extracted_at": "1970-01-01T00:00:01.001000+00:00",
    }


@pytest.mark.parametrize(
    ("in_source", "of_event", "milliseconds"),
    [
        (1001, 2000, 1001),
        (0, 2000, 2000),  # a connector that does not know it writes 0
        ("0", 2000, 2000),
        (-1, 2000, 2000),
        (None, 2000, 2000),
        (2000, 0, 2000),
        # what is there and no instant is not passed over
        ("soon", 2000, None),
        ({"ms": 1}, 2000, None),
        (1.5, 2000, None),
        (0, 0, None),
        (0, None, None),
    ],
)
def test_a_zero_time_takes_the_next_field(in_source: object, of_event: object, milliseconds: int | None) -> None:
    event = {"op": "u", "after": {"user_id": "u"}, "ts_ms": of_event, "source": {"ts_ms": in_source}}
    message = read_message(CHANGES, None, json.dumps(event).encode())
    assert message is not None
    if milliseconds is None:
        assert "an instant in milliseconds" in message.error
    else:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
        assert parse_line(message.line or "")["source_extracted_at"] == at


def test_ids_and_flags_of_a_change_count_by_their_value() -> None:
    text = '{"op":"u","after":{"user_id":1001.0,"is_deleted":1.0,"updated_at":1770001260000},"ts_ms":2000}'
    message = read_message(CHANGES, None, text.encode())
    assert message is not None
    assert parse_line(message.line or "") == {
        "user_id": "1001",
        "is_deleted": "1",
        "updated_at": "1770001260000",
        "source_extracted_at": "1970-01-01T00:00:02+00:00",
    }


@pytest.mark.parametrize(("name", "system"), [("db", "db"), (7.0, "7"), ({"of": "db"}, {"of": "db"}), (None, None)])
def test_the_name_of_a_source_is_never_passed_over(name: object, system: object) -> None:
    """What is no text is named with the line when the columns are typed."""
    event = {"op": "u", "after": {"user_id": "u"}, "ts_ms": 1, "source": {"name": name}}
    assert wallet_line(json.dumps(event), None).get("source_system") == system


@pytest.mark.parametrize(
    ("before", "key"),
    [({"user_id": "u", "balance": 5}, None), (None, b'{"user_id":"u"}'), (None, b'{"payload":{"user_id":"u"}}')],
)
def test_a_deletion_is_a_balance_of_zero(before: object, key: bytes | None) -> None:
    line = wallet_line(json.dumps({"op": "d", "before": before, "ts_ms": 1}), key)
    assert {name: line[name] for name in ("user_id", "balance", "frozen_amount", "is_deleted")} == {
        "user_id": "u",
        "balance": "0",
        "frozen_amount": "0",
        "is_deleted": "true",
    }


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"op": "t", "ts_ms": 1}, "op is t, none of"),
        ({"op": ["u"], "ts_ms": 1}, "op is missing"),
        ({"user_id": "u"}, "op is missing"),
        ({"op": "c", "after": None, "ts_ms": 1}, "op c without after"),
        ({"op": "d", "before": None, "ts_ms": 1}, "neither before nor the key"),
        ({"op": "c", "after": {}}, "an instant in milliseconds"),
        ({"op": "c", "after": {}, "ts_ms": -1}, "an instant in milliseconds"),
        ({"op": "c", "after": {}, "ts_ms": 10**30}, "an instant in milliseconds"),
        # what is there and no object is not passed over
        ({"op": "c", "after": {}, "ts_ms": 1, "source": "db"}, "source is no object"),
        ({"op": "c", "after": {}, "ts_ms": 1, "source": [{"ts_ms": 1}]}, "source is no object"),
        ({"op": "d", "before": {"user_id": "u"}, "ts_ms": 1, "source": 0}, "source is no object"),
        ([1], "not a JSON object"),
    ],
)
def test_other_events_are_kept_as_unreadable(event: object, why: str) -> None:
    message = read_message(CHANGES, b"no json", json.dumps(event).encode())
    assert message is not None
    assert message.line is None
    assert why in message.error


def test_a_query_that_starts_from_scratch_makes_other_batches() -> None:
    ids = {batch_id_of(query, table, number) for query in "ab" for table in ("x", "y") for number in (1, 12)}
    assert len(ids) == 8


@pytest.mark.parametrize(
    ("master", "given", "folder"),
    [
        ("yarn", "abfss://work@lake.dfs.core.windows.net/checkpoints", None),
        ("yarn", "/mnt/checkpoints", None),
        ("local[2]", "data/checkpoints", str(PROJECT / "data" / "checkpoints")),
    ],
)
def test_checkpoints_are_in_the_folder_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, master: str, given: str, folder: str | None
) -> None:
    monkeypatch.delenv("PLURA_SPARK_REMOTE", raising=False)
    monkeypatch.setenv("PLURA_SPARK_MASTER", master)
    monkeypatch.setenv("PLURA_SPARK_CHECKPOINT_DIR", given)
    assert checkpoints(LakeSettings(project_dir=PROJECT), SparkSettings()) == (folder or given)


def test_clients_sign_in_as_the_settings_say() -> None:
    settings = KafkaSettings(
        bootstrap="a:1, b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="us\\er",
        sasl_password=SecretStr('pass"word'),
        ssl_ca_location="/ca.pem",
    )
    spark, client = settings.spark_options(), settings.client_options()
    assert spark["kafka.sasl.jaas.config"] == (
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="us\\\\er" password="pass\\"word";'
    )
    assert (spark["kafka.ssl.truststore.location"], client["ssl_cafile"]) == ("/ca.pem", "/ca.pem")
    assert client["bootstrap_servers"] == ["a:1", "b:2"]
    assert client["sasl_plain_password"] == 'pass"word'
    plain = KafkaSettings(bootstrap="a:1").spark_options()
    assert plain == {"kafka.bootstrap.servers": "a:1", "kafka.security.protocol": "PLAINTEXT"}
    with pytest.raises(ValidationError, match="PLURA_KAFKA_SASL_PASSWORD"):
        KafkaSettings(security_protocol="SASL_PLAINTEXT", sasl_username="u")


def test_the_pause_grows_to_half_a_minute_however_long_an_outage_lasts() -> None:
    failed = [mock.Mock(failures=failures) for failures in (1, 2, 10, 5000)]
    assert [queries._pause(query) for query in failed] == [1.0, 2.0, 30.0, 30.0]


def test_messages_that_are_as_long_as_may_be_are_typed_in_bounded_memory_and_keep_their_numbers() -> None:
    """Four of them at once need more than the memory that typing has."""
    message = json.dumps({"order_id": 7, "memo": "x" * (LONGEST_LINE - 100)}).encode()
    values = [message, b"broken", message, message, message, b'{"order_id":8}']
    batch = pa.record_batch(
        {
            "key": pa.nulls(len(values), pa.binary()),
            "value": pa.array(values, pa.binary()),
            "partition": pa.array([0] * len(values), pa.int32()),
            "offset": pa.array(range(len(values)), pa.int64()),
        }
    )
    span = Span(topic="t", partition=0, first=0, last=len(values) - 1, base=1)
    typed = pa.Table.from_batches(typing_of(LINES, TABLES, [span])(iter([batch])))
    rows = typed.select(["line_number", "order_id", "error"]).sort_by("line_number").to_pylist()
    assert [row["order_id"] for row in rows] == [7, None, 7, 7, 7, 8]
    assert [row["line_number"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["line_number"] for row in rows if row["error"]] == [2]


def test_messages_are_typed_as_lines_are() -> None:
    """What is present and does not fit is named, of changes as of lines, and a number is one id."""
    lines = Feed(topic="t", table="transaction_ledger_raw")
    change = {"op": "u", "after": {"user_id": 7.0, "is_deleted": "perhaps"}, "ts_ms": 1_772_420_400_000}
    for feed, value, wanted in (
        (
            lines,
            {"tx_id": 1001.0, "related_id": {"id": 1}, "updated_at": 5, "created_at": "0001-01-01"},
            {"tx_id": "1001", "unreadable_columns": "related_id,updated_at", "implausible_columns": "created_at"},
        ),
        (CHANGES, change, {"user_id": "7", "unreadable_columns": "is_deleted", "implausible_columns": None}),
    ):
        columns = {"key": pa.array([None], pa.binary()), "value": pa.array([json.dumps(value).encode()], pa.binary())}
        batch = pa.record_batch(columns | {"partition": pa.array([0], pa.int32()), "offset": pa.array([0], pa.int64())})
        span = Span(topic="t", partition=0, first=0, last=0, base=1)
        (row,) = pa.Table.from_batches(typing_of(feed, TABLES, [span])(iter([batch]))).to_pylist()
        assert {name: row[name] for name in wanted} == wanted
