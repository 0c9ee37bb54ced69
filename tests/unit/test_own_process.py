"""Work in a process of its own: what it gives, what it raises, and its death. No sockets."""

from __future__ import annotations

import os
import signal

import pytest

from plura.cli.own_process import in_own_process
from python_jobs.publish import PassReport, PublisherRejectedError
from python_jobs.warehouse import LakeError


def told(delivered: int) -> tuple[int, PassReport]:
    return os.getpid(), PassReport(delivered=delivered)


def refused(error: Exception) -> None:
    raise error


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_result_comes_from_another_process() -> None:
    process, report = in_own_process(told, 3)
    assert process != os.getpid()
    assert report == PassReport(delivered=3)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_errors_of_the_lake_keep_their_kind_and_a_killed_process_is_reported() -> None:
    with pytest.raises(LakeError, match="busy with process 1"):
        in_own_process(refused, LakeError("busy with process 1"))
    with pytest.raises(PublisherRejectedError, match="HTTP 401"):
        in_own_process(refused, PublisherRejectedError("HTTP 401"))
    with pytest.raises(LakeError, match=r"was killed \(exit code -9\)"):
        in_own_process(killed)
