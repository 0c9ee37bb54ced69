"""What the jobs of databricks.yml run: commands of dbt and plura as they are, the wheel, and the catalog."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import sqlfluff
import typer
import yaml

from plura.cli.main import app
from plura.kit.lake_settings import LakeSettings, SparkSettings
from python_jobs.pipeline_names import PIPELINES
from tests.bundle import (
    FOLDER,
    GIVEN,
    bundle,
    dbt_commands,
    environment,
    jobs,
    plura_commands,
    read,
    tasks,
)
from tests.dbt_runs import PROJECT, dbt_settings

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# --- dbt


def test_dbt_tasks_use_an_existing_project_profile_and_versions() -> None:
    locked = (PROJECT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    for _, task in tasks():
        for library in task.get("libraries", []):
            if "pypi" in library:
                assert re.search(rf"^{re.escape(library['pypi']['package'])} ", locked, re.MULTILINE), library
        if "dbt_task" in task:
            project = (FOLDER / task["dbt_task"]["project_directory"]).resolve()
            assert (project / "dbt_project.yml").is_file()
            assert (project / task["dbt_task"]["profiles_directory"] / "profiles.yml").is_file()
            assert "warehouse_id" not in task["dbt_task"]  # it would replace the profile


def test_the_profile_takes_address_and_token_that_a_dbt_task_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task hands over what belongs to the principal of the run; the cluster has the rest."""
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    for name in os.environ:
        if name.startswith(("DATABRICKS_", "DBT_", "PLURA_")):
            monkeypatch.delenv(name)
    brought = {"DBT_HOST": "adb-1.azuredatabricks.net", "DBT_ACCESS_TOKEN": "token of the principal"}
    for name, value in (environment("silver") | brought).items():
        monkeypatch.setenv(name, value)
    set_invocation_context(os.environ)
    profile = ProfileRenderer({}).render_data(read(PROJECT / "profiles" / "profiles.yml"))["plura"]["outputs"]
    found = {name: profile["databricks"][name] for name in ("type", "host", "token", "http_path", "catalog", "schema")}
    assert found == {
        "type": "databricks",
        "host": brought["DBT_HOST"],
        "token": brought["DBT_ACCESS_TOKEN"],
        "http_path": f"/sql/1.0/warehouses/{GIVEN['warehouse_id']}",
        "catalog": "plura",
        "schema": "gold",
    }


def test_every_dbt_command_is_one_that_dbt_takes() -> None:
    from dbt.cli.main import cli

    assert dbt_commands()
    for _, words in dbt_commands():
        assert words[0] == "dbt"
        parent = cli.make_context("dbt", words[1:])
        cli.commands[words[1]].make_context(words[1], words[2:], parent=parent)


def selected(manifest: Manifest, words: list[str]) -> set[str]:
    """Names of the resources that a command of dbt works on, by dbt's own selection."""
    from dbt.cli.main import dbtRunner

    asked = [word for word in words[2:] if word not in {"--target", "databricks"}]
    if "--vars" in asked:
        at = asked.index("--vars")
        del asked[at : at + 2]
    with dbt_settings(PROJECT, PROJECT / "data" / "none.duckdb"):
        result = dbtRunner(manifest=manifest).invoke(["ls", *asked, "--log-level", "none", "--output", "name"])
    assert result.success, result.exception
    return set(result.result)


def test_every_selection_holds_its_pipeline_and_leaves_shared_tables_to_sync_rules(manifest: Manifest) -> None:
    """Two jobs at once must not replace the same seed, view or state table."""
    models: dict[str, set[str]] = {}
    checked: dict[str, set[str]] = {}
    built = {node.name for node in manifest.nodes.values() if node.resource_type in {"model", "seed", "snapshot"}}
    for key, words in dbt_commands():
        if words[1] in {"build", "test"}:
            names = selected(manifest, words)
            assert names, words
            if words[1] == "build":
                models[key] = names & built
            checked[key] = checked.get(key, set()) | (names - built)
    assert {"rules", "entry_types", "rule_edits", "dim_rule_scd2", "exception_ledger"} <= models["sync_rules"]
    completed = {
        "guardrail": "int_guardrail_completed_days",
        "silver": "int_silver_completed_run",
        "controls": "int_controls_completed_days",
        "analytics": "int_analytics_completed_days",
    }
    assert set(models) == {"sync_rules", *PIPELINES} == {"sync_rules", *completed}
    for key, name in completed.items():
        assert [job for job, names in models.items() if name in names] == [key]
    together = {
        key: {name for name in models[key] if any(name in models[o] for o in models if o != key)} for key in models
    }
    # a view over silver.dq_status, replaced in one step
    assert set().union(*together.values()) <= {"int_dq_day_tags"}
    everything = {
        node.name
        for node in manifest.nodes.values()
        if node.resource_type in {"model", "seed", "snapshot"} and node.package_name == "plura" and node.config.enabled
    }
    assert set().union(*models.values()) == everything
    assert "no_duplicate_key_exception_ledger_exception_id" in checked["controls"]


def test_the_commands_carry_run_and_days() -> None:
    for key, words in dbt_commands():
        if words[1] != "build":
            continue
        variables = yaml.safe_load(words[words.index("--vars") + 1])
        project = read(PROJECT / "dbt_project.yml")["vars"]
        assert set(variables) <= set(project)
        assert variables.pop("run_id") == "databricks_{{job.run_id}}"
        # the only schedule that is to notice that nothing comes
        assert variables.pop("watch", False) is (key == "guardrail")
        parameters = {parameter["name"] for parameter in jobs()[key].get("parameters", [])}
        assert variables == {name: f"{{{{job.parameters.{name}}}}}" for name in parameters}
        assert words[words.index("--target") + 1] == "databricks"


# --- plura


def test_every_plura_command_is_one_that_plura_takes() -> None:
    root: Any = typer.main.get_command(app)
    names = {" ".join(words[:2]) for _, words in plura_commands()}
    assert names == {"lake load", "lake publish", "lake retention", "lake stream"}
    for _, words in plura_commands():
        group = root.commands[words[0]]
        context = group.commands[words[1]].make_context(words[1], words[2:])
        assert context.params["target"] == "spark"


def test_retention_counts_before_it_removes() -> None:
    first, second = jobs()["retention"]["tasks"]
    assert "--apply" not in first["spark_python_task"]["parameters"]
    assert "--apply" in second["spark_python_task"]["parameters"]
    assert second["depends_on"] == [{"task_key": first["task_key"]}]


def test_on_the_cluster_plura_works_on_no_warehouse_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are those that the settings read; nothing is locked, and folders lie on the volume that is created."""
    from plura.cli.options import spark_lake
    from plura.kit.kafka import KafkaSettings

    for name, value in environment("stream").items():
        monkeypatch.setenv(name, value)
    spark, lake = SparkSettings(), LakeSettings()
    assert not spark.is_local
    assert lake.project_dir == PROJECT
    work = "/Volumes/plura/bronze/work"
    assert {str(spark_lake(lake, 0).staging()), spark.checkpoint_dir, str(lake.data_docs_dir)} == {
        f"{work}/{folder}" for folder in ("staging", "checkpoints", "data_docs")
    }
    for name, value in environment("publish").items():
        monkeypatch.setenv(name, value)
    hub = LakeSettings()
    assert hub.eventhub_url == GIVEN["eventhub_url"]
    assert hub.eventhub_token is not None
    assert hub.eventhub_token.get_secret_value() == "{{secrets/plura/eventhub_token}}"
    kafka = KafkaSettings()
    assert kafka.uses_sasl
    assert kafka.sasl_password.get_secret_value() == "{{secrets/plura/kafka_password}}"
    settings = {
        f"PLURA_{prefix}{name}".upper()
        for prefix, model in (("", LakeSettings), ("SPARK_", SparkSettings), ("KAFKA_", KafkaSettings))
        for name in model.model_fields
    }
    # what dbt's project and profile read, and plura does not
    of_dbt = {
        "PLURA_ANALYSTS_GROUP",
        "PLURA_CONTROLS_GROUP",
        "PLURA_DATABRICKS_CATALOG",
        "PLURA_ENV",
        "PLURA_PYTHON_WHEEL",
        "PLURA_REGION",
        "PLURA_SALT_KEY",
        "PLURA_SALT_SCOPE",
    }
    given = {*environment("stream"), *environment("publish")}
    assert {name for name in given if name.startswith("PLURA_")} - settings == of_dbt


def test_the_jobs_set_the_variables_that_the_dbt_project_reads(manifest: Manifest) -> None:
    texts = [macro.macro_sql for macro in manifest.macros.values() if macro.package_name == "plura"]
    texts.append((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    names = {name for text in texts for name in re.findall(r"env_var\('(\w+)'", text)}
    assert "PLURA_SALT_SCOPE" in names
    # the salt is a secret on Databricks, and Python models run on serverless compute, which is the default
    assert names - set(environment("analytics")) <= {
        "ANON_USER_KEY_SALT",
        "PLURA_PYTHON_SUBMISSION",
        "PLURA_PYTHON_CLUSTER",
        "PLURA_SPARK_REMOTE",  # of the target spark
    }


@pytest.mark.parametrize(
    ("words", "fails"), [(["lake", "schema", "orders"], False), (["lake", "schema", "none"], True)]
)
def test_a_task_ends_without_exit_unless_its_command_failed(words: list[str], fails: bool) -> None:
    command = runpy.run_path(str(FOLDER / "command.py"))["run"]
    with mock.patch.object(sys, "argv", ["command.py", *words]):
        if fails:
            with pytest.raises(RuntimeError, match="exit code 2"):
                command()
        else:
            command()


def test_the_wheel_of_the_bundle_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    for name in ("services", "python_jobs", "plugins", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (artifact,) = bundle("prod")["artifacts"].values()
    build = artifact["build"].replace(".venv/bin/python", sys.executable)
    assert build != artifact["build"]
    subprocess.run(build, shell=True, cwd=tmp_path, check=True, capture_output=True)  # noqa: S602 - our own command
    pattern = {library["whl"] for _, task in tasks() for library in task.get("libraries", []) if "whl" in library}
    assert pattern == {"../../dist/*.whl"}
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert environment("guardrail")["PLURA_PYTHON_WHEEL"] == f"/Workspace/artifacts/.internal/{wheel.name}"
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        str(file.relative_to(tmp_path / root))
        for root, package in (("services", "plura"), (".", "python_jobs"), ("plugins", "dbt"))
        for file in (tmp_path / root / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == sources


# --- the catalog


@cache
def catalog_statements(location: str = "") -> list[str]:
    module = runpy.run_path(str(FOLDER / "catalog.py"))
    (task,) = jobs()["catalog"]["tasks"]
    arguments = dict(word.removeprefix("--").split("=", 1) for word in task["spark_python_task"]["parameters"])
    made: list[str] = module["statements"](module["Request"](**arguments | {"location": location}))
    return made


@pytest.mark.parametrize("location", ["", "abfss://lake@account.dfs.core.windows.net/it's"])
def test_the_catalog_is_made_by_statements_that_parse(location: str) -> None:
    for statement in catalog_statements(location):
        sqlfluff.parse(statement, dialect="databricks")
    assert ("managed location" in catalog_statements(location)[0]) == bool(location)


def test_groups_get_the_way_to_gold_and_no_table_of_it() -> None:
    """Controls and analytics marts lie in one schema: dbt's grants tell them apart."""
    granted = [statement for statement in catalog_statements() if statement.startswith("grant")]
    for group in ("plura-controls", "plura-analysts"):
        assert sorted(statement for statement in granted if f"`{group}`" in statement) == [
            f"grant use catalog on catalog `plura` to `{group}`",
            f"grant use schema on schema `plura`.`gold` to `{group}`".replace("`gold`", "gold"),
        ]
    assert [statement for statement in granted if "select" in statement] == [
        "grant select on schema `plura`.bronze to `plura-operators`",
        "grant select on schema `plura`.silver to `plura-operators`",
    ]


def test_everything_is_made_before_it_is_granted_and_again_without_harm() -> None:
    made = [statement for statement in catalog_statements() if not statement.startswith("grant")]
    assert catalog_statements()[: len(made)] == made
    assert all(" if not exists " in statement for statement in made)
    assert [statement.split()[5] for statement in made] == [
        "`plura`",
        "`plura`.bronze",
        "`plura`.silver",
        "`plura`.gold",
        "`plura`.bronze.landing",
        "`plura`.bronze.work",
    ]


def test_names_of_groups_are_quoted() -> None:
    module = runpy.run_path(str(FOLDER / "catalog.py"))
    odd = module["Request"](catalog="a`b", location="", operators="o", controls="c d", analysts="x")
    text = "\n".join(module["statements"](odd))
    assert "catalog `a``b` to `c d`" in text
