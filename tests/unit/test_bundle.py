"""databricks.yml against the schema of the bundles, what every job needs, and the agreed times and order."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import pytest
from databricks.bundles.jobs import Job
from databricks.bundles.secret_scopes._models.secret_scope import SecretScope

from tests.bundle import (
    FOLDER,
    GIVEN,
    REFERENCE,
    bundle,
    jobs,
    read,
    tasks,
    values,
)
from tests.dbt_runs import PROJECT

if TYPE_CHECKING:
    from databricks.bundles.jobs import JobDict

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
    without = {name for name, variable in declared["variables"].items() if "default" not in variable}
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
    ours, theirs = (bundle(target)["target"]["variables"] for target in TARGETS)
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
    minutes = (first + timedelta(minutes=minute) for minute in range(int((last - first) / timedelta(minutes=1))))
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
