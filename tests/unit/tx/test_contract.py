"""Field by field: how events of both kinds are read, and which code a bad one gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plura.kit.kafka_consumer.messages import Message, correlation_id_of
from plura.tx.consumer.errors import InvalidEventError
from plura.tx.consumer.events import Alias, EventReader
from plura.tx.consumer.profiles import ProfileError, read_profile
from plura.tx.consumer.values import read_object

LEDGER, ORDER = "ledger.entry.upserted", "payment.order.upserted"
READER = EventReader(read_profile("canonical-v1"))
BASE: dict[str, dict[str, Any]] = {
    LEDGER: {
        "tx_id": "t1",
        "wallet_id": "w1",
        "entry_type": "PAYMENT",
        "amount": "10.00",
        "event_time": "2026-02-13T01:02:03Z",
    },
    ORDER: {"order_id": "o1", "amount": "10.00", "status": "CREATED", "created_at": "2026-02-13T01:02:03Z"},
}
COLUMNS = {
    LEDGER: (
        *("tx_id", "wallet_id", "entry_type", "amount", "amount_signed", "related_id", "related_type"),
        *("event_time", "created_at", "updated_at", "version"),
    ),
    ORDER: ("order_id", "user_id", "merchant_name", "amount", "status", "created_at", "updated_at", "version"),
}
MISSING = object()


def read(topic: str, **values: Any) -> tuple[dict[str, str], list[Alias]]:
    """Cells of the row, as COPY takes them."""
    event = {name: value for name, value in (BASE[topic] | values).items() if value is not MISSING}
    _, row, aliases = READER.read(topic, read_object(json.dumps(event).encode()))
    return dict(zip(COLUMNS[topic], row.line.split("\t"), strict=True)), aliases


def code(topic: str, payload: bytes) -> str:
    with pytest.raises(InvalidEventError) as refused:
        READER.read(topic, read_object(payload))
    return refused.value.code


def refused(topic: str, **values: Any) -> str:
    event = {name: value for name, value in (BASE[topic] | values).items() if value is not MISSING}
    return code(topic, json.dumps(event).encode())


@pytest.mark.parametrize(
    ("topic", "field", "value", "cell"),
    [
        (LEDGER, "tx_id", "  t1 ", "t1"),
        (LEDGER, "amount", 10, "10.00"),
        (LEDGER, "amount", 10.1, "10.10"),
        (LEDGER, "amount", 100.0, "100.00"),
        (LEDGER, "amount", "0", "0.00"),
        (LEDGER, "amount", "9999999999999999.99", "9999999999999999.99"),
        (LEDGER, "amount_signed", "-0.00", "0.00"),
        (LEDGER, "amount_signed", -3, "-3.00"),
        (LEDGER, "amount_signed", None, r"\N"),
        (LEDGER, "related_id", "", ""),
        (LEDGER, "related_id", None, r"\N"),
        (LEDGER, "related_type", " ", ""),
        (LEDGER, "event_time", "2026-02-13T01:02:03", "2026-02-13T01:02:03.000000+00:00"),
        (LEDGER, "event_time", "2026-02-13T01:02:03.123456Z", "2026-02-13T01:02:03.123456+00:00"),
        (LEDGER, "event_time", "2026-02-13T10:02:03.5+09:00", "2026-02-13T01:02:03.500000+00:00"),
        (LEDGER, "created_at", "2026-02-14T00:00:00Z", "2026-02-14T00:00:00.000000+00:00"),
        (LEDGER, "updated_at", None, r"\N"),
        (LEDGER, "version", 0, "0"),
        (LEDGER, "version", "7", "7"),
        (LEDGER, "version", 7.0, "7"),
        (ORDER, "user_id", " ", ""),
        (ORDER, "merchant_name", " a\tb ", r"a\tb"),
        (ORDER, "merchant_name", "\\N", r"\\N"),
        (ORDER, "status", " settled ", "settled"),
        (ORDER, "unknown", {"is": "ignored"}, None),
    ],
)
def test_a_value_is_read(topic: str, field: str, value: Any, cell: str | None) -> None:
    row, aliases = read(topic, **{field: value})
    assert row.get(field) == cell
    assert aliases == []


@pytest.mark.parametrize(
    ("topic", "field", "value", "expected"),
    [
        *((LEDGER, field, MISSING, "parse_error") for field in BASE[LEDGER]),
        *((ORDER, field, " ", "parse_error") for field in BASE[ORDER]),
        (LEDGER, "tx_id", 0, "parse_error"),
        (LEDGER, "tx_id", 17, "parse_error"),
        (LEDGER, "tx_id", False, "parse_error"),
        (LEDGER, "tx_id", ["t1"], "parse_error"),
        (LEDGER, "tx_id", "x" * 256, "parse_error"),
        (LEDGER, "tx_id", "a\nb", "parse_error"),
        (LEDGER, "tx_id", "a\x00b", "internal_error"),
        (LEDGER, "wallet_id", "\ud800", "internal_error"),
        (LEDGER, "amount", True, "parse_error"),
        (LEDGER, "amount", "ten", "parse_error"),
        (LEDGER, "amount", "NaN", "parse_error"),
        (LEDGER, "amount", "-Infinity", "parse_error"),
        (LEDGER, "amount", -1, "parse_error"),
        (LEDGER, "amount", "10.005", "parse_error"),
        (LEDGER, "amount", "1e16", "parse_error"),
        (LEDGER, "amount", "1e999999999", "parse_error"),
        (LEDGER, "amount", 10**16, "internal_error"),
        (LEDGER, "amount", 1e17, "internal_error"),
        (LEDGER, "amount_signed", "", "parse_error"),
        (LEDGER, "event_time", 1700000000, "parse_error"),
        (LEDGER, "event_time", "yesterday", "parse_error"),
        (LEDGER, "event_time", "2026-02-13", "parse_error"),
        (LEDGER, "event_time", "0001-01-01T00:00:00+09:00", "parse_error"),
        (LEDGER, "updated_at", "", "parse_error"),
        (LEDGER, "version", "", "parse_error"),
        (LEDGER, "version", "1.5", "parse_error"),
        (LEDGER, "version", 1.9, "parse_error"),
        (LEDGER, "version", True, "parse_error"),
        (LEDGER, "version", "9" * 19, "internal_error"),
        (LEDGER, "version", 2**63, "internal_error"),
        (LEDGER, "version", [1], "parse_error"),
        (ORDER, "merchant_name", "x" * 501, "parse_error"),
    ],
)
def test_a_value_is_refused(topic: str, field: str, value: Any, expected: str) -> None:
    assert refused(topic, **{field: value}) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "parse_error"),
        (b"[1]", "parse_error"),
        (b"{", "parse_error"),
        (b'{"amount": NaN}', "parse_error"),
        (b"[" * 100_000, "parse_error"),
        (b'{"version": ' + b"9" * 5000 + b"}", "parse_error"),
        (b"\xff{}", "internal_error"),
    ],
)
def test_a_payload_is_refused(payload: bytes, expected: str) -> None:
    assert code(LEDGER, payload) == expected


@pytest.mark.parametrize("topic", [LEDGER, ORDER])
@pytest.mark.parametrize(
    "repeated",
    [
        *(
            '"KEY": "other"',
            '"amount": "99.00"',
            '"amount": null',
            '"amount": "10.00", "amount": {}',
        ),
        *('"version": 1, "version": 2', '"version": 1, "version": true', '"version": 0, "version": null'),
    ],
)
def test_a_name_that_comes_twice_with_different_values_is_not_guessed(topic: str, repeated: str) -> None:
    members = json.dumps(BASE[topic])[1:-1]
    added = repeated.replace("KEY", next(iter(BASE[topic])))
    assert code(topic, f"{{{members}, {added}}}".encode()) == "contract_core_violation"
    assert code(topic, f"{{{added}, {members}}}".encode()) == "contract_core_violation"


@pytest.mark.parametrize(
    "added", ['"amount": "10.00", "amount": "10.00"', '"version": 1, "version": 1', '"unknown": {"a": 1, "a": 2}']
)
def test_a_repeated_name_with_the_same_value_is_no_conflict(added: str) -> None:
    members = json.dumps({name: value for name, value in BASE[LEDGER].items() if name != "amount"})[1:-1]
    more = added if '"amount"' in added else f'"amount": "10.00", {added}'
    _, row, _ = READER.read(LEDGER, read_object(f"{{{members}, {more}}}".encode()))
    assert row.line.split("\t")[3] == "10.00"


def test_a_number_too_long_to_compute_is_refused_at_once() -> None:
    event = json.dumps(BASE[LEDGER])[:-1] + ', "version": 1e999999999}'
    assert code(LEDGER, event.encode()) == "internal_error"


@pytest.mark.parametrize("number", ["1e99999999999999999999", "0e99999999999999999999", "-1e-99999999999999999999"])
def test_a_number_that_no_decimal_can_hold_is_a_bad_event(number: str) -> None:
    event = json.dumps(BASE[LEDGER])[:-1] + f', "unknown": {number}}}'
    assert code(LEDGER, event.encode()) == "internal_error"


@pytest.mark.parametrize("topic", [LEDGER, ORDER])
@pytest.mark.parametrize("field", ["event_time", "source_created_at", "created_at", "updated_at"])
@pytest.mark.parametrize("digits", ["1234567", "1234560", "123456000", "123456789", "123456789012"])
def test_a_time_finer_than_a_microsecond_is_put_aside_and_never_cut(topic: str, field: str, digits: str) -> None:
    if topic == ORDER and field not in ("created_at", "updated_at"):
        return  # it has no such field
    event = BASE[topic] | {field: f"2026-02-13T01:02:03.{digits}Z"}
    with pytest.raises(InvalidEventError, match=r"more than six fractional digits|contradict") as refusal:
        READER.read(topic, event)
    assert refusal.value.code in ("parse_error", "contract_core_violation")


def test_all_missing_fields_are_named_and_an_unknown_topic_too() -> None:
    with pytest.raises(InvalidEventError, match="tx_id, wallet_id, entry_type, amount, event_time"):
        READER.read(LEDGER, {})
    with pytest.raises(InvalidEventError, match="unsupported_topic"):
        READER.read("other", {})


def test_aliases_stand_in_and_are_counted() -> None:
    row, aliases = read(LEDGER, entry_type=" ", type="RECEIVE", version=None, source_version=0)
    assert (row["entry_type"], row["version"]) == ("RECEIVE", "0")
    assert aliases == [Alias("entry_type", "type"), Alias("version", "source_version")]
    row, aliases = read(LEDGER, event_time=MISSING, created_at="2026-02-13T05:00:00Z")
    assert row["event_time"] == row["created_at"] == "2026-02-13T05:00:00.000000+00:00"
    assert aliases == [Alias("event_time", "created_at")]


def test_created_at_is_taken_from_the_source_then_from_the_event() -> None:
    source = "2026-02-13T00:00:01Z"
    row, _ = read(LEDGER, event_time="2026-02-13T00:00:01.000Z", source_created_at=source)
    assert row["created_at"] == "2026-02-13T00:00:01.000000+00:00"
    assert read(LEDGER)[0]["created_at"] == "2026-02-13T01:02:03.000000+00:00"


@pytest.mark.parametrize(
    "values",
    [
        {"version": 1, "source_version": "1"},
        {"entry_type": "1", "type": " 1 "},
        {"source_created_at": "2026-02-13T10:02:03+09:00"},
        {"created_at": "1999-01-01T00:00:00Z"},
        {"source_created_at": "2026-02-13T01:02:03Z", "created_at": "nonsense is not compared"},
    ],
)
def test_names_that_agree_are_no_conflict(values: dict[str, Any]) -> None:
    if values.get("created_at") == "nonsense is not compared":
        assert refused(LEDGER, **values) == "parse_error"
    else:
        read(LEDGER, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"version": 1, "source_version": 2},
        {"version": 1, "source_version": "x"},
        {"version": 1, "source_version": ""},
        {"type": "RECEIVE"},
        {"source_created_at": "2026-02-13T01:02:04Z"},
    ],
)
def test_names_that_contradict_each_other_are_refused(values: dict[str, Any]) -> None:
    assert refused(LEDGER, **values) == "contract_core_violation"


def test_profiles_topics_and_their_overrides() -> None:
    assert set(read_profile("nsc-dev-v1").topics) == {"cdc-events", "order-events"}
    assert set(read_profile("canonical-v1", ledger_topic=" mine ").topics) == {"mine", ORDER}
    with pytest.raises(ProfileError, match="two topics"):
        read_profile("canonical-v1", ledger_topic=ORDER)
    with pytest.raises(ProfileError, match="canonical-v1, nsc-dev-v1"):
        read_profile("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\nprofiles: {p: {}}", "version: 1"),
        ("version: 1", "profiles"),
        ("version: 1\nprofiles: {}", "has none"),
        ("version: 1\nprofiles: [a]", "map"),
        ("version: 1\nprofiles: {p: {topics: {ledger: ' '}}}", "topics.ledger"),
        ("version: 1\nprofiles: {p: {topics: {ledger: 3}}}", "topics.ledger"),
        ("version: 1\nprofiles: {p: {aliases: {ledger: {version: []}}}}", "list"),
        ("version: 1\nprofiles: {p: {aliases: {ledger: {version: v}}}}", "list"),
        ("version: 1\nprofiles: {p: {aliases: {ledger: {version: [' ']}}}}", "blank"),
        ("version: 1\nprofiles: {p: {core_required: {ledger: tx_id}}}", "list"),
        ("version: 1\nprofiles: {p: {core_required: {ledger: ['']}}}", "blank"),
        ("version: 1\nprofiles: {p: [", "YAML"),
    ],
)
def test_a_wrong_file_of_profiles_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "profiles.yml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=said):
        read_profile("p", file=file)
    with pytest.raises(ProfileError, match="no file"):
        read_profile("p", file=tmp_path / "none")


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "profiles.yml"
    file.write_text(
        "version: 1\nprofiles: {p: {aliases: {ledger: {wallet_id: [wallet, wallet]}},"
        " core_required: {ledger: [event_time_or_alias, related_id]}}}"
    )
    profile = read_profile("p", file=file)
    assert profile.aliases["ledger"] == {"wallet_id": ("wallet_id", "wallet")}
    assert profile.core_required["ledger"] == ("event_time", "related_id")
    reader = EventReader(profile)
    with pytest.raises(InvalidEventError, match="missing: related_id"):
        reader.read(LEDGER, BASE[LEDGER])
    _, row, aliases = reader.read(LEDGER, {**BASE[LEDGER], "wallet_id": None, "wallet": "w9", "related_id": "o"})
    assert row.line.split("\t")[1] == "w9"
    assert aliases == [Alias("wallet_id", "wallet")]


def test_a_field_may_not_contradict_a_name_that_a_profile_puts_before_it(tmp_path: Path) -> None:
    file = tmp_path / "profiles.yml"
    file.write_text("version: 1\nprofiles: {p: {aliases: {ledger: {version: [source_version, version], x: [y, x]}}}}")
    reader = EventReader(read_profile("p", file=file))
    event = {**BASE[LEDGER], "source_version": 4, "x": 1, "y": 2}
    _, row, aliases = reader.read(LEDGER, {**event, "version": "4"})
    assert row.line.split("\t")[-1] == "4"
    assert aliases == [Alias("version", "source_version"), Alias("x", "y")]
    with pytest.raises(InvalidEventError, match="source_version and version contradict each other"):
        reader.read(LEDGER, {**event, "version": 5})


@pytest.mark.parametrize(
    ("headers", "payload", "expected"),
    [
        ([("X-Correlation-Id", b"a"), ("correlation-id", b"b")], b'{"correlation_id": "c"}', "a"),
        ([("correlation_id", b"b"), ("other", None)], b"", "b"),
        ([("x-correlation-id", b"not\nclean")], b'{"correlationId": "c"}', "c"),
        ([], b'{"correlation_id": 5, "x_correlation_id": "d"}', "d"),
        ([], b"[", None),
    ],
)
def test_the_correlation_id_is_found(headers: list[tuple[str, bytes | None]], payload: bytes, expected: str) -> None:
    assert correlation_id_of(Message(LEDGER, payload, headers=headers)) == expected
