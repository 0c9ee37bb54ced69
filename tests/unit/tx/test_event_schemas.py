"""The published contracts: up to date, and never more generous than the service."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plura.tx.consumer.contract import KINDS
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.profiles import read_profile
from plura.tx.consumer.refusals import RefusedError
from plura.tx.consumer.schemas import asyncapi, json_schema, published
from plura.tx.consumer.values import read_object
from tests.dbt_runs import PROJECT
from tests.transactions.arrivals import ODD, events

PROFILE = read_profile("canonical-v1")
READER = EventReader(PROFILE)
CHECKERS = {
    topic: jsonschema.Draft202012Validator(json_schema(kind, PROFILE), format_checker=jsonschema.FormatChecker())
    for topic, kind in PROFILE.topics.items()
}


def test_published_files_are_those_of_the_code() -> None:
    folder = PROJECT / "docs" / "events"
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()} == published(), (
        "make event-schemas writes them"
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_schemas_are_valid_and_their_examples_are_stored(kind: Any) -> None:
    schema = json_schema(kind, PROFILE)
    jsonschema.Draft202012Validator.check_schema(schema)
    for example in schema["examples"]:
        CHECKERS[kind.topic].validate(example)
        name, row, aliases = READER.read(kind.topic, read_object(json.dumps(example).encode()))
        assert (name, row.key, aliases) == (kind.name, example[kind.key.name], [])


@settings(max_examples=150, deadline=None)
@given(event=events(), field=st.sampled_from(["type", "status", "updated_at", "related_id", "version"]), odd=st.data())
def test_what_the_schema_allows_the_service_stores(event: tuple[str, bytes], field: str, odd: st.DataObject) -> None:
    topic, payload = event
    try:
        values = json.loads(payload.decode(), parse_constant=int)  # NaN is no JSON
    except ValueError:
        assume(False)
    if isinstance(values, dict) and odd.draw(st.booleans()):
        values[field] = odd.draw(st.sampled_from(ODD))
    assume("\\ud800" not in json.dumps(values))  # half a character is no text, and no pattern can say so
    assume(CHECKERS[topic].is_valid(values))
    try:
        READER.read(topic, read_object(json.dumps(values).encode()))
    except RefusedError as error:
        assert error.code == "contract_core_violation"  # noqa: PT017  # no schema can say that


def test_asyncapi_names_the_topics_and_every_reference_leads_somewhere() -> None:
    document = asyncapi(PROFILE)
    assert {one["address"] for one in document["channels"].values()} == {
        "ledger.entry.upserted",
        "payment.order.upserted",
    }

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [one for value in node.values() for one in references(value)]
        return [one for value in node for one in references(value)] if isinstance(node, list) else []

    found = references(document)
    assert len(found) == 8
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
