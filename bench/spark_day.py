"""One generated day on Spark, by several checkouts of the project in turn: ``python -m bench.spark_day --help``.

Besides seconds it counts Spark's executions and jobs, which do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.lake_commands import Scratch
from bench.lake_day import DAY, SIZES, generate_day
from bench.measuring import measure_tree

_COUNTED = {
    "executions": '{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"',
    "jobs": '{"Event":"SparkListenerJobStart"',
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one command took in a checkout."""

    wall_s: float
    cpu_s: float
    executions: int
    jobs: int


def main() -> None:
    """Measure each checkout as often as wanted, in turn, and print a table of medians."""
    parser = argparse.ArgumentParser(description="Load and run a day on Spark, by several checkouts in turn.")
    parser.add_argument("checkouts", nargs="+", type=Path, help="folders of the project, the base first")
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="3g")
    parser.add_argument("--scratch", type=Path, default=Path("data/bench-spark"))
    wanted = parser.parse_args()
    checkouts = [checkout.resolve() for checkout in wanted.checkouts]
    scratch = wanted.scratch.resolve()
    taken: dict[tuple[Path, str], list[Step]] = {}
    for turn in range(wanted.repeats):
        # who begins takes turns too
        for checkout in checkouts if turn % 2 == 0 else reversed(checkouts):
            place = Scratch(folder=scratch / checkout.name)
            for name, step in _day(place, checkout, wanted.size, wanted.memory).items():
                taken.setdefault((checkout, name), []).append(step)
                print(f"{checkout.name} {name}: {step}", flush=True)
    print("| checkout | step | wall s | processor s | executions | jobs |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for (checkout, name), steps in taken.items():
        seconds = [f"{median(getattr(step, field) for step in steps):.0f}" for field in ("wall_s", "cpu_s")]
        counts = [str(steps[0].executions), str(steps[0].jobs)]
        print(f"| {' | '.join([checkout.name, name, *seconds, *counts])} |")


def _day(scratch: Scratch, checkout: Path, size: str, memory: str) -> dict[str, Step]:
    """Load and run the day once, into a new warehouse."""
    scratch.folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(scratch.spark_warehouse, ignore_errors=True)
    data = generate_day(scratch, size)
    commands = {
        "load": scratch.load_command(data, "--no-validate", "--target", "spark"),
        "run": scratch.run_command("--date", DAY.isoformat(), "--target", "spark"),
    }
    code = os.pathsep.join(str(checkout / folder) for folder in ("plugins", ".", "services"))
    steps = {}
    for name, command in commands.items():
        with scratch.on_spark(memory=memory) as (environment, events):
            own = {"PYTHONPATH": code, "PLURA_PROJECT_DIR": str(checkout)}
            measured = measure_tree(command, environment | own)
            counts = _counts(events)
        steps[name] = Step(wall_s=measured.wall_s, cpu_s=measured.cpu_s, **counts)
    return steps


def _counts(events: Path) -> dict[str, int]:
    """How many events of each kind the event log in a folder holds."""
    counts = dict.fromkeys(_COUNTED, 0)
    for file in events.rglob("events_*"):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                for name, start in _COUNTED.items():
                    counts[name] += line.startswith(start)
    return counts


if __name__ == "__main__":
    main()
