"""Work in a process of its own, for resources that only the end of a process frees."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from python_jobs.errors import PluraError
from python_jobs.warehouse import LakeError

Result = TypeVar("Result")


def in_own_process(work: Callable[..., Result], *arguments: Any) -> Result:
    """Call ``work`` in a new process and return its result after the process has ended.

    Args:
        work: a function of a module; it, its arguments and its result are pickled.
        arguments: what it is called with.

    Raises:
        PluraError: the one that ``work`` raised, or the process was killed.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(sending, work, arguments))
    process.start()
    sending.close()
    try:
        outcome: Result | PluraError = receiving.recv()
    except EOFError:
        process.join()
        raise LakeError(f"the worker process was killed (exit code {process.exitcode})") from None
    finally:
        receiving.close()
        process.join()
    if isinstance(outcome, PluraError):
        raise outcome
    return outcome


def _do(sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sending.send(work(*arguments))
    except PluraError as error:
        sending.send(error)
    except KeyboardInterrupt:
        pass  # the waiting process was interrupted as well and reports it
