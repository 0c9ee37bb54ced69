"""The catalogue of rules is what the models read and what docs/rules.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from python_jobs.rules.catalog import COLUMNS, METRICS
from tests.dbt_runs import PROJECT
from tests.rule_files import DEFAULT


def reference() -> Iterator[str]:
    """Lines of the table of metrics."""
    yield "| rule | about | `threshold` | `severity_map` | `allowed_values` | `scope` |"
    yield "|---|---|---|---|---|---|"
    for domain, metrics in METRICS.items():
        for name, metric in metrics.items():
            cells = [
                f"{domain} / `{name}`",
                metric.purpose,
                metric.numbers.says if metric.numbers else "",
                ", ".join(f"`{severity}`" for severity in metric.severities),
                metric.values.says if metric.values else "",
                ", ".join(f"`{scope}`" for scope in metric.scopes),
            ]
            yield "| " + " | ".join(cells) + " |"


def test_the_document_has_the_table_of_the_catalogue() -> None:
    text = (PROJECT / "docs" / "rules.md").read_text(encoding="utf-8")
    table = re.search(r"^\| rule \| about .*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert table is not None
    assert table.group().splitlines() == list(reference())


def test_every_metric_of_the_catalogue_is_read_by_a_model() -> None:
    queries = [*(PROJECT / "models").rglob("*.sql"), *(PROJECT / "macros").rglob("*.sql")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in queries)
    assert [name for metrics in METRICS.values() for name in metrics if f"'{name}'" not in text] == []


def test_every_metric_has_a_default_or_is_off_without_one() -> None:
    rules = {line.split(",")[2] for line in DEFAULT.splitlines()[1:]}
    assert {name for metrics in METRICS.values() for name in metrics} - rules == {"supply_opening"}


def test_dbt_loads_each_column_of_the_file_as_text() -> None:
    """Else it would guess types, and change what it takes for a date or a number."""
    text = (PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    types = re.search(r"    rules:\n(?:      .*\n)*?      \+column_types:\n((?:        .*\n)+)", text)
    assert types is not None
    assert [line.strip() for line in types.group(1).splitlines()] == [f"{name}: string" for name in COLUMNS]
