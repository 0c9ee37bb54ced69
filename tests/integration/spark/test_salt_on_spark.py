"""A salt that is not the one of its version stops a run on Spark before its first node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.test_salt import D1, FIRST, SECOND, lines
from tests.spark import Twins

pytestmark = pytest.mark.timeout(900)


def table(twins: Twins, name: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in twins.session.table(name).collect())


def test_a_changed_salt_stops_the_run_and_a_new_version_lets_it_pass(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that all pipelines share, which makes the salt known."""
    twins.lake.load(lines(D1, "po_1", "alice"))
    twins.bring_bronze()
    monkeypatch.setenv("ANON_USER_KEY_SALT", FIRST)
    assert twins.run_on_spark(pipelines=(), run_id="first").problems == ()
    before = table(twins, "gold.int_pseudonym_salt"), table(twins, "gold.pseudonym_salt_version")

    monkeypatch.setenv("ANON_USER_KEY_SALT", SECOND)
    (problem,) = twins.run_on_spark(pipelines=(), run_id="second").problems
    assert "The salt is not the one that the keys of version 'v1' were made with" in problem
    monkeypatch.setenv("ANON_USER_KEY_SALT", f"{FIRST}\n")
    (problem,) = twins.run_on_spark(pipelines=(), run_id="third").problems
    assert "The salt begins or ends with white space" in problem
    monkeypatch.setenv("PLURA_ENV", "PROD")
    (problem,) = twins.run_on_spark(pipelines=(), run_id="fourth").problems
    assert "PLURA_ENV is 'PROD'" in problem
    monkeypatch.delenv("PLURA_ENV")
    assert (table(twins, "gold.int_pseudonym_salt"), table(twins, "gold.pseudonym_salt_version")) == before

    monkeypatch.setenv("ANON_USER_KEY_SALT", SECOND)
    monkeypatch.setenv("ANON_USER_KEY_SALT_VERSION", "v2")
    assert twins.run_on_spark(pipelines=(), run_id="fifth").problems == ()
    assert [row[0] for row in table(twins, "gold.pseudonym_salt_version")] == ["v1", "v2"]
    assert [row[:2] for row in table(twins, "gold.int_pseudonym_salt")] == [(SECOND, "v2")]
