"""Where Databricks SQL and open-source Spark part: what the endpoint rewrites, records and answers itself.

Everything else goes to Spark as it was sent. ``docs/databricks.md`` repeats both lists under what the endpoint cannot
prove.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A kind of statement that Spark cannot parse: it is kept, and answered as done."""

    name: str
    pattern: re.Pattern[str]
    example: str


def _recorded(name: str, pattern: str, example: str) -> Recorded:
    return Recorded(name=name, pattern=re.compile(pattern, re.IGNORECASE | re.DOTALL), example=example)


RECORDED = (
    _recorded("grants", r"(grant|revoke)\s", "grant select on table `c`.`gold`.`t` to `analysts`"),
    _recorded("catalogs", r"create\s+catalog\s", "create catalog if not exists `c`"),
    _recorded(
        "tags",
        r"alter\s+(table|view|schema)\s+\S+\s+(alter\s+column\s+\S+\s+)?(un)?set\s+tags\b",
        "alter table `c`.`gold`.`t` set tags ('domain' = 'controls')",
    ),
    _recorded(
        "predictive optimization",
        r"alter\s+(catalog|schema|table)\s+\S+\s+(enable|disable|inherit)\s+predictive\s+optimization\b",
        "alter schema `c`.`gold` enable predictive optimization",
    ),
    _recorded(
        "automatic clustering",
        r"alter\s+table\s+\S+\s+cluster\s+by\s+auto\b",
        "alter table `c`.`gold`.`t` cluster by auto",
    ),
)

_LEADING_COMMENTS = re.compile(r"\s*(/\*.*?\*/\s*|--[^\n]*\n\s*)*", re.DOTALL)
_SHOW_GRANTS = re.compile(r"show\s+grants?\s+on\s+(?:table\s+|view\s+)?(?P<object>\S+)\s*$", re.IGNORECASE)
_GRANT = re.compile(
    r"(?P<verb>grant|revoke)\s+(?P<privileges>.+?)\s+on\s+(?:table\s+|view\s+)?(?P<object>\S+)\s+(?:to|from)\s+(?P<who>.+)",
    re.IGNORECASE | re.DOTALL,
)
_INFORMATION_SCHEMA = re.compile(r"`\w+`\.`?information_schema`?\.`?(?P<view>\w+)`?", re.IGNORECASE)

_DESCRIBE_AS_JSON = re.compile(r"describe\s+table\s+extended\s+(?P<table>\S+)\s+as\s+json\s*$", re.IGNORECASE)
_SET_NOT_NULL = re.compile(
    r"alter\s+table\s+(?P<table>\S+)\s+(change|alter)\s+column\s+(?P<column>\S+)\s+set\s+not\s+null\s*$", re.IGNORECASE
)


class RefusedError(Exception):
    """A statement that the warehouse refuses."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows of a statement that Spark does not see; ``columns`` as in a schema, empty for a statement without rows."""

    columns: str = ""
    rows: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(kw_only=True)
class Dialect:
    """Rewrites statements for one catalog, which is Spark's session catalog here.

    ``recorded`` holds what was answered without Spark.
    """

    catalog: str
    recorded: list[tuple[str, str]] = field(default_factory=list)
    _grants: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def answer(self, spark: SparkSession, statement: str) -> Answer | None:
        """Answer a statement that Spark cannot parse or that Delta Lake does not support there; None: Spark shall.

        Raises:
            RefusedError: a column that must not hold NULL holds one.
        """
        words = bare(statement)
        if asked := _SHOW_GRANTS.match(words):
            name = asked["object"]
            rows = [(who, privilege, "TABLE", name) for who, privilege in sorted(self._grants.get(name, set()))]
            return Answer(columns="Principal string, ActionType string, ObjectType string, ObjectKey string", rows=rows)
        if asked := _DESCRIBE_AS_JSON.match(words):
            return Answer(columns="json_metadata string", rows=[(_described(spark, self.for_spark(asked["table"])),)])
        if asked := _SET_NOT_NULL.match(words):
            table, column = asked["table"], asked["column"]
            if not spark.sql(f"select 1 from {self.for_spark(table)} where {column} is null limit 1").isEmpty():
                raise RefusedError(f"[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] {table} holds NULL in {column}")
            self.recorded.append(("not null", words))
            return Answer()
        for kind in RECORDED:
            if kind.pattern.match(words):
                self.recorded.append((kind.name, words))
                self._remember_grant(words)
                return Answer()
        return None

    def grants(self) -> dict[str, set[tuple[str, str]]]:
        """Grantees and privileges that stand, by the name of the object as it was granted."""
        return {name: set(standing) for name, standing in self._grants.items()}

    def for_spark(self, text: str) -> str:
        """Return a statement, or the code of a notebook, with the catalog's name in Spark's words.

        The catalog stands in backquotes wherever dbt writes it, so that no text literal is ever touched.
        """
        named = _INFORMATION_SCHEMA.sub(lambda m: _view_name(m["view"]), text)
        return named.replace(f"`{self.catalog}`", "`spark_catalog`")

    def prepare(self, spark: SparkSession, statement: str) -> None:
        """Make the views of system.information_schema that a statement reads."""
        for view in {match["view"].lower() for match in _INFORMATION_SCHEMA.finditer(statement)}:
            schema, rows = _VIEWS[view]
            spark.createDataFrame(list(rows(spark, self.catalog)), schema).createOrReplaceTempView(_view_name(view))

    def _remember_grant(self, words: str) -> None:
        grant = _GRANT.match(words)
        if grant is None:
            return
        standing = self._grants.setdefault(grant["object"], set())
        given = {
            (who.strip().strip("`"), privilege.strip().upper())
            for who in grant["who"].split(",")
            for privilege in grant["privileges"].split(",")
        }
        if grant["verb"].lower() == "grant":
            standing |= given
        else:
            standing -= given


def bare(statement: str) -> str:
    """Return a statement without the comments before it and the semicolon after it."""
    begin = _LEADING_COMMENTS.match(statement)
    return statement[begin.end() if begin else 0 :].strip().rstrip(";").rstrip()


def _described(spark: SparkSession, table: str) -> str:
    """What DESCRIBE … AS JSON tells of a table: Spark knows it for views and not for Delta Lake."""
    fields = spark.table(table).schema.fields
    columns = [
        {"name": column.name, "type": _type(column.dataType), "nullable": column.nullable}
        | ({"comment": comment} if (comment := column.metadata.get("comment")) else {})
        for column in fields
    ]
    description = spark.catalog.getTable(table).description
    about = {"table_name": table.rpartition(".")[2].strip("`"), "columns": columns}
    return json.dumps(about | ({"comment": description} if description else {}))


def _type(kind: DataType) -> dict[str, Any]:
    from pyspark.sql import types

    match kind:
        case types.DecimalType():
            return {"name": "decimal", "precision": kind.precision, "scale": kind.scale}
        case types.ArrayType():
            return {"name": "array", "element_type": _type(kind.elementType)}
        case types.MapType():
            return {"name": "map", "key_type": _type(kind.keyType), "value_type": _type(kind.valueType)}
        case types.TimestampType():
            return {"name": "timestamp_ltz"}
        case _:
            return {"name": kind.simpleString()}


def _view_name(view: str) -> str:
    return f"`system_information_schema_{view.lower()}`"


def _relations(spark: SparkSession) -> Iterable[tuple[str, Any]]:
    """Schema and metadata of every table and view of the catalog, temporary views left out."""
    session = spark._jsparkSession.sessionState().catalog()
    for schema in (row[0] for row in spark.sql("show schemas").collect()):
        tables = session.listTables(schema)
        for number in range(tables.size()):
            name = tables.apply(number)
            if not name.database().isEmpty():
                yield schema, session.getTableMetadata(name)


def _is_view(relation: Any) -> bool:
    return bool(relation.tableType().name() == "VIEW")


def _tables(spark: SparkSession, catalog: str) -> Iterable[tuple[Any, ...]]:
    """Rows of system.information_schema.tables."""
    for schema, found in _relations(spark):
        no_format = _is_view(found) or found.provider().isEmpty()
        source = "UNKNOWN" if no_format else found.provider().get().upper()
        kind = "VIEW" if _is_view(found) else "MANAGED"
        yield (catalog, schema, found.identifier().table(), kind, source, "owner", None)


def _views(spark: SparkSession, catalog: str) -> Iterable[tuple[Any, ...]]:
    """Rows of system.information_schema.views."""
    for schema, found in _relations(spark):
        if _is_view(found):
            yield (catalog, schema, found.identifier().table(), found.viewText().get())


_VIEWS: dict[str, tuple[str, Callable[[SparkSession, str], Iterable[tuple[Any, ...]]]]] = {
    "tables": (
        (
            "table_catalog string, table_schema string, table_name string, table_type string,"
            " data_source_format string, table_owner string, last_altered timestamp"
        ),
        _tables,
    ),
    # nothing here filters rows: the columns are those the adapter asks for
    "row_filters": (
        "table_catalog string, table_schema string, table_name string, filter_name string, target_columns string",
        lambda _spark, _catalog: (),
    ),
    "views": ("table_catalog string, table_schema string, table_name string, view_definition string", _views),
}
