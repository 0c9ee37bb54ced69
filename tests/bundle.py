"""The bundle of databricks.yml as a target deploys it: files merged, references filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.dbt_runs import PROJECT

Tree = dict[str, Any]

FOLDER = PROJECT / "deploy" / "databricks"
GIVEN = {
    "warehouse_id": "abc123",
    "service_principal": "00000000-0000-0000-0000-000000000001",
    "alert_email": "alerts@example.com",
    "eventhub_url": "https://hub.example",
    "kafka_bootstrap": "broker:9093",
}
"""What whoever deploys has to name."""
KNOWN = {
    "workspace.current_user.short_name": "kim",
    "workspace.current_user.userName": "kim@example.com",
    "workspace.file_path": str(PROJECT),
    "workspace.artifact_path": "/Workspace/artifacts",
    "bundle.name": "plura",
}
"""What the bundle knows by itself; bundle.target comes with the target."""
REFERENCE = re.compile(r"\$\{([^}]+)\}")


def read(path: Path) -> Tree:
    tree: Tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tree


def merged(base: Any, over: Any) -> Any:
    """What a target says lies over what all targets share; lists follow one another."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base.get(key), value) for key, value in over.items()}
    if isinstance(base, list) and isinstance(over, list):
        return base + over
    return over


def values(tree: Any) -> Iterator[Any]:
    """Every value and key that is no list and no mapping."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from values(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value)
    else:
        yield tree


def filled(tree: Any, known: Tree) -> Any:
    """The tree with every reference replaced; a reference that is a whole value keeps the type of what it names."""
    if isinstance(tree, dict):
        return {key: filled(value, known) for key, value in tree.items()}
    if isinstance(tree, list):
        return [filled(value, known) for value in tree]
    if not isinstance(tree, str):
        return tree
    if whole := REFERENCE.fullmatch(tree):
        return filled(known[whole[1]], known)
    return REFERENCE.sub(lambda found: str(filled(known[found[1]], known)), tree)


@cache
def bundle(target: str) -> Tree:
    """The bundle as the target deploys it: files merged, variables and other references filled in.

    A variable without a value, and a reference to something that is not there, is a KeyError.
    """
    tree = read(PROJECT / "databricks.yml")
    for pattern in tree["include"]:
        for file in sorted(PROJECT.glob(pattern)):
            tree = merged(tree, read(file))
    chosen = tree["targets"][target]
    tree["resources"] = merged(tree["resources"], chosen.get("resources", {}))
    defaults = {name: variable["default"] for name, variable in tree["variables"].items() if "default" in variable}
    chosen_values = chosen.get("variables", {})
    assert set(chosen_values) | set(GIVEN) <= set(tree["variables"])
    known: Tree = KNOWN | {"bundle.target": target}
    known |= {f"var.{name}": value for name, value in (defaults | GIVEN | chosen_values).items()}
    known |= {f"resources.jobs.{key}.id": number for number, key in enumerate(tree["resources"]["jobs"], start=1)}
    whole: Tree = filled({key: tree[key] for key in ("resources", "artifacts")} | {"target": chosen}, known)
    return whole


def jobs(target: str = "prod") -> dict[str, Tree]:
    found: dict[str, Tree] = bundle(target)["resources"]["jobs"]
    return found


def tasks() -> list[tuple[str, Tree]]:
    """Every task with the key of its job."""
    return [(key, task) for key, job in jobs().items() for task in job["tasks"]]


def dbt_commands() -> list[tuple[str, list[str]]]:
    return [
        (key, shlex.split(command))
        for key, task in tasks()
        if "dbt_task" in task
        for command in task["dbt_task"]["commands"]
    ]


def plura_commands() -> list[tuple[str, list[str]]]:
    return [
        (key, task["spark_python_task"]["parameters"])
        for key, task in tasks()
        if task.get("spark_python_task", {}).get("python_file") == "command.py"
    ]


def environment(job: str) -> dict[str, str]:
    (cluster,) = jobs()[job]["job_clusters"]
    variables: dict[str, str] = cluster["new_cluster"]["spark_env_vars"]
    return variables
