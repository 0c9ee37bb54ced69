"""The published contracts: up to date, and the service puts aside exactly what they refuse."""

from __future__ import annotations

import decimal
import json
import re
import sys
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plura.tx.consumer.contract import KINDS
from plura.tx.consumer.errors import InvalidEventError
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.patterns import NOT_BLANK
from plura.tx.consumer.profiles import read_profile
from plura.tx.consumer.schemas import asyncapi, json_schema, published
from plura.tx.consumer.values import read_object
from tests.dbt_runs import PROJECT
from tests.transactions.arrivals import events
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC

PROFILE = read_profile("canonical-v1")
READER = EventReader(PROFILE)
FOLDER = PROJECT / "docs" / "events"
EXAMPLES: dict[str, dict[str, Any]] = {
    LEDGER_TOPIC: {
        "tx_id": "t1",
        "wallet_id": "w1",
        "entry_type": "PAYMENT",
        "amount": "10.00",
        "event_time": "2026-02-13T01:02:03.5+09:00",
    },
    ORDER_TOPIC: {"order_id": "o1", "amount": 10, "status": "CREATED", "created_at": "2024-02-29T23:59:59Z"},
}
AMOUNTS = ("amount", "amount_signed")
TIMES = ("event_time", "source_created_at", "created_at", "updated_at")
VERSIONS = ("version", "source_version")
TEXTS = ("tx_id", "order_id", "wallet_id", "user_id", "entry_type", "type", "status", "related_id", "merchant_name")


def checker(topic: str) -> jsonschema.Draft202012Validator:
    """The published file of a topic. Its numbers are exact: no binary fraction is a multiple of 0.01."""
    schema = json.loads((FOLDER / f"{PROFILE.topics[topic].event}.v1.json").read_text(), parse_float=Decimal)
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer",
        lambda _, value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value()))
        ),
    )
    found: jsonschema.Draft202012Validator = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, type_checker=types
    )(schema)
    return found


CHECKERS = {topic: checker(topic) for topic in EXAMPLES}


def allowed(topic: str, payload: bytes) -> bool:
    """Whether the published schema allows a message."""
    with decimal.localcontext(decimal.Context(prec=2000, Emax=10**9, Emin=-(10**9))):
        try:
            value = json.loads(payload.decode(), parse_float=Decimal, parse_constant=refuse)
        except (ValueError, decimal.InvalidOperation):
            return False
        return bool(CHECKERS[topic].is_valid(value))


def refuse(constant: str) -> None:
    raise ValueError(constant)


def stored(topic: str, payload: bytes) -> bool | None:
    """Whether the service takes a message, ``None`` if two names of it contradict each other."""
    try:
        READER.read(topic, read_object(payload))
    except InvalidEventError as error:
        return None if error.code == "contract_core_violation" else False
    return True


def agree(topic: str, payload: bytes) -> bool:
    """Check that schema and service say the same, and return what."""
    by_service, by_schema = stored(topic, payload), allowed(topic, payload)
    if by_service is None:  # no schema can say that
        return False
    assert by_service == by_schema, f"schema {by_schema}, service {by_service}: {payload!r}"
    return by_schema


def with_value(topic: str, field: str, text: str) -> bytes:
    """A good event with another value of a field, given as JSON."""
    rest = {name: value for name, value in EXAMPLES[topic].items() if name != field}
    return f"{json.dumps(rest)[:-1]}, {json.dumps(field)}: {text}}}".encode()


def test_published_files_are_those_of_the_code() -> None:
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()} == published(), (
        "make event-schemas writes them"
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_schemas_are_valid_and_their_examples_are_stored(kind: Any) -> None:
    schema = json_schema(kind, PROFILE)
    jsonschema.Draft202012Validator.check_schema(schema)
    for shown in schema["examples"]:
        CHECKERS[kind.topic].validate(shown)
        name, row, aliases = READER.read(kind.topic, read_object(json.dumps(shown).encode()))
        assert (name, row.key, aliases) == (kind.name, shown[kind.key.name], [])


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        (
            AMOUNTS,
            ["0", "10", "1e2", "10.5", "10.10", "1E-2", "0.07", "-0", "9999999999999999.99", '"0"', '"10"', '"0.5"'],
            [
                *('"1_000"', '"1,000"', '"1 000"', '"١٢٣"', '"１２３"', '"1٫5"', '"1e2"', '"1E2"', '"+1"', '" 1 "'),
                *(
                    '"1 "',
                    '"1\\n"',
                    '"\\u00a01"',
                    '"\\ufeff1"',
                    '"007"',
                    '"00.50"',
                    '".5"',
                    '"1."',
                    '"1.005"',
                    '"0x1A"',
                ),
                *('"NaN"', '"Infinity"', '"-Infinity"', '"--1"', '"½"', '"²"', '"Ⅷ"', '""', '" "', '"ten"', '"10.000"'),
                *(
                    "true",
                    "false",
                    "[]",
                    "[1]",
                    "{}",
                    "10.005",
                    "1e16",
                    "1e-3",
                    "10000000000000000",
                    '"10000000000000000"',
                ),
            ],
        ),
        (
            VERSIONS,
            ["0", "7", "-7", "1e2", "7.0", "9223372036854775807", '"7"', '"0"', '"-7"', '"9223372036854775807"'],
            [
                *(
                    '"1_000"',
                    '"٧"',
                    '"７"',
                    '"1e2"',
                    '"+1"',
                    '" 1 "',
                    '"7\\n"',
                    '"007"',
                    '"-0"',
                    '"7.0"',
                    '"0x7"',
                    '"v7"',
                ),
                *('"NaN"', '""', '" "', "true", "false", "1.5", "1e30", "1e999999999", "9223372036854775808", "[7]"),
                *('"9223372036854775808"', '"-9223372036854775809"', '"99999999999999999999"', "0.1", '"²"', "{}"),
            ],
        ),
        (
            TIMES,
            [
                *('"2026-02-13T01:02:03Z"', '"2026-02-13T01:02:03"', '"2026-02-13T01:02:03.123456Z"'),
                *('"2026-02-13T01:02:03.1+23:59"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999"'),
                *('"2000-02-29T00:00:00Z"', '"0002-01-01T00:00:00+23:59"', '"9998-12-31T23:59:59-23:59"'),
            ],
            [
                *(
                    '"2026-02-13T01:02:03.123456789Z"',
                    '"2026-02-13T01:02:03.1234560Z"',
                    '"2026-02-13T01:02:03.1234567"',
                ),
                *('"2026-02-13T01:02:03,5Z"', '"2026-02-13T01:02:03.Z"', '"2026-02-13"', '"20260213T010203Z"'),
                *('"2026-02-13 01:02:03Z"', '"2026-02-13t01:02:03z"', '"2026-02-13T01:02Z"', '"2026-W07-5T00:00:00Z"'),
                *(
                    '" 2026-02-13T01:02:03Z"',
                    '"2026-02-13T01:02:03Z\\n"',
                    '"２026-02-13T01:02:03Z"',
                    '"٢026-02-13T01:02:03Z"',
                ),
                *(
                    '"2026-02-30T00:00:00Z"',
                    '"2025-02-29T00:00:00Z"',
                    '"1900-02-29T00:00:00Z"',
                    '"2026-13-01T00:00:00Z"',
                ),
                *(
                    '"2026-02-13T24:00:00Z"',
                    '"2026-02-13T23:60:00Z"',
                    '"2026-02-13T23:59:60Z"',
                    '"0000-01-01T00:00:00Z"',
                ),
                *('"2026-02-13T01:02:03+24:00"', '"2026-02-13T01:02:03+05:99"', '"2026-02-13T01:02:03+0900"'),
                *('"2026-02-13T01:02:03+09"', '"2026-02-13T01:02:03 Z"', '"2026-02-13T01:02:03+09:00:30"', '"now"'),
                *(
                    '"0001-01-01T00:00:00+09:00"',
                    '"9999-12-31T23:59:59-09:00"',
                    "1700000000",
                    "1.5",
                    "true",
                    '""',
                    '" "',
                ),
            ],
        ),
        (
            ("tx_id", "wallet_id", "related_id"),
            ['"t"', '" t "', '"ü 주문"', '"\\u00a0t\\u3000"', json.dumps("x" * 255), '"\\ufeff"'],
            [
                *("17", "1.5", "0", "true", "false", "[]", '{"a": 1}', '"a\\u0000b"', '"a\\nb"', '"t\\n"', '"\\tt"'),
                *('"a\\u0085b"', '"\\u007f"', json.dumps("x" * 256), json.dumps(" " + "x" * 255)),
            ],
        ),
        (
            ("entry_type", "related_type"),
            ['"PAYMENT"', '"a\\tb"', '" a\\n"', json.dumps("x" * 255)],
            ["17", "true", "[]", '"a\\u0000b"', json.dumps("x" * 256), json.dumps(" " * 256)],
        ),
    ],
)
def test_what_a_field_takes_is_what_its_schema_allows(fields: tuple[str, ...], good: list[str], bad: list[str]) -> None:
    for field in fields:
        for text in good:
            payload = with_value(LEDGER_TOPIC, field, text)
            assert stored(LEDGER_TOPIC, payload) in (True, None), payload
            assert allowed(LEDGER_TOPIC, payload), payload
        for text in bad:
            payload = with_value(LEDGER_TOPIC, field, text)
            assert not stored(LEDGER_TOPIC, payload), payload
            assert not allowed(LEDGER_TOPIC, payload), payload


SUSPECT = "0123456789٠٧０９²Ⅷ_ \t\n\u00a0\u2003\ufeff\u200b+-−eE.,٫:TtZzxX\u0000\u007f\u0085가"
SEEDS = [
    "10.00",
    "-1",
    "0",
    "9223372036854775807",
    "2026-02-13T01:02:03.123456Z",
    "2024-02-29T00:00:00+09:00",
    "t1",
    "",
]


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Text that nearly has one of the forms: some characters are put in, taken out, or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        with_more = draw(st.sampled_from(["", *SUSPECT]))
        text = text[:place] + with_more + text[place + draw(st.integers(0, 1)) :]
    return text


VALUES = (
    spoilt()
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: Number(str(number)))
    | st.sampled_from([[], {}, "l" * 255, "l" * 256, "n" * 500, "n" * 501])
)


class Number(str):
    """A JSON number that is written as it stands."""

    __slots__ = ()


def as_json(value: Any) -> str:
    return str(value) if isinstance(value, Number) else json.dumps(value)


@settings(max_examples=1500, deadline=None)
@given(
    topic=st.sampled_from([LEDGER_TOPIC, ORDER_TOPIC]),
    changes=st.dictionaries(st.sampled_from([*AMOUNTS, *TIMES, *VERSIONS, *TEXTS, "other"]), VALUES, max_size=4),
    without=st.sets(st.sampled_from([*EXAMPLES[LEDGER_TOPIC], *EXAMPLES[ORDER_TOPIC]]), max_size=1),
)
@example(topic=LEDGER_TOPIC, changes={"event_time": None, "source_created_at": "2026-02-13T00:00:00Z"}, without=set())
@example(topic=LEDGER_TOPIC, changes={"version": " ", "source_version": 1}, without=set())
@example(topic=LEDGER_TOPIC, changes={"entry_type": " ", "type": "\u3000"}, without=set())
@example(topic=ORDER_TOPIC, changes={"source_version": ""}, without=set())
def test_an_event_is_stored_if_and_only_if_its_schema_allows_it(
    topic: str, changes: dict[str, Any], without: set[str]
) -> None:
    values = {name: value for name, value in (EXAMPLES[topic] | changes).items() if name not in without}
    members = ", ".join(f"{json.dumps(name)}: {as_json(value)}" for name, value in values.items())
    agree(topic, f"{{{members}}}".encode())


@settings(max_examples=150, deadline=None)
@given(event=events())
def test_messages_of_any_form_are_stored_if_and_only_if_their_schema_allows_them(event: tuple[str, bytes]) -> None:
    topic, payload = event
    if b"\\ud800" not in payload:  # half a character: no schema can speak of it
        agree(topic, payload)


def test_white_space_is_the_same_for_schema_and_service() -> None:
    for number in range(sys.maxunicode + 1):
        assert chr(number).isspace() == (re.search(NOT_BLANK, chr(number)) is None), hex(number)


def test_a_field_that_a_profile_demands_is_demanded_by_its_schema(tmp_path: Any) -> None:
    file = tmp_path / "profiles.yml"
    file.write_text("version: 1\nprofiles: {p: {core_required: {ledger: [related_id, batch]}}}")
    profile = read_profile("p", file=file)
    schema = jsonschema.Draft202012Validator(json_schema(KINDS["ledger"], profile))
    reader = EventReader(profile)
    for more in (
        {"related_id": "o1", "batch": 7},
        {"related_id": "o1", "batch": False},
        {"related_id": "o1", "batch": " "},
        {"related_id": " ", "batch": 7},
        {"related_id": "o1", "batch": None},
        {"related_id": "o1"},
    ):
        event = EXAMPLES[LEDGER_TOPIC] | more
        try:
            reader.read(LEDGER_TOPIC, event)
        except InvalidEventError:
            assert not schema.is_valid(event), event
        else:
            assert schema.is_valid(event), event


def test_asyncapi_names_the_topics_and_every_reference_leads_somewhere() -> None:
    document = asyncapi(PROFILE)
    assert {channel["address"] for channel in document["channels"].values()} == {
        "ledger.entry.upserted",
        "payment.order.upserted",
    }

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [reference for value in node.values() for reference in references(value)]
        return [reference for value in node for reference in references(value)] if isinstance(node, list) else []

    found = references(document)
    assert len(found) == 8
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
