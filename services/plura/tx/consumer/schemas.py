"""The contracts of the events for those who produce them: JSON Schema for each kind, AsyncAPI for the topics.

``python -m plura.tx.consumer.schemas FOLDER`` writes them. They are stricter than the service, which also reads numbers
as ids and more spellings of times: an event that is valid here is stored, unless two names of a field contradict each
other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plura.tx.consumer.contract import KINDS, Field, Kind, Type
from plura.tx.consumer.profiles import Profile, read_profile
from plura.tx.consumer.values import LONGEST_NAME, LONGEST_WORD
from plura.tx.db import LONGEST_ID

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
_NO_NUL = r"^[^\u0000]*$"
_NOT_BLANK = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?$"
_DIGITS = r"[0-9]{1,16}(\.[0-9]{1,2})?$"
_GIVEN = {"type": "string", "pattern": r"\S"}
_MOST = 10**16

_VALUES: Mapping[Type, dict[str, Any]] = {
    Type.ID: {"type": "string", "maxLength": LONGEST_ID, "pattern": _NO_CONTROLS},
    Type.WORD: {"type": "string", "maxLength": LONGEST_WORD, "pattern": _NO_NUL},
    Type.NAME: {"type": "string", "maxLength": LONGEST_NAME, "pattern": _NO_NUL},
    Type.AMOUNT: {
        "anyOf": [
            {"type": "string", "pattern": "^" + _DIGITS},
            {"type": "number", "minimum": 0, "exclusiveMaximum": _MOST, "multipleOf": 0.01},
        ]
    },
    Type.SIGNED_AMOUNT: {
        "anyOf": [
            {"type": "string", "pattern": "^-?" + _DIGITS},
            {"type": "number", "exclusiveMinimum": -_MOST, "exclusiveMaximum": _MOST, "multipleOf": 0.01},
        ]
    },
    Type.TIME: {"type": "string", "format": "date-time", "pattern": _INSTANT},
    Type.VERSION: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
}


def json_schema(kind: Kind, profile: Profile) -> dict[str, Any]:
    """Return the JSON Schema of a kind of event under a profile."""
    names = profile.aliases[kind.name]
    properties: dict[str, Any] = {}
    for field in kind.fields:
        properties[field.name] = _property(field, None)
        for alias in names.get(field.name, ()):
            properties.setdefault(alias, _property(field, alias))
    # of the fields whose own description comes later, that one stands
    properties.update({field.name: _property(field, None) for field in kind.fields})
    required = [field.name for field in kind.fields if field.required]
    aliased = [name for name in required if len(names.get(name, ())) > 1]
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"{kind.event}.v1.json",
        "title": kind.event,
        "description": f"{kind.about} Unknown fields are ignored.",
        "type": "object",
        "properties": properties,
        "required": [name for name in required if name not in aliased],
        "examples": [{field.name: field.example for field in kind.fields}],
    }
    if aliased:
        schema["allOf"] = [
            {"anyOf": [{"required": [name], "properties": {name: _GIVEN}} for name in names[field]]}
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
            "description": "At least once, in any order: of two events of one key the later one stands.",
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


def _property(field: Field, alias: str | None) -> dict[str, Any]:
    values = _VALUES[field.type]
    if field.required and field.type in (Type.WORD, Type.NAME):
        values = {**values, "pattern": _NOT_BLANK}
    about = field.about if alias is None else f"Another name of {field.name}."
    if not (field.required and alias is None):
        nothing = {"type": "null"}
        values = {"anyOf": [*values["anyOf"], nothing]} if "anyOf" in values else {"anyOf": [values, nothing]}
    return {"description": about, **values}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in published().items():
        (folder / file).write_text(content, encoding="utf-8")
