"""The commands of the lake as a user gives them, measured, on a scratch warehouse."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bench.measuring import Measured, measure
from python_jobs.pipeline_names import PIPELINES

PLURA = str(Path(sys.executable).with_name("plura"))

_TAGS = {tag: name for name, tag in PIPELINES.items()} | {"shared": "shared"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A measured ``plura lake run``.

    ``models`` are dbt's seconds per node, added up by pipeline; ``shared`` are the rules, views over Bronze and state
    tables that every pipeline brings up to date. ``tests`` are those of data tests, ``other`` of seeds and snapshots.
    """

    process: Measured
    models: dict[str, float]
    tests: float
    other: float
    nodes: int

    @property
    def model_s(self) -> float:
        """Model time: dbt's seconds of all models."""
        return sum(self.models.values())


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A folder for data, warehouses and dbt's artifacts of the benchmark.

    All commands work on one file name, because dbt parses the project anew when the name changes.
    """

    folder: Path

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that the commands work on."""
        return self.folder / "plura.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the commands."""
        return {
            "PLURA_DUCKDB_PATH": str(self.warehouse),
            "PLURA_DATA_DOCS_DIR": str(self.folder / "data_docs"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }

    def clear(self) -> None:
        """Begin with no warehouse."""
        for path in self.folder.glob("plura.duckdb*"):
            path.unlink() if path.is_file() else shutil.rmtree(path)

    def keep(self, name: str) -> None:
        """Put a copy of the warehouse aside."""
        shutil.copyfile(self.warehouse, self.folder / f"{name}.duckdb")

    def restore(self, name: str) -> None:
        """Go back to a copy that was put aside."""
        self.clear()
        shutil.copyfile(self.folder / f"{name}.duckdb", self.warehouse)

    def generate(self, name: str, *, days: int, wallets: int, entries: int, first_day: date) -> Path:
        """Generate clean data, unless they are there, and return their folder."""
        out = self.folder / name
        if not (out / "truth.json").exists():
            shutil.rmtree(out, ignore_errors=True)
            sizes = ["--days", str(days), "--wallets", str(wallets), "--entries", str(entries)]
            start = ["--first-day", first_day.isoformat(), "--seed", "7"]
            measure([PLURA, "lake", "generate", "--out", str(out), *sizes, *start], self.environment)
        return out

    @property
    def spark_warehouse(self) -> Path:
        """Folder of the tables and the catalog on Spark."""
        return self.folder / "spark"

    @contextmanager
    def on_spark(self, *, memory: str) -> Iterator[tuple[dict[str, str], Path]]:
        """Give the environment of commands on Spark, and the folder that their sessions write event logs into."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            events = Path(name)
            (events / "spark-defaults.conf").write_text(
                f"spark.eventLog.enabled true\nspark.eventLog.compress false\nspark.eventLog.dir {events.as_uri()}\n",
                encoding="utf-8",
            )
            settings = {
                "SPARK_CONF_DIR": name,
                "PLURA_SPARK_WAREHOUSE": str(self.spark_warehouse),
                "PLURA_SPARK_MEMORY": memory,
            }
            yield self.environment | settings, events

    def load_command(self, data: Path, *options: str) -> list[str]:
        """Command that loads a folder."""
        return [PLURA, "lake", "load", str(data), *options]

    def run_command(self, *options: str) -> list[str]:
        """Command that runs pipelines."""
        return [PLURA, "lake", "run", *options]

    def load(self, data: Path, *, validate: bool = False) -> Measured:
        """Load a folder."""
        return measure(self.load_command(data, "--validate" if validate else "--no-validate"), self.environment)

    def run(self, *options: str) -> Run:
        """Run pipelines and read what dbt says about its nodes."""
        return self.read_run(measure(self.run_command(*options), self.environment))

    def read_run(self, process: Measured) -> Run:
        """Read what dbt says about the nodes of the last run."""
        nodes = _read(self.folder / "target" / "manifest.json")["nodes"]
        results = _read(self.folder / "target" / "run_results.json")["results"]
        models = dict.fromkeys([*PIPELINES, "shared"], 0.0)
        tests = other = 0.0
        for result in results:
            kind = result["unique_id"].split(".", 1)[0]
            if kind == "model":
                tags = nodes[result["unique_id"]]["tags"]
                models[_TAGS["shared" if "shared" in tags else tags[0]]] += result["execution_time"]
            elif kind == "test":
                tests += result["execution_time"]
            else:
                other += result["execution_time"]
        return Run(process=process, models=models, tests=tests, other=other, nodes=len(results))


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
