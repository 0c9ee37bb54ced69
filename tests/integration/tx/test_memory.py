"""How much memory the commands take when events are large."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands import COMMAND, Plura
from tests.dbt_runs import PROJECT
from tests.transactions.oracle import LEDGER_TOPIC
from tests.transactions.stage import Stage, entry, until

LARGE = 900_000
MIB = 1 << 20


def large(number: int, size: int = LARGE) -> bytes:
    """A good event with a field that nobody reads."""
    return entry(number, note="x" * size)[1]


def peak(process: subprocess.Popen[str]) -> int:
    """Most bytes that a process had in memory so far."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def stored(stage: Stage) -> int:
    ((count,),) = stage.database.sql("select count(*) from bo.ledger_entries")
    return int(count)


def put_aside(stage: Stage) -> int:
    ((count,),) = stage.database.sql("select count(*) from bo.consumer_dlq_events")
    return int(count)


def send(stage: Stage, payloads: list[bytes], **settings: Any) -> None:
    producer = stage.broker.producer(max_request_size=64 * MIB, **settings)
    for number, payload in enumerate(payloads):
        producer.send(stage.ledger, payload, partition=number % 2)
    producer.flush()
    producer.close()


@pytest.mark.parametrize("codec", [None, "gzip", "zstd"])
def test_large_events_do_not_fill_the_memory(stage: Stage, codec: str | None) -> None:
    send(stage, [large(number) for number in range(600)], compression_type=codec)
    process = stage.start()
    until(lambda: stored(stage) == 600)
    assert peak(process) < 350 * MIB
    process.terminate()
    assert stage.ended(process)[0] == 0


def test_large_keys_and_headers_count_as_well(stage: Stage) -> None:
    producer = stage.broker.producer(compression_type="gzip")
    for number in range(600):
        payload = entry(number)[1]
        wide = b"x" * LARGE
        if number % 2:
            producer.send(stage.ledger, payload, key=wide, partition=0)
        else:
            producer.send(stage.ledger, payload, headers=[("h", wide)], partition=1)
    producer.flush()
    producer.close()
    process = stage.start()
    until(lambda: stored(stage) == 600)
    assert peak(process) < 350 * MIB


def test_large_bad_events_do_not_fill_the_memory(stage: Stage) -> None:
    send(stage, [b'{"bad": "' + b"x" * LARGE for _ in range(300)])
    process = stage.start()
    until(lambda: put_aside(stage) == 300)
    assert peak(process) < 450 * MIB


def test_large_events_wait_outside_while_the_database_is_away(stage: Stage) -> None:
    process = stage.start()
    until(lambda: stage.status("/readyz")[0] == 200)
    stage.database.server.stop("immediate")
    try:
        send(stage, [large(number) for number in range(400)])
        until(lambda: json.loads(stage.status("/readyz")[1] or "{}").get("database") is False)
        until(lambda: stage.status("/healthz")[0] == 200)
    finally:
        stage.database.server.start()
    until(lambda: stored(stage) == 400)
    assert peak(process) < 350 * MIB


def test_an_event_larger_than_a_batch_is_stored_alone(stage: Stage) -> None:
    stage.ledger = stage.broker.create_topic(partitions=2, max_message_bytes=str(40 * MIB))
    events = [large(0), large(1, 20 * MIB), large(2), large(3, 10 * MIB)]
    send(stage, events)
    stage.start(PLURA_LEDGER_TOPIC=stage.ledger, PLURA_CONSUMER_BATCH_BYTES=str(2 * MIB))
    stage.wait_for(*((LEDGER_TOPIC, payload) for payload in events))


def test_large_events_are_stored_within_a_limit_of_memory(stage: Stage) -> None:
    send(stage, [large(number) for number in range(1200)])
    within_limit = ["/bin/bash", "-c", f'ulimit -v {700_000_000 // 1024}; exec "$@"', "bash"]
    with (stage.work / "limited.err").open("w") as err:
        process = subprocess.Popen(
            [*within_limit, *COMMAND, "tx", "consume"], env=stage.plura.environment, cwd=PROJECT, stderr=err, text=True
        )
    stage.processes.append(process)
    until(lambda: stored(stage) == 1200 or process.poll() is not None)
    assert process.poll() is None, (stage.work / "limited.err").read_text()[-500:]


def measured(plura: Plura, *arguments: str | Path) -> tuple[int, int, str]:
    """Run a command; return its exit code, the most memory it had, and what it said on stderr."""
    script = (
        "import resource, subprocess, sys; "
        "code = subprocess.run(sys.argv[1:]).returncode; "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024); sys.exit(code)"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", script, *COMMAND, *map(str, arguments)],
        env=plura.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, int(done.stdout.splitlines()[-1]), done.stderr


def test_backfill_of_large_lines_takes_little_memory(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with file.open("wb") as lines:
        for number in range(600):
            lines.write(large(number) + b"\n")
    code, bytes_used, err = measured(stage.plura, "tx", "backfill", "--ledger-file", file)
    assert code == 0, err
    assert stored(stage) == 600
    assert bytes_used < 350 * MIB


@pytest.mark.parametrize("into", ["tables", "kafka"])
def test_replay_of_large_events_takes_little_memory(stage: Stage, into: str) -> None:
    stage.database.sql("alter table bo.ledger_entries add constraint poison check (wallet_id like 'x%')")
    file = stage.work / "ledger.jsonl"
    with file.open("wb") as lines:
        for number in range(500):
            lines.write(large(number) + b"\n")
    outcome = stage.plura("tx", "backfill", "--ledger-file", file)
    assert "500 events are bad" in outcome.err
    assert put_aside(stage) == 500
    stage.database.sql("alter table bo.ledger_entries drop constraint poison")
    code, bytes_used, err = measured(stage.plura, "tx", "replay-dlq", "--into", into)
    assert code == 0, err
    assert bytes_used < 350 * MIB
    if into == "tables":
        assert stored(stage) == 500
