"""Runs that end in the middle: the process is killed before one of the statements it sends to the warehouse."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.lakes import Lake
from tests.property.histories import Run

DONE, FAILED, BROKEN = 0, 1, 2


def run_killed(lake: Lake, run: Run, before: int | str | None, run_id: str) -> int:
    """Run pipelines in a process of their own that is killed before a statement.

    Named is its number, counted from 0, or a text that no earlier statement contains; None kills nothing, and a number
    beyond the last statement neither. A text of several statements, like the delete and the merge of a merge strategy,
    counts each of them. Returns how many statements the process sent.
    """
    counted, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(counted)
        _run_as_child(lake, run, before, run_id, report)
    os.close(report)
    with os.fdopen(counted, "rb") as sent:
        count = len(sent.read())
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    is_over = before is None or (isinstance(before, int) and count < before)
    assert code in ({DONE, FAILED} if is_over else {-signal.SIGKILL}), f"the run ended with {code}"
    return count


def _run_as_child(lake: Lake, run: Run, before: int | str | None, run_id: str, report: int) -> None:
    """The life of the child: it never returns."""
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    sent = 0
    execute = DuckDBCursorWrapper.execute

    def count_and_execute(cursor: Any, sql: Any, bindings: Any = None) -> Any:
        nonlocal sent
        result = None
        for part in cursor.extract_statements(sql) if bindings is None else [sql]:
            text = part if isinstance(part, str) else part.query
            if sent == before or (isinstance(before, str) and before in text):
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(report, b".")
            sent += 1
            result = execute(cursor, part, bindings)
        return result

    code = BROKEN
    try:
        DuckDBCursorWrapper.execute = count_and_execute
        result = lake.run(run.first, run.last, pipelines=run.pipelines, run_id=run_id, watch=run.watch)
        code = DONE if result.succeeded else FAILED
    finally:
        os._exit(code)
