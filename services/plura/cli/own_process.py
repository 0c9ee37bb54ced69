"""Work in a process of its own, for what only the end of a process gives back."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from python_jobs.warehouse import LakeError

Result = TypeVar("Result")


def in_own_process(work: Callable[..., Result], *arguments: Any) -> Result:
    """Return what ``work`` gives in a new process, once that has ended.

    Args:
        work: a function of a module; it, its arguments and its result are pickled.
        arguments: what it is called with.

    Raises:
        LakeError: the one that ``work`` raised, or the process was killed.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(sending, work, arguments))
    process.start()
    sending.close()
    try:
        outcome: Result | LakeError = receiving.recv()
    except EOFError:
        process.join()
        raise LakeError(f"the process at work was ended (exit code {process.exitcode})") from None
    finally:
        receiving.close()
        process.join()
    if isinstance(outcome, LakeError):
        raise outcome
    return outcome


def _do(sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sending.send(work(*arguments))
    except LakeError as error:
        sending.send(error)
    except KeyboardInterrupt:
        pass  # the process that waits for us was interrupted as well, and says so
