"""Where Databricks SQL and open-source Spark part: what the endpoint rewrites, records and answers itself.

Everything else goes to Spark as it was sent. ``docs/databricks.md`` repeats both lists under what the endpoint cannot
prove.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
_SECRET = re.compile(r"\bsecret\(\s*'(?P<scope>[^']+)'\s*,\s*'(?P<key>[^']+)'\s*\)", re.IGNORECASE)
_INFORMATION_SCHEMA = re.compile(r"`\w+`\.`?information_schema`?\.`?(?P<view>\w+)`?", re.IGNORECASE)

GRANTS_COLUMNS = "Principal string, ActionType string, ObjectType string, ObjectKey string"


@dataclass(kw_only=True)
class Dialect:
    """Rewrites statements for one catalog, which is Spark's session catalog here.

    ``secrets`` holds the values that ``secret(scope, key)`` yields; ``recorded`` what was answered without Spark.
    """

    catalog: str
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    recorded: list[tuple[str, str]] = field(default_factory=list)
    _grants: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def record(self, statement: str) -> bool:
        """Keep a statement that only Databricks knows, and tell whether it was one."""
        words = bare(statement)
        for kind in RECORDED:
            if kind.pattern.match(words):
                self.recorded.append((kind.name, words))
                self._remember_grant(words)
                return True
        return False

    def grants_asked_for(self, statement: str) -> list[tuple[str, str, str, str]] | None:
        """Rows of SHOW GRANTS, None for any other statement."""
        asked = _SHOW_GRANTS.match(bare(statement))
        if asked is None:
            return None
        name = asked["object"]
        return [(who, privilege, "TABLE", name) for who, privilege in sorted(self._grants.get(name, set()))]

    def for_spark(self, text: str) -> str:
        """Return a statement, or the code of a notebook, with the catalog's name and the secrets in Spark's words.

        The catalog stands in backquotes wherever dbt writes it, so that no text literal is ever touched.
        """
        named = _INFORMATION_SCHEMA.sub(lambda m: _view_name(m["view"]), text)
        named = named.replace(f"`{self.catalog}`", "`spark_catalog`")
        return _SECRET.sub(lambda m: "'" + self.secrets[m["scope"], m["key"]].replace("'", "\\'") + "'", named)

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


def _view_name(view: str) -> str:
    return f"`system_information_schema_{view.lower()}`"


def _tables(spark: SparkSession, catalog: str) -> Iterable[tuple[Any, ...]]:
    """Rows of system.information_schema.tables, for every schema but Spark's own."""
    session = spark._jsparkSession.sessionState().catalog()
    for schema in (row[0] for row in spark.sql("show schemas").collect()):
        tables = session.listTables(schema)
        for number in range(tables.size()):
            name = tables.apply(number)
            if name.database().isEmpty():
                continue  # a temporary view
            found = session.getTableMetadata(name)
            is_view = found.tableType().name() == "VIEW"
            source = "UNKNOWN" if is_view or found.provider().isEmpty() else found.provider().get().upper()
            yield (catalog, schema, name.table(), "VIEW" if is_view else "MANAGED", source, "owner", None)


def _views(spark: SparkSession, catalog: str) -> Iterable[tuple[Any, ...]]:
    """Rows of system.information_schema.views."""
    session = spark._jsparkSession.sessionState().catalog()
    for schema in (row[0] for row in spark.sql("show schemas").collect()):
        tables = session.listTables(schema)
        for number in range(tables.size()):
            name = tables.apply(number)
            if name.database().isEmpty():
                continue
            found = session.getTableMetadata(name)
            if found.tableType().name() == "VIEW":
                yield (catalog, schema, name.table(), found.viewText().get())


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
