"""What a day costs after a short and after a long history, and a backfill of that history."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench.lake_commands import Run, Scratch
from python_jobs.instants import KST

FIRST_DAY = date(2025, 1, 1)
DAYS = 365
WALLETS = 2_000
ENTRIES_PER_DAY = 5_000

MEASURED_DAYS = (2, 30, DAYS)

_REPEATS = 3


def measure_history(scratch: Scratch) -> dict[str, Any]:
    """Measure the incremental run of some days, and the set-based backfill of all days before the last.

    Each day is run as in daily operation: its deliveries are loaded, then ``plura lake run --watch`` half an hour after
    midnight computes what is due. The median of three runs from the same warehouse stands.
    """
    data = scratch.generate("year", days=DAYS, wallets=WALLETS, entries=ENTRIES_PER_DAY * DAYS, first_day=FIRST_DAY)
    scratch.clear()
    days: dict[str, Any] = {}
    backfill: dict[str, Any] = {}
    done = 0
    for day in MEASURED_DAYS:
        # deliveries up to the night before the day; the one numbered 0 closes the day before the first
        deliveries = _deliveries(scratch, data, range(done, day))
        loads = scratch.load(deliveries)
        filling = scratch.run("--watch", "--as-of", _half_past_midnight_after(day - 1))
        if day == DAYS:
            backfill = {
                "days": day - 1 - MEASURED_DAYS[-2],
                "files": len(list(deliveries.glob("*/*"))),
                "load_s": loads.wall_s,
                "run_s": filling.process.wall_s,
                "model_s": filling.model_s,
                "peak_gib": filling.process.peak_gib,
            }
        scratch.load(_deliveries(scratch, data, range(day, day + 1)))
        scratch.keep("before")
        runs: list[Run] = []
        for _ in range(_REPEATS):
            scratch.restore("before")
            runs.append(scratch.run("--watch", "--as-of", _half_past_midnight_after(day)))
        days[str(day)] = {
            "wall_s": median(run.process.wall_s for run in runs),
            "cpu_s": median(run.process.cpu_s for run in runs),
            "model_s": median(run.model_s for run in runs),
            "peak_gib": max(run.process.peak_gib for run in runs),
            "file_mib": scratch.warehouse.stat().st_size / (1 << 20),
        }
        done = day + 1
    return {"wallets": WALLETS, "entries_per_day": ENTRIES_PER_DAY, "days": days, "backfill": backfill}


def _half_past_midnight_after(day: int) -> str:
    """Half past midnight KST after the ``day``-th day, from 1, as ISO-8601."""
    end = datetime.combine(FIRST_DAY + timedelta(days=day), datetime.min.time(), tzinfo=UTC) - KST
    return (end + timedelta(minutes=30)).isoformat()


def _deliveries(scratch: Scratch, data: Path, numbers: range) -> Path:
    """A folder with links to some deliveries; number 0 closes the day before the first one."""
    folder = scratch.folder / "deliveries"
    shutil.rmtree(folder, ignore_errors=True)
    for number in numbers:
        name = f"{FIRST_DAY + timedelta(days=number - 1)}.jsonl"
        for path in data.glob(f"*/{name}"):
            target = folder / path.parent.name / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())
    return folder
