"""Two commands at once on one warehouse: the second refuses or waits, and never writes between the other's lines."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbt.cli.main import dbtRunner

from python_jobs.warehouse import open_duckdb
from tests.commands import Outcome, Plura, held
from tests.dbt_runs import PROJECT, dbt_settings
from tests.loads import GOOD, Bronze, write

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@pytest.fixture
def plura(tmp_path: Path) -> Plura:
    """The command with a warehouse that holds one order, and a folder ``more`` with another one."""
    command = Plura(work=tmp_path, settings={})
    write(tmp_path / "in" / "orders.jsonl", [GOOD["orders"]])
    write(tmp_path / "more" / "orders.jsonl", [GOOD["orders"] | {"order_id": 2}])
    assert command("lake", "load", tmp_path / "in", "--no-validate").code == 0
    return command


def orders(plura: Plura) -> int:
    (count,) = Bronze(work=plura.work).sql("select count(*) from bronze.orders_raw")[0]
    return int(count)


@pytest.mark.parametrize(
    "command",
    [["load", "more", "--no-validate"], ["run"], ["withdraw", "a", "--reason", "x"], ["retention", "--apply"]],
    ids=lambda command: str(command[0]),
)
def test_a_writing_command_refuses_while_another_one_holds_the_warehouse(plura: Plura, command: list[str]) -> None:
    arguments = [str(plura.work / word) if word == "more" else word for word in command]
    with held(plura.warehouse, "lock") as holder:
        outcome = plura("lake", *arguments)
        assert outcome.code == 1
        busy = f"the warehouse {plura.warehouse} is busy with process {holder.pid}"
        assert outcome.error == f"{busy}: try again later, or pass --wait SECONDS"
    assert orders(plura) == 1


@pytest.mark.parametrize(
    "command",
    [["load", "more", "--no-validate"], ["run"], ["report"], ["batches"]],
    ids=lambda command: str(command[0]),
)
def test_a_program_without_our_lock_is_named_with_its_process(plura: Plura, command: list[str]) -> None:
    arguments = [str(plura.work / word) if word == "more" else word for word in command]
    with held(plura.warehouse, "open") as holder:
        outcome = plura("lake", *arguments)
        assert outcome.code == 1
        assert outcome.error == (
            f"the warehouse {plura.warehouse} is in use by another program (process {holder.pid}): close it, or pass"
            " --wait SECONDS"
        )
    assert orders(plura) == 1


@pytest.mark.parametrize("how", ["lock", "open"])
def test_with_wait_the_second_command_begins_when_the_first_has_ended(plura: Plura, how: str) -> None:
    with held(plura.warehouse, how) as holder:
        assert holder.stdin is not None
        began = time.monotonic()
        early = plura("lake", "load", plura.work / "more", "--no-validate", "--wait", "0.5")
        assert early.code == 1
        assert time.monotonic() - began >= 0.5
        threading.Timer(0.7, holder.stdin.write, ["\n"]).start()
        threading.Timer(0.8, holder.stdin.flush).start()
        outcome = plura("lake", "load", plura.work / "more", "--no-validate", "--wait", "60")
    assert (outcome.code, outcome.err) == (0, "")
    assert orders(plura) == 2


def test_the_lock_of_a_killed_command_is_gone_with_it(plura: Plura) -> None:
    with held(plura.warehouse, "lock") as holder:
        holder.kill()
        holder.wait()
        assert plura("lake", "load", plura.work / "more", "--no-validate").code == 0


def test_loads_at_the_same_moment_come_one_after_the_other(plura: Plura) -> None:
    """Four processes load four folders; the registry numbers them without a gap and no line is lost or doubled."""
    names = [f"together-{number}" for number in range(4)]
    for number, name in enumerate(names):
        write(plura.work / name / "orders.jsonl", [GOOD["orders"] | {"order_id": number, "n": n} for n in range(500)])
    started = [plura.start("lake", "load", plura.work / name, "--no-validate", "--wait", "60") for name in names]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 4
    bronze = Bronze(work=plura.work)
    assert bronze.sql("select batch_seq from bronze.load_registry order by 1") == [(1,), (2,), (3,), (4,), (5,)]
    assert orders(plura) == 1 + 4 * 500
    assert bronze.sql("select count(distinct ingest_seq) from bronze.orders_raw") == [(1 + 4 * 500,)]


def test_readers_do_not_shut_each_other_out(plura: Plura) -> None:
    with open_duckdb(plura.warehouse, read_only=True) as connection:
        reading = plura.process("lake", "batches")
        assert (reading.code, reading.err) == (0, "")
        assert connection.execute("select count(*) from bronze.orders_raw").fetchall() == [(1,)]


def build(manifest: Manifest, plura: Plura, watch: Callable[[Any], None] | None = None) -> Any:
    """A bare ``dbt build`` of the part that all pipelines share."""
    with dbt_settings(PROJECT, plura.warehouse):
        runner = dbtRunner(manifest=manifest, callbacks=[watch] if watch else [])
        outside = ["--target-path", str(plura.work / "target"), "--log-path", str(plura.work / "logs")]
        profile = ["--profiles-dir", str(PROJECT / "profiles"), "--log-level", "none"]
        return runner.invoke(["build", "--select", "tag:shared", "--resource-type", "seed", *profile, *outside])


def test_a_bare_dbt_build_fails_while_another_program_holds_the_warehouse(plura: Plura, manifest: Manifest) -> None:
    with held(plura.warehouse, "open") as holder:
        result = build(manifest, plura)
    assert not result.success
    assert f"PID {holder.pid}" in str(result.exception or [outcome.message for outcome in result.result])


def test_a_load_during_a_bare_dbt_build_refuses_or_waits_for_its_end(plura: Plura, manifest: Manifest) -> None:
    refused: list[Outcome] = []
    waiting: list[subprocess.Popen[str]] = []

    def watch(event: Any) -> None:
        """After the first seed: one load that gives up, one that waits."""
        if event.info.name == "LogSeedResult" and not waiting:
            refused.append(plura.process("lake", "load", plura.work / "more", "--no-validate"))
            waiting.append(plura.start("lake", "load", plura.work / "more", "--no-validate", "--wait", "60"))

    assert build(manifest, plura, watch).success
    (outcome,) = refused
    assert outcome.code == 1
    assert f"{plura.warehouse} is in use by another program (process {os.getpid()})" in outcome.error
    (process,) = waiting
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert orders(plura) == 2
