"""Runs ``plura`` in tests as a user does, in this process or in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from plura.cli.main import main
from tests.dbt_runs import PROJECT

COMMAND = (sys.executable, "-m", "plura.cli.main")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only line of stderr."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line.removeprefix("error: ")


@dataclass(kw_only=True)
class Plura:
    """The command with a warehouse and Data Docs below ``work``; ``settings`` are further environment variables."""

    work: Path
    settings: dict[str, str]

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return Path(self.environment["PLURA_DUCKDB_PATH"])

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the command."""
        ours = {
            "PLURA_DUCKDB_PATH": str(self.work / "plura.duckdb"),
            "PLURA_DATA_DOCS_DIR": str(self.work / "docs"),
            "NO_COLOR": "1",
        }
        return (
            {name: value for name, value in os.environ.items() if not name.startswith("PLURA_")} | ours | self.settings
        )

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run a command in this process, which saves its start."""
        out, err = StringIO(), StringIO()
        words = ["plura", *map(str, arguments)]
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.dict(os.environ, self.environment, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return Outcome(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str | Path, before: Callable[[], Any] | None = None) -> Outcome:
        """Run a command in a process of its own; ``before`` is called in it first."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            preexec_fn=before,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process of its own, which Ctrl-C ends even if the tests run in the background."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=self.environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
        )


@contextmanager
def held(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the warehouse: ``lock`` as our commands do, ``open`` as a DuckDB shell does.

    The process lets go when something is written to its stdin, and at the end of the block.
    """
    code = {
        "lock": "from pathlib import Path; from python_jobs.warehouse import warehouse_lock\n"
        "with warehouse_lock(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.readline()",
        "open": "import duckdb\nwith duckdb.connect(sys.argv[1]):\n    print('held', flush=True); sys.stdin.readline()",
    }[how]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{code}", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
