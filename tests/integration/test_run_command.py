"""``plura lake run``: exit codes, one line per problem, and an interrupt."""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from python_jobs import pipelines
from python_jobs.report import Reader, run_summary
from python_jobs.warehouse import LakeError, warehouse_lock
from tests.commands import Outcome, Plura
from tests.loads import GOOD, Bronze, write

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

D1 = "2026-02-01"
INTERRUPTED_AFTER = 5
INTERRUPTED = "error: interrupted: nothing is half-written, the next run continues from what was finished\n"


@pytest.fixture
def plura(tmp_path: Path) -> Plura:
    """The command with a warehouse that holds one good entry and one wallet."""
    command = Plura(work=tmp_path, settings={})
    write(tmp_path / "good" / "transaction_ledger.jsonl", [GOOD["transaction_ledger"]])
    write(tmp_path / "good" / "user_wallets.jsonl", [GOOD["user_wallets"]])
    assert command("lake", "load", tmp_path / "good", "--no-validate").code == 0
    return command


def test_a_stopped_run_reports_each_problem_in_a_line_and_succeeds_once_the_batch_is_withdrawn(
    plura: Plura, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: manifest)  # parsed once for all tests
    write(plura.work / "bad" / "transaction_ledger.jsonl", [GOOD["transaction_ledger"] | {"type": "GIFT"}])
    write(plura.work / "bad" / "user_wallets.jsonl", [GOOD["user_wallets"] | {"balance": -1}])
    assert plura("lake", "load", plura.work / "bad", "--no-validate").code == 0
    stopped = plura("lake", "run", "--date", D1, "--run-id", "first")
    assert stopped.code == 1
    gates = [line.split(" pending rows ")[0] for line in stopped.err.splitlines()]
    assert gates == [
        "error: bad-rate gate: silver.ledger_entries has 1 bad of 2",
        "error: bad-rate gate: silver.wallet_snapshot has 1 bad of 2",
    ]
    line, *written = stopped.out.splitlines()
    assert line.startswith("run first of guardrail, silver, controls, analytics failed in ")
    assert written == [
        f"guardrail: 1 day computed, {D1}",
        "exceptions opened: 2 CONTRACT_VIOLATION on 1 day",
        "exceptions opened: 2 DUP_SUSPECTED on 1 day",
        "exceptions opened: 1 EVENT_DROP_SUSPECTED on 1 day",
        "failed: silver, controls, analytics (whether days are due there is not known)",
    ]
    for row in plura("lake", "batches").out.splitlines()[-2:]:
        assert plura("lake", "withdraw", row.split()[0], "--reason", "broken extract").code == 0
    done = plura("lake", "run", "--date", D1, "--pipeline", "silver, controls")
    assert (done.code, done.err) == (0, "")
    first, *written, last = done.out.splitlines()
    assert " of silver, controls succeeded in " in first
    assert written == [f"controls: 1 day computed, {D1}"]
    assert last == "next: plura lake report"
    assert f"Controls of {D1}" in plura("lake", "report").out


def test_only_a_run_that_watches_finds_that_old_files_have_ended(
    plura: Plura, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day of the lines is done; a week later nothing has come."""
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: manifest)
    assert plura("lake", "run", "--date", D1).code == 0
    guardrail = ("lake", "run", "--pipeline", "guardrail", "--as-of", "2026-02-08T00:00:00Z")
    assert "nothing was due: no day computed, no exception opened\n" in plura(*guardrail).out
    watched = plura(*guardrail, "--watch").out
    assert "guardrail: 6 days computed, 2026-02-02 to 2026-02-07\n" in watched
    assert "SOURCE_STALE" in watched
    assert "nothing was due: no day computed, no exception opened\n" in plura(*guardrail).out


def test_a_backfill_watches_nothing(plura: Plura) -> None:
    refused = plura("lake", "run", "--date", D1, "--watch")
    assert refused.code == 2
    assert "not together with --date" in refused.err


def test_a_run_is_summed_up_before_the_next_command_gets_the_warehouse(
    plura: Plura, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: manifest)
    refused = []

    def read_while_another_knocks(reader: Reader, run_id: str) -> list[str]:
        with pytest.raises(LakeError, match="is busy") as told, warehouse_lock(plura.warehouse):
            pass
        refused.append(told.value)
        return run_summary(reader, run_id)

    with mock.patch("python_jobs.report.run_summary", read_while_another_knocks):
        done = plura("lake", "run", "--date", D1, "--pipeline", "silver")
    assert (done.code, len(refused)) == (0, 1), done
    assert "nothing was due" in done.out


def test_an_interrupt_ends_the_run_with_one_line_and_the_next_run_continues(
    plura: Plura, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the fifth node; dbt would make a failed run without a reason of it."""
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: manifest)
    nodes: list[str] = []

    def interrupt(done: int, _total: int, node: str) -> None:
        if done == INTERRUPTED_AFTER and not nodes:
            nodes.append(node)
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("plura.cli.lake.progress_bar", lambda *_, **__: nullcontext(interrupt))
        outcome = plura("lake", "run", "--date", D1, "--pipeline", "silver")
    assert outcome == Outcome(130, "", INTERRUPTED)
    assert plura("lake", "run", "--date", D1, "--pipeline", "silver").code == 0


def test_an_interrupt_ends_a_load_with_one_line_and_nothing_of_its_file(plura: Plura) -> None:
    lines = [GOOD["orders"] | {"order_id": number, "note": "x" * 1_000} for number in range(60_000)]
    write(plura.work / "large" / "orders.jsonl", lines)
    process = plura.start("lake", "load", plura.work / "large", "--no-validate")
    lock = plura.warehouse.with_name("plura.duckdb.lock")
    while str(process.pid) not in lock.read_text(encoding="utf-8"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", INTERRUPTED)
    assert process.returncode == 130
    assert Bronze(work=plura.work).sql("select count(*) from bronze.orders_raw") == [(0,)]
