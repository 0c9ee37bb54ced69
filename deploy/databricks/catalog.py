"""Creates what dbt does not: catalog, schemas, volumes, and the way to them for the groups.

Repeatable. No group is given a table of Gold here: controls and analytics marts lie in one schema and are told apart
table by table, which the `grants` of the dbt models do. Bronze and Silver are for operators as a whole.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

SCHEMAS = {
    "bronze": "Raw lines as they came",
    "silver": "Cleaned rows, quarantine, data quality",
    "gold": "Controls and analytics marts, rules, state",
}
VOLUMES = {
    "landing": "Files to be loaded, as the sources deliver them",
    "work": "Checkpoints of the streams, staging of loads, Data Docs",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Names of the catalog and the groups; an empty location leaves the storage to the metastore."""

    catalog: str
    location: str
    operators: str
    controls: str
    analysts: str


def statements(request: Request) -> list[str]:
    """Return the SQL statements in the order they are to run."""
    catalog, operators = _name(request.catalog), _name(request.operators)
    location = f" managed location {_text(request.location)}" if request.location else ""
    made = [f"create catalog if not exists {catalog}{location}"]
    made += [
        f"create schema if not exists {catalog}.{schema} comment {_text(comment)}"
        for schema, comment in SCHEMAS.items()
    ]
    made += [
        f"create volume if not exists {catalog}.bronze.{volume} comment {_text(comment)}"
        for volume, comment in VOLUMES.items()
    ]
    granted = [f"grant use schema on schema {catalog}.{schema} to {operators}" for schema in SCHEMAS]
    granted += [
        *(f"grant select on schema {catalog}.{schema} to {operators}" for schema in ("bronze", "silver")),
        f"grant read volume, write volume on volume {catalog}.bronze.landing to {operators}",
        f"grant read volume on volume {catalog}.bronze.work to {operators}",
    ]
    readers = [_name(request.controls), _name(request.analysts)]
    granted += [f"grant use schema on schema {catalog}.gold to {reader}" for reader in readers]
    return [*made, *(f"grant use catalog on catalog {catalog} to {group}" for group in (operators, *readers)), *granted]


def _name(text: str) -> str:
    return f"`{text.replace('`', '``')}`"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def main() -> None:
    """Run the statements in the session of the cluster."""
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__)
    for name in Request.__dataclass_fields__:
        parser.add_argument(f"--{name}", required=True)
    session = SparkSession.builder.getOrCreate()
    for statement in statements(Request(**vars(parser.parse_args()))):
        print(statement)  # noqa: T201 - the output of the task
        session.sql(statement)


if __name__ == "__main__":
    main()
