"""databricks.yml against the schema of the bundles, against dbt and plura as they are, and against the agreed times."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
import sqlfluff
import typer
import yaml
from databricks.bundles.jobs import Job
from databricks.bundles.secret_scopes._models.secret_scope import SecretScope

from plura.cli.main import app
from plura.kit.settings import LakeSettings, SparkSettings
from python_jobs.pipelines import PIPELINES
from tests.bundle import (
    FOLDER,
    GIVEN,
    REFERENCE,
    bundle,
    dbt_commands,
    environment,
    jobs,
    plura_commands,
    read,
    tasks,
    values,
)
from tests.dbt_runs import PROJECT, dbt_settings

if TYPE_CHECKING:
    from databricks.bundles.jobs import JobDict
    from dbt.contracts.graph.manifest import Manifest

TARGETS = ("dev", "prod")
TOP_LEVEL = {"bundle", "include", "artifacts", "variables", "targets", "resources"}
OF_A_TARGET = {"mode", "default", "workspace", "run_as", "variables", "resources"}
KST = ZoneInfo("Asia/Seoul")


# --- the schema of bundles


@pytest.mark.parametrize("target", TARGETS)
def test_every_job_and_scope_has_the_fields_that_databricks_knows(target: str) -> None:
    for job in jobs(target).values():
        Job.from_dict(cast("JobDict", job))
    for scope in bundle(target)["resources"]["secret_scopes"].values():
        SecretScope.from_dict(scope)


def test_the_files_have_no_unknown_sections() -> None:
    tree = read(PROJECT / "databricks.yml")
    assert set(tree) <= TOP_LEVEL
    assert tuple(tree["targets"]) == TARGETS
    for target in tree["targets"].values():
        assert set(target) <= OF_A_TARGET
    for file in FOLDER.glob("*.yml"):
        assert set(read(file)) == {"resources"}
        assert set(read(file)["resources"]) <= {"jobs", "secret_scopes"}
    for variable in tree["variables"].values():
        assert set(variable) <= {"description", "default", "type"}
        assert variable["description"]


def test_every_variable_is_used_and_every_used_one_is_declared() -> None:
    texts = [str(value) for file in (PROJECT / "databricks.yml", *FOLDER.glob("*.yml")) for value in values(read(file))]
    used = {name.removeprefix("var.") for text in texts for name in REFERENCE.findall(text) if name.startswith("var.")}
    assert used == set(read(PROJECT / "databricks.yml")["variables"])


def test_what_has_to_be_named_is_what_the_page_lists() -> None:
    declared = read(PROJECT / "databricks.yml")
    without = {name for name, one in declared["variables"].items() if "default" not in one}
    assert without - set(declared["targets"]["prod"]["variables"]) == set(GIVEN)
    page = (PROJECT / "docs" / "databricks-bundle.md").read_text(encoding="utf-8")
    assert {name for name in declared["variables"] if f"`{name}`" not in page} == set()
    assert {key for key in jobs() if f"`{key}`" not in page} == set()


# --- what every job has


def test_every_job_is_limited_watched_and_given_to_the_operators() -> None:
    for key, job in jobs().items():
        assert job["max_concurrent_runs"] == 1, key
        assert job["email_notifications"]["on_failure"] == [GIVEN["alert_email"]], key
        assert "on_failure" in job["webhook_notifications"], key
        assert job["health"]["rules"], key
        assert job["permissions"] == [{"level": "CAN_MANAGE_RUN", "group_name": "plura-operators"}], key
        assert job["tags"] == {"product": "plura", "environment": "prod"}, key
        assert job["description"], key
        if "continuous" in job:  # Databricks restarts it for ever, and takes neither of these
            assert job["timeout_seconds"] == 0
            assert "queue" not in job
            assert all("max_retries" not in task and "depends_on" not in task for task in job["tasks"])
            assert job["email_notifications"]["on_streaming_backlog_exceeded"] == [GIVEN["alert_email"]]
        else:
            assert 0 < job["timeout_seconds"] <= 6 * 3600, key
            assert job["queue"] == {"enabled": True}, key
            (rule,) = job["health"]["rules"]
            assert rule["metric"] == "RUN_DURATION_SECONDS"
            assert rule["value"] < job["timeout_seconds"], key
            assert job["email_notifications"]["on_duration_warning_threshold_exceeded"] == [GIVEN["alert_email"]], key
            for task in job["tasks"]:  # a run of another job is repeated by that job
                assert task.get("max_retries", 0) > 0 or "run_job_task" in task, key


def test_every_task_runs_on_a_cluster_of_its_job_with_one_node() -> None:
    for key, task in tasks():
        if "run_job_task" in task:
            continue
        (cluster,) = jobs()[key]["job_clusters"]
        assert task["job_cluster_key"] == cluster["job_cluster_key"]
        node = cluster["new_cluster"]
        assert node["num_workers"] == 0
        assert node["spark_conf"]["spark.databricks.cluster.profile"] == "singleNode"
        assert node["spark_conf"]["spark.sql.session.timeZone"] == "UTC"
        assert node["spark_conf"]["spark.databricks.sql.initial.catalog.namespace"] == "plura"


def test_prod_runs_as_the_service_principal_from_a_place_of_its_own() -> None:
    target = bundle("prod")["target"]
    assert target["mode"] == "production"
    assert target["run_as"] == {"service_principal_name": GIVEN["service_principal"]}
    assert GIVEN["service_principal"] in target["workspace"]["root_path"]
    (scope,) = bundle("prod")["resources"]["secret_scopes"].values()
    assert scope["permissions"] == [{"level": "READ", "service_principal_name": GIVEN["service_principal"]}]
    assert scope["lifecycle"] == {"prevent_destroy": True}


def test_dev_never_uses_the_catalog_the_salt_or_the_principal_of_prod() -> None:
    target = bundle("dev")["target"]
    assert target["mode"] == "development"
    assert read(PROJECT / "databricks.yml")["targets"]["dev"]["default"] is True
    assert "run_as" not in target
    ours, theirs = (bundle(one)["target"]["variables"] for one in TARGETS)
    named = {
        place
        for text in map(str, values(bundle("dev")["resources"]["jobs"]))
        for place in re.findall(r"(?:/Volumes/|secrets/|--catalog=)([^/}]+)", text)
    }
    assert named == {"plura_dev_kim"}
    assert named.isdisjoint({theirs["catalog"], theirs["secret_scope"]})
    for job in jobs("dev").values():
        for cluster in job.get("job_clusters", []):
            variables = cluster["new_cluster"]["spark_env_vars"]
            assert variables["PLURA_DATABRICKS_CATALOG"] == ours["catalog"] == "plura_dev_kim"
            assert variables["PLURA_SALT_SCOPE"] == ours["secret_scope"] == "plura_dev_kim"
            assert variables["PLURA_ENV"] == "dev"
            assert (
                cluster["new_cluster"]["spark_conf"]["spark.databricks.sql.initial.catalog.namespace"]
                == ours["catalog"]
            )


# --- times


def quartz_field(text: str, low: int, high: int) -> set[int]:
    """Numbers that a field of a Quartz expression means."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in {"*", "?"}:
            first, last = low, high
        elif "-" in span:
            first, last = map(int, span.split("-"))
        else:
            first, last = int(span), high if step else int(span)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def fires(expression: str, first: datetime, last: datetime) -> list[datetime]:
    """Whole minutes of [first, last) at which a Quartz expression fires; its days of the week are not read."""
    second, minute, hour, day, month, week_day = expression.split()
    assert (second, week_day) == ("0", "?")
    fields = [
        quartz_field(minute, 0, 59),
        quartz_field(hour, 0, 23),
        quartz_field(day, 1, 31),
        quartz_field(month, 1, 12),
    ]
    minutes = (first + timedelta(minutes=one) for one in range(int((last - first) / timedelta(minutes=1))))
    return [
        at
        for at in minutes
        if all(value in field for value, field in zip((at.minute, at.hour, at.day, at.month), fields, strict=True))
    ]


def fires_of(job: str, first: datetime, days: int) -> list[str]:
    schedule = jobs()[job]["schedule"]
    assert schedule["pause_status"] == "UNPAUSED"
    assert schedule["timezone_id"] == "Asia/Seoul"  # where no clock is changed
    start = first.astimezone(ZoneInfo(schedule["timezone_id"]))
    found = fires(schedule["quartz_cron_expression"], start, start + timedelta(days=days))
    return [f"{at.astimezone(KST):%d %H:%M}" for at in found]


@pytest.mark.parametrize(
    ("job", "times"),
    [
        ("sync_rules", ["05 23:45"]),
        ("silver", ["05 00:00"]),
        ("controls", ["05 00:20"]),
        ("analytics", ["05 00:35"]),
        ("publish", [f"05 {hour:02}:{minute:02}" for hour in range(24) for minute in range(5, 60, 10)]),
        ("guardrail", [f"05 {hour:02}:{minute:02}" for hour in range(24) for minute in range(0, 60, 10)]),
    ],
)
def test_pipelines_start_at_the_agreed_times_of_seoul(job: str, times: list[str]) -> None:
    assert fires_of(job, datetime(2026, 2, 5, tzinfo=KST), 1) == times


def test_retention_runs_once_a_month_away_from_midnight() -> None:
    assert fires_of("retention", datetime(2026, 1, 1, tzinfo=KST), 28 + 31) == ["01 03:30", "01 03:30"]


def test_nothing_else_starts_by_itself() -> None:
    scheduled = {key for key, job in jobs().items() if "schedule" in job}
    assert scheduled == {"sync_rules", "guardrail", "silver", "controls", "analytics", "publish", "retention"}
    assert [key for key, job in jobs().items() if "continuous" in job] == ["stream"]
    assert not any("trigger" in job for job in jobs().values())


def test_controls_and_analytics_wait_for_a_silver_that_takes_longer() -> None:
    """The gate refuses while Silver runs: the attempts reach at least half an hour further."""
    for key in ("controls", "analytics"):
        (task,) = jobs()[key]["tasks"]
        assert task["max_retries"] * task["min_retry_interval_millis"] >= 30 * 60_000


# --- the end-to-end workflow


def test_the_workflow_is_the_agreed_graph_over_the_jobs_themselves() -> None:
    key_of = dict(enumerate(jobs(), start=1))
    workflow = jobs()["end_to_end"]["tasks"]
    assert [key_of[task["run_job_task"]["job_id"]] for task in workflow] == [task["task_key"] for task in workflow]
    edges = {(edge["task_key"], task["task_key"]) for task in workflow for edge in task.get("depends_on", [])}
    assert edges == {
        ("sync_rules", "guardrail"),
        ("guardrail", "silver"),
        ("silver", "controls"),
        ("silver", "analytics"),
    }


def test_the_workflow_hands_its_days_to_every_job_that_takes_days() -> None:
    handed = {name: f"{{{{job.parameters.{name}}}}}" for name in ("date_from", "date_to")}
    for task in jobs()["end_to_end"]["tasks"]:
        takes = {parameter["name"] for parameter in jobs()[task["task_key"]].get("parameters", [])}
        assert task["run_job_task"].get("job_parameters", {}) == (handed if takes else {})
    assert {parameter["name"] for parameter in jobs()["end_to_end"]["parameters"]} == set(handed)


# --- dbt


def test_dbt_tasks_take_project_profile_and_versions_that_are_there() -> None:
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
        "guardrail": "guardrail_completed",
        "silver": "silver_completed",
        "controls": "controls_completed",
        "analytics": "analytics_completed",
    }
    assert set(models) == {"sync_rules", *PIPELINES} == {"sync_rules", *completed}
    for key, name in completed.items():
        assert [other for other, names in models.items() if name in names] == [key]
    together = {
        key: {name for name in models[key] if any(name in models[o] for o in models if o != key)} for key in models
    }
    # a view over silver.dq_status, replaced in one step
    assert set().union(*together.values()) <= {"dq_day_tags"}
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
        parameters = {one["name"] for one in jobs()[key].get("parameters", [])}
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
    from plura.cli.lake_spark import staging
    from plura.kit.kafka import KafkaSettings

    for name, value in environment("stream").items():
        monkeypatch.setenv(name, value)
    spark, lake = SparkSettings(), LakeSettings()
    assert not spark.is_local
    assert lake.project_dir == PROJECT
    work = "/Volumes/plura/bronze/work"
    assert {str(staging(lake)), str(spark.checkpoint_dir), str(lake.data_docs_dir)} == {
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
