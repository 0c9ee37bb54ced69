"""A salt that may not be used, or is not the one of its version, stops a run before anything is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from unittest import mock

import duckdb
import pytest

from tests.dbt_runs import PROJECT, dbt_settings
from tests.integration.lines import kst, payment, snapshot
from tests.lakes import Lake

D1, D2 = date(2026, 3, 2), date(2026, 3, 3)
FIRST, SECOND = "salt-of-the-first-day", "salt-of-the-second-day"

Runner = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANON_USER_KEY_SALT", "ANON_USER_KEY_SALT_VERSION", "PLURA_ENV"):
        monkeypatch.delenv(name, raising=False)


def by_command(lake: Lake, day: date) -> list[str]:
    """Run a day as ``plura lake run`` does; what failed."""
    return list(lake.run(day).problems)


def by_dbt(lake: Lake, day: date) -> list[str]:
    """A bare ``dbt build`` in this process; what failed."""
    from dbt.cli.main import dbtRunner

    command = ["build", "--exclude-resource-type", "unit_test", "--log-level", "none", "--no-write-json"]
    command += ["--indirect-selection", "empty", "--vars", f"{{date_from: {day}, as_of: '{lake.now.isoformat()}'}}"]
    with dbt_settings(PROJECT, lake.warehouse):
        result = dbtRunner(manifest=lake.manifest).invoke(command)
    if result.exception is not None:
        return [" ".join(str(result.exception).split())]
    good = {"success", "pass", "no-op"}
    return [f"{node.node.name}: {node.message}" for node in result.result if node.status not in good]


RUNNERS = pytest.mark.parametrize("run", [by_command, by_dbt], ids=["plura", "dbt"])


def lines(day: date, order: str, user: str) -> dict[str, Any]:
    return {
        "payment_orders": [payment(order, "PAID", 10, kst(day, "12:00:00"), user_id=user)],
        "user_wallets": [snapshot(user, 100, kst(day, "00:00:00"))],
    }


def everything(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for the state of the pipelines, in which a failure is recorded."""
    names = lake.sql("select schema_name || '.' || table_name from duckdb_tables() order by 1")
    return {name: lake.sql(f"from {name} order by all") for (name,) in names if name != "gold.pipeline_state"}


def keys(lake: Lake) -> set[tuple[Any, ...]]:
    return set(lake.sql("select date_kst, salt_version, user_key from gold.fact_payment_anonymized"))


@pytest.fixture(scope="module")
def kept(new_lake: Callable[..., Lake]) -> Lake:
    """A day that was run with the first salt, and another day that is loaded."""
    lake = new_lake(checks=False)
    with mock.patch.dict(os.environ, {"ANON_USER_KEY_SALT": FIRST}):
        lake.load(lines(D1, "po_1", "alice"))
        lake.run_clean(D1)
    lake.load(lines(D2, "po_2", "alice"))
    return lake


@pytest.fixture
def ran(kept: Lake, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of it, and the first salt still in the environment."""
    shutil.copy(kept.warehouse, lake.warehouse)
    lake.checks = False
    monkeypatch.setenv("ANON_USER_KEY_SALT", FIRST)
    return lake


@RUNNERS
def test_a_changed_salt_under_its_old_version_stops_the_run_before_anything_is_written(
    ran: Lake, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(ran)
    monkeypatch.setenv("ANON_USER_KEY_SALT", SECOND)
    (problem,) = run(ran, D2)
    assert "The salt is not the one that the keys of version 'v1' were made with" in problem
    assert everything(ran) == before
    assert ran.sql("select distinct status from gold.pipeline_state") == [("failure",)]

    monkeypatch.setenv("ANON_USER_KEY_SALT_VERSION", "v2")
    assert run(ran, D2) == []
    assert {(day, version) for day, version, _ in keys(ran)} == {(D1, "v1"), (D2, "v2")}

    monkeypatch.setenv("ANON_USER_KEY_SALT", FIRST)
    (problem,) = run(ran, D2)
    assert "of version 'v2'" in problem
    monkeypatch.setenv("ANON_USER_KEY_SALT_VERSION", "v1")
    assert run(ran, D2) == []
    assert {version for _, version, _ in keys(ran)} == {"v1"}
    assert len({key for *_, key in keys(ran)}) == 1
    assert ran.sql("select salt_version from gold.pseudonym_salt_version order by 1") == [("v1",), ("v2",)]


def test_the_dummy_has_a_version_of_its_own_and_a_fingerprint_like_others(
    ran: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANON_USER_KEY_SALT")
    ran.run_clean(D2)
    assert {(day, version) for day, version, _ in keys(ran)} == {(D1, "v1"), (D2, "local-v1")}
    monkeypatch.setenv("ANON_USER_KEY_SALT_VERSION", "v1")
    assert "of version 'v1'" in " ".join(by_command(ran, D2))


@RUNNERS
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"PLURA_ENV": "PROD", "ANON_USER_KEY_SALT": FIRST}, "PLURA_ENV is 'PROD': it must be one of local, dev, prod"),
        ({"PLURA_ENV": "", "ANON_USER_KEY_SALT": FIRST}, "PLURA_ENV is '': it must be one of"),
        ({"PLURA_ENV": "prod"}, "the local dummy is refused in production"),
        ({"PLURA_ENV": "prod", "ANON_USER_KEY_SALT": ""}, "the local dummy is refused in production"),
        ({"PLURA_ENV": "prod", "ANON_USER_KEY_SALT": "local-salt-v1"}, "the local dummy is refused in production"),
        ({"PLURA_ENV": "prod", "ANON_USER_KEY_SALT": "  "}, "The salt is blank"),
        ({"ANON_USER_KEY_SALT": "\n"}, "The salt is blank"),
        ({"ANON_USER_KEY_SALT": f"{FIRST}\n"}, "The salt begins or ends with white space"),
        ({"ANON_USER_KEY_SALT": FIRST, "ANON_USER_KEY_SALT_VERSION": ""}, "ANON_USER_KEY_SALT_VERSION is ''"),
    ],
)
def test_what_is_refused_stops_the_run_before_anything_is_written(
    ran: Lake, run: Runner, settings: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(ran)
    monkeypatch.delenv("ANON_USER_KEY_SALT")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (said,) = run(ran, D2)
    assert problem in said
    assert everything(ran) == before


def test_a_wrong_environment_stops_bare_dbt_before_it_makes_a_table(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb.connect(str(lake.warehouse)).close()
    monkeypatch.setenv("PLURA_ENV", "production")
    (problem,) = by_dbt(lake, D1)
    assert "PLURA_ENV is 'production'" in problem
    assert lake.sql("select count(*) from duckdb_tables()") == [(0,)]
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "test", "--select", "pipeline_state"],
        cwd=PROJECT,
        env=os.environ | {"PLURA_DUCKDB_PATH": str(lake.warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "PLURA_ENV is 'production'" in done.stdout


def test_production_runs_with_a_salt_of_its_own(ran: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURA_ENV", "prod")
    ran.run_clean(D2)
    assert {version for _, version, _ in keys(ran)} == {"v1"}


def test_the_salt_is_in_one_table_only(ran: Lake) -> None:
    def holding() -> Iterator[str]:
        for (name,) in ran.sql("select schema_name || '.' || table_name from duckdb_tables() order by 1"):
            if any(FIRST in str(value) for row in ran.sql(f"from {name}") for value in row):
                yield name

    assert list(holding()) == ["gold.int_pseudonym_salt"]
    (fingerprint,) = ran.sql("select fingerprint from gold.pseudonym_salt_version")[0]
    assert fingerprint.startswith("scrypt$32768$8$")


def test_no_key_is_made_with_a_salt_whose_fingerprint_is_not_recorded(ran: Lake) -> None:
    """A run that died between the salt and its fingerprint leaves no key that nobody can account for."""
    fact = ran.manifest.nodes["model.plura.fact_payment_anonymized"]
    assert "model.plura.pseudonym_salt_version" in fact.depends_on.nodes
    outbox = [
        node for name, node in ran.manifest.nodes.items() if name.endswith(("int_control_events", "int_dq_events"))
    ]
    assert all("model.plura.pseudonym_salt_version" in node.depends_on.nodes for node in outbox)
