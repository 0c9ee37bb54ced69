"""``plura tx backfill`` of two files, beside its parts alone: starting, reading events, and COPY into the tables."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.measuring import Measured, measure
from bench.tx_events import ledger_event, order_event
from bench.tx_stage import PLURA, Stage
from plura.kit.kafka_consumer.messages import Message
from plura.tx.consumer.batches import Batch, prepare
from plura.tx.consumer.contract import KINDS
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.messages import BACKFILL_TOPICS
from plura.tx.consumer.profiles import read_profile

LEDGER_EVENTS = 50_000
ORDER_EVENTS = 20_000
_BATCH = 2_000
"""Events of a transaction, as the command has it by default."""


def measure_backfill(stage: Stage, *, scale: float, repeats: int) -> dict[str, Any]:
    """Measure the command on empty tables, from the start of its process to its end; medians stand."""
    ledger = _write(stage.folder / "ledger.jsonl", [ledger_event(n) for n in range(int(LEDGER_EVENTS * scale))])
    orders = _write(stage.folder / "orders.jsonl", [order_event(n) for n in range(int(ORDER_EVENTS * scale))])
    nothing = _write(stage.folder / "nothing.jsonl", [])
    runs: list[Measured] = []
    starts: list[float] = []
    copies: list[float] = []
    reads: list[float] = []
    for _ in range(repeats):
        starts.append(_backfill(stage, nothing, nothing)[0].wall_s)
        run, counts = _backfill(stage, ledger, orders)
        if counts != (int(LEDGER_EVENTS * scale), int(ORDER_EVENTS * scale), int(ORDER_EVENTS * scale)):
            raise AssertionError(f"{counts} rows of entries, orders and pairs")
        runs.append(run)
        read_s, batches = _read(ledger, orders)
        reads.append(read_s)
        copies.append(_copy(stage, batches))
    return {
        "events": int(LEDGER_EVENTS * scale) + int(ORDER_EVENTS * scale),
        "repeats": repeats,
        "wall_s": median(run.wall_s for run in runs),
        "cpu_s": median(run.cpu_s for run in runs),
        "peak_gib": max(run.peak_gib for run in runs),
        "start_s": median(starts),
        "read_s": median(reads),
        "copy_s": median(copies),
    }


def _write(file: Path, lines: list[bytes]) -> Path:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def _backfill(stage: Stage, ledger: Path, orders: Path) -> tuple[Measured, tuple[int, int, int]]:
    database = stage.fresh_database()
    files = ["--ledger-file", str(ledger), "--payment-order-file", str(orders)]
    run = measure([PLURA, "tx", "backfill", *files], stage.environment(database))
    counts = (
        stage.count(database, "ledger_entries"),
        stage.count(database, "payment_orders"),
        stage.count(database, "payment_ledger_pairs"),
    )
    stage.drop(database)
    return run, counts


def _read(ledger: Path, orders: Path) -> tuple[float, list[Batch]]:
    """Read the files as the command does, without writing anything; return the seconds too."""
    reader = EventReader(read_profile("canonical-v1"))
    batches: list[Batch] = []
    started = time.perf_counter()
    for kind, file in (("ledger", ledger), ("payment_order", orders)):
        topic, digest = BACKFILL_TOPICS[kind], bytes(32)
        with file.open("rb") as lines:
            messages = [
                Message(topic, line.strip(), file_digest=digest, line=number) for number, line in enumerate(lines)
            ]
        batches += [prepare(reader, messages[at : at + _BATCH]) for at in range(0, len(messages), _BATCH)]
    return time.perf_counter() - started, batches


def _copy(stage: Stage, batches: list[Batch]) -> float:
    """Put rows that are ready into the tables with their keys and indexes, and return the seconds.

    Nothing is compared with what stands, and no pair is computed: what any writer of such rows needs at least.
    """
    database = stage.fresh_database()
    with stage.connect(database) as connection:
        started = time.perf_counter()
        for batch in batches:
            ((kind, rows),) = batch.rows.items()
            columns = ", ".join([*KINDS[kind].columns, "row_digest"])
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy(f"copy bo.{KINDS[kind].table} ({columns}) from stdin".encode()) as copy,
            ):
                copy.write("".join(f"{row.line}\t\\\\x{row.order[-1].hex()}\n" for row in rows.values()))
        seconds = time.perf_counter() - started
    stage.drop(database)
    return seconds
