"""The contract of Bronze, read from the dbt sources; nothing about the raw tables is written down twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from python_jobs.rules import project_rules
from python_jobs.warehouse import LakeError

SOURCES = Path("models") / "bronze" / "_bronze__sources.yml"


META_KEYS = ("source_extracted_at", "source_system", "ingested_at")
"""Keys of a line that say where it comes from, whatever its table is."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a Bronze table.

    ``spellings`` are the accepted names of its key in a line; ``is_stamped`` columns are filled by the load.
    """

    name: str
    data_type: str
    description: str
    required: bool = False
    spellings: tuple[str, ...] = ()
    minimum: float | None = None
    exclusive_minimum: float | None = None
    allowed_values: tuple[str, ...] = ()
    is_stamped: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One Bronze table; ``source`` is the name of its files, None for the loader's own tables.

    ``key`` is what a line is about, as the key of Silver. ``dated_by`` are the columns, the first with a value wins,
    whose KST day a line belongs to; none for a table without days. A second line of an ``is_immutable`` key is not a
    newer version of it.
    """

    name: str
    source: str | None
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    dated_by: tuple[str, ...] = ()
    is_immutable: bool = False

    @property
    def is_snapshot(self) -> bool:
        """Whether a line is a state at the instant of its extraction, and not something that happened."""
        return self.dated_by[:1] == ("source_extracted_at",)

    @property
    def value_columns(self) -> tuple[Column, ...]:
        """The columns that come out of a line."""
        return tuple(column for column in self.columns if not column.is_stamped)

    @property
    def keyed_columns(self) -> tuple[Column, ...]:
        """The columns for which a line may have a key: those of the table, and those of its origin."""
        by_name = {column.name: column for column in self.columns}
        return (*self.value_columns, *(by_name[name] for name in META_KEYS if name in by_name))


def read_contracts(project_dir: Path) -> dict[str, Table]:
    """Return the Bronze tables of the dbt project by name, in the order of the file.

    Raises:
        LakeError: the rules of the project cannot be read.
    """
    document = yaml.safe_load((project_dir / SOURCES).read_text(encoding="utf-8"))
    allowed = _allowed_values(project_dir)
    tables = [_table(entry, allowed) for source in document["sources"] for entry in source["tables"]]
    return {table.name: table for table in tables}


def json_schema(table: Table) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one line of a table's files."""
    kinds = {
        "string": ["string", "number", "boolean"],
        "boolean": ["boolean", "number", "string"],
        "timestamp": ["string"],
    }
    properties = {
        spelling: {
            "type": [*kinds.get(column.data_type, ["string", "number"]), "null"],
            "description": column.description,
        }
        for column in table.keyed_columns
        for spelling in column.spellings
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table.name,
        "type": "object",
        "properties": properties,
        "allOf": [
            {"anyOf": [{"required": [spelling]} for spelling in column.spellings]}
            for column in table.value_columns
            if column.required
        ],
        "additionalProperties": True,
    }


def _table(entry: dict[str, Any], allowed: dict[str, tuple[str, ...]]) -> Table:
    columns = []
    for column in entry["columns"]:
        meta = column.get("meta", {})
        columns.append(
            Column(
                name=column["name"],
                data_type=column["data_type"],
                description=column["description"],
                required=meta.get("required", False),
                spellings=tuple(meta.get("spellings", [column["name"]])),
                minimum=meta.get("minimum"),
                exclusive_minimum=meta.get("exclusive_minimum"),
                allowed_values=allowed.get(meta.get("allowed_values_rule", ""), ()),
                is_stamped=meta.get("ingest", False),
            )
        )
    meta = entry.get("meta", {})
    return Table(
        name=entry["name"],
        source=meta.get("file"),
        columns=tuple(columns),
        key=tuple(meta.get("key", ())),
        dated_by=tuple(meta.get("dated_by", ())),
        is_immutable=meta.get("immutable", False),
    )


def _allowed_values(project_dir: Path) -> dict[str, tuple[str, ...]]:
    """Allowed values by ``domain/metric``, of the rule's latest version that holds for every table."""
    rules = project_rules(project_dir)
    if rules.problem is not None:
        raise LakeError(rules.problem)
    versions = sorted(rules.versions, key=lambda version: version.valid_from)
    return {
        f"{version.domain}/{version.metric}": version.values
        for version in versions
        if version.values and not version.scope
    }
