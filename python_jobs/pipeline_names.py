"""The pipelines of the lake: their names for people, and those in the tables and tags of the dbt project."""

from __future__ import annotations

PIPELINES: dict[str, str] = {
    "guardrail": "pipeline_a",
    "silver": "pipeline_silver",
    "controls": "pipeline_b",
    "analytics": "pipeline_c",
}
"""Names of the pipelines on the command line and in gold.pipeline_state, in the order they run."""

NAMES = {key: name for name, key in PIPELINES.items()}
"""The name on the command line of each pipeline of gold.pipeline_state, in the order they run."""

TITLES = {
    "pipeline_a": "A guardrail",
    "pipeline_silver": "Silver",
    "pipeline_b": "B controls",
    "pipeline_c": "C analytics",
}
"""The title of each pipeline in a report."""
