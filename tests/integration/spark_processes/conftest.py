"""Needs of the tests whose Spark sessions are processes of their own."""

from __future__ import annotations

import pytest

from tests.spark import java_is_missing, skip_or_fail


@pytest.fixture(scope="session", autouse=True)
def own_spark_process() -> None:
    """Leave these tests out, or fail under CI, where Spark cannot run."""
    if why := java_is_missing():
        skip_or_fail(why)
