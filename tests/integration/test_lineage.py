"""The lineage in dbt's manifest is the truth: it is compared with the statements that a run executes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from python_jobs import pipelines
from python_jobs.load import set_batch_status
from python_jobs.warehouse import open_duckdb
from tests.integration.lines import entry, instant, kst, three_days
from tests.lakes import Lake

D1 = date(2026, 3, 2)
NAME = r'"(?:\w+)"\."(bronze|silver|gold)"\."(\w+)"'
RELATION = re.compile(NAME, re.IGNORECASE)
WRITE = re.compile(
    r"(?:^|;)\s*(?:/\*.*?\*/\s*)?(?:insert\s+into|merge\s+into|delete\s+from|update|alter\s+(?:table|view)"
    r"|drop\s+(?:table|view)(?:\s+if\s+exists)?|comment\s+on\s+(?:table|view|column)|truncate"
    r"|create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?(?:table|view)(?:\s+if\s+not\s+exists)?)\s+" + NAME,
    re.IGNORECASE | re.DOTALL,
)
TEMPORARY = re.compile(r"__(?:dbt|rows|changed).*$")
"""What dbt and the incremental strategies append to the name of a model for relations of their own."""


@dataclass
class Statements:
    """Names that the statements of each node read and wrote, by the node's unique id; a callback of dbt."""

    reads: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    writes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __call__(self, event: Any) -> None:
        if event.info.name != "SQLQuery" or not event.data.node_info.unique_id:
            return
        node = event.data.node_info.unique_id
        written = [match.span(1) for match in WRITE.finditer(event.data.sql)]
        for match in RELATION.finditer(event.data.sql):
            into = self.writes if match.span(1) in written else self.reads
            into[node].add(TEMPORARY.sub("", match.group(2)))


@pytest.fixture(scope="module")
def executed(new_lake: Callable[..., Lake]) -> Statements:
    """Statements of runs in which tables grow, rows leave, and days become obsolete."""
    statements = Statements()
    invoke = pipelines._invoke

    def listening(arguments: list[str], *, callbacks: list[Any], **runner: Any) -> Any:
        return invoke(arguments, callbacks=[*callbacks, statements], **runner)

    lake = new_lake(now=instant(D1 + timedelta(days=5), "01:00:00"), log=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelines, "_invoke", listening)
        lake.load(three_days(D1))
        later = lake.load(
            {"transaction_ledger": [entry("late", "bob", "CHARGE", 5, kst(D1 + timedelta(days=3), "13:00:00"))]}
        )
        lake.run_clean()
        with open_duckdb(lake.warehouse) as connection:
            set_batch_status(connection, later.files[0].batch_id, "withdrawn", reason="a test", now=lake.now)
        lake.now += timedelta(hours=1)
        lake.run_clean()
        lake.run_clean(D1, D1)
        lake.run_clean(watch=True)
    assert statements.reads
    return statements


def nodes(lake: Lake) -> Iterator[tuple[Any, set[str], set[str]]]:
    """Every node of a run, with the names that the manifest lets it read and write."""
    graph = lake.manifest
    cleared = defaultdict(set)
    for node in graph.nodes.values():
        scope = node.config.meta.get("scope") if node.resource_type == "model" else None
        if isinstance(scope, dict):
            cleared[scope["ref"]].add(node.name)  # its days that are obsolete are removed by that step
    for node in graph.nodes.values():
        if node.resource_type == "unit_test":
            continue
        parents = {_name(graph, unique_id) for unique_id in getattr(node.depends_on, "nodes", ())}
        meta = getattr(node.config, "meta", {})
        writes = {node.name, *meta.get("writes", ()), *cleared[node.name]}
        yield node, {*parents, *meta.get("reads", ()), *writes}, writes


def _name(graph: Any, unique_id: str) -> str:
    source = graph.sources.get(unique_id)
    return str(source.identifier if source else graph.nodes[unique_id].alias)


def test_a_node_reads_and_writes_nothing_that_the_manifest_does_not_say(executed: Statements, lake: Lake) -> None:
    undeclared = {
        node.name: (executed.reads[node.unique_id] - reads, executed.writes[node.unique_id] - writes)
        for node, reads, writes in nodes(lake)
        if node.resource_type in ("model", "seed", "snapshot", "test")
        and (executed.reads[node.unique_id] - reads or executed.writes[node.unique_id] - writes)
    }
    assert undeclared == {}


def test_what_a_model_declares_to_read_or_write_by_name_it_does(executed: Statements, lake: Lake) -> None:
    idle: Mapping[str, set[str]] = {
        node.name: missing
        for node in lake.manifest.nodes.values()
        if node.resource_type == "model"
        and node.language == "sql"
        and (
            missing := (
                set(node.config.meta.get("reads", ()))
                - executed.reads[node.unique_id]
                - executed.writes[node.unique_id]
            )
            | (set(node.config.meta.get("writes", ())) - executed.writes[node.unique_id])
        )
    }
    assert idle == {}


def test_a_model_reads_every_parent_unless_it_says_that_it_only_comes_after_it(
    executed: Statements, lake: Lake
) -> None:
    graph = lake.manifest
    unread = {}
    for node in graph.nodes.values():
        if node.resource_type != "model" or node.language != "sql" or not executed.reads[node.unique_id]:
            continue
        text = node.raw_code
        parents = {_name(graph, unique_id) for unique_id in getattr(node.depends_on, "nodes", ())}
        if missing := parents - executed.reads[node.unique_id] - executed.writes[node.unique_id]:
            unread[node.name] = {name for name in missing if "depends_on" not in text}
    assert {name: missing for name, missing in unread.items() if missing} == {}


def test_each_published_table_has_one_writer_per_pipeline(lake: Lake) -> None:
    writers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in lake.manifest.nodes.values():
        if node.resource_type == "model":
            for name in node.config.meta.get("writes", ()):
                pipeline = next(tag for tag in node.tags if tag.startswith("pipeline_"))
                writers[name, pipeline].append(node.name)
    shared = {"pipeline_day", "pipeline_state"}  # state: the first step clears, the last one records
    assert {key: names for key, names in writers.items() if len(names) > 1 and key[0] not in shared} == {}
