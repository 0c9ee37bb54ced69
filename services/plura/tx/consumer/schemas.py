"""The contracts of the events for producers: JSON Schema for each kind, AsyncAPI for the topics.

``python -m plura.tx.consumer.schemas FOLDER`` writes them. The service puts an event aside if and only if it is not
valid here. Three rules cannot be expressed in a schema: two names of a field that contradict each other, a name that
comes twice, and lone surrogates.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plura.tx.consumer.contract import KINDS, Field, Kind, Type
from plura.tx.consumer.patterns import AMOUNT, CONTROL, INSTANT, NOT_BLANK, NUL, SIGNED_AMOUNT, VERSION
from plura.tx.consumer.profiles import Profile, read_profile
from plura.tx.consumer.values import LONGEST_NAME, LONGEST_WORD, TEXTS
from plura.tx.db import LONGEST_ID

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LAST_LINE_END = {"pattern": r"\n"}
"""Some validators let ``$`` match before a final line end."""
_GIVEN_TEXT = {"type": "string", "pattern": NOT_BLANK}
_GIVEN = {"not": {"type": "null"}}
_MOST = 10**16

_VALUES: Mapping[Type, dict[str, Any]] = {
    Type.ID: {"type": "string", "maxLength": LONGEST_ID, "not": {"pattern": CONTROL}},
    Type.WORD: {"type": "string", "maxLength": LONGEST_WORD, "not": {"pattern": NUL}},
    Type.NAME: {"type": "string", "maxLength": LONGEST_NAME, "not": {"pattern": NUL}},
    Type.AMOUNT: {
        "anyOf": [
            {"type": "string", "pattern": AMOUNT, "not": _LAST_LINE_END},
            {"type": "number", "minimum": 0, "exclusiveMaximum": _MOST, "multipleOf": 0.01},
        ]
    },
    Type.SIGNED_AMOUNT: {
        "anyOf": [
            {"type": "string", "pattern": SIGNED_AMOUNT, "not": _LAST_LINE_END},
            {"type": "number", "exclusiveMinimum": -_MOST, "exclusiveMaximum": _MOST, "multipleOf": 0.01},
        ]
    },
    Type.TIME: {"type": "string", "pattern": INSTANT, "not": _LAST_LINE_END},
    Type.VERSION: {
        "anyOf": [
            {"type": "string", "pattern": VERSION, "not": _LAST_LINE_END},
            {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        ]
    },
}


def json_schema(kind: Kind, profile: Profile) -> dict[str, Any]:
    """Return the JSON Schema of a kind of event under a profile."""
    names = profile.aliases[kind.name]
    fields = {field.name: field for field in kind.fields}
    required = list(
        dict.fromkeys([*(name for name, field in fields.items() if field.required), *profile.core_required[kind.name]])
    )
    aliased = [name for name in required if len(names.get(name, ())) > 1]
    plain = [name for name in required if name not in aliased]
    properties: dict[str, Any] = {}
    for field in kind.fields:
        properties[field.name] = {"description": field.about, **_values(field, is_given=field.name in plain)}
    for field in kind.fields:
        for alias in names.get(field.name, ()):
            other_name = {"description": f"Another name of {field.name}.", **_values(field, is_given=False)}
            properties.setdefault(alias, other_name)
    for name in plain:
        properties.setdefault(name, {"description": "Required.", **_given(None)})
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"{kind.event}.v1.json",
        "title": kind.event,
        "description": f"{kind.about} Unknown fields are ignored.",
        "type": "object",
        "properties": properties,
        "required": plain,
        "examples": [{field.name: field.example for field in kind.fields}],
    }
    if aliased:
        schema["allOf"] = [
            {"anyOf": [{"required": [name], "properties": {name: _given(fields.get(field))}} for name in names[field]]}
            for field in aliased
        ]
    return schema


def asyncapi(profile: Profile) -> dict[str, Any]:
    """Return the AsyncAPI document of the topics under a profile."""
    channels, operations, messages, schemas = {}, {}, {}, {}
    for topic, kind in profile.topics.items():
        messages[kind.event] = {
            "name": kind.event,
            "title": kind.event,
            "summary": kind.about,
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/Headers"},
            "payload": {"$ref": f"#/components/schemas/{kind.event}"},
            "bindings": {"kafka": {"key": {"type": "string", "description": f"{kind.key.name}, recommended."}}},
        }
        schemas[kind.event] = {
            name: value for name, value in json_schema(kind, profile).items() if name not in ("$schema", "$id")
        }
        channels[kind.name] = {
            "address": topic,
            "description": "At least once, in any order: of all events of a key the latest wins.",
            "messages": {kind.event: {"$ref": f"#/components/messages/{kind.event}"}},
        }
        operations[f"store_{kind.name}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{kind.name}"},
            "summary": f"Stores the event in bo.{kind.table}.",
        }
    schemas["Headers"] = {
        "type": "object",
        "properties": {"x-correlation-id": {"type": "string", "maxLength": 128, "description": "Kept in logs."}},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Transaction lookup: events",
            "version": "1.0.0",
            "description": f"What the sync consumer reads under the profile {profile.profile_id}.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def published() -> dict[str, str]:
    """Return the files to publish: name to content."""
    profile = read_profile("canonical-v1")
    documents = {f"{kind.event}.v1.json": json_schema(kind, profile) for kind in KINDS.values()}
    documents["asyncapi.json"] = asyncapi(profile)
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def _values(field: Field, *, is_given: bool) -> dict[str, Any]:
    """Return the schema of a field's values; ``is_given`` requires a value, and of text types a non-blank value."""
    values = _VALUES[field.type]
    if is_given:
        return {**values, "pattern": NOT_BLANK} if field.type in TEXTS else values
    nothing = {"type": "null"}
    return {"anyOf": [*values["anyOf"], nothing]} if "anyOf" in values else {"anyOf": [values, nothing]}


def _given(field: Field | None) -> dict[str, Any]:
    """Return the schema of a name that has a value, valid or not; None stands for a name that is not a field."""
    if field is None:
        return {"not": {"anyOf": [{"type": "null"}, {"type": "string", "not": _GIVEN_TEXT}]}}
    return _GIVEN_TEXT if field.type in TEXTS else _GIVEN


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in published().items():
        (folder / file).write_text(content, encoding="utf-8")
