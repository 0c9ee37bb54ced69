"""A blank variable counts as unset for dbt as well, which reads the environment by itself."""

from __future__ import annotations

from typing import Any

import pytest

from plura.cli import settings_page
from plura.kit.known_settings import BLANK_IS_WRONG
from python_jobs.profile import target_settings
from tests.dbt_runs import PROJECT


def settings_of(target: str, monkeypatch: pytest.MonkeyPatch, value: str | None) -> dict[str, Any]:
    """Settings of a target while all variables of the page have one value, or none of them is set."""
    for name in settings_page.names() - BLANK_IS_WRONG:
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return target_settings(PROJECT, target)


@pytest.mark.parametrize("target", ["duckdb", "spark", "databricks"])
@pytest.mark.parametrize("blank", ["", " \t"])
def test_a_target_is_the_same_with_blank_variables_and_without_any(
    monkeypatch: pytest.MonkeyPatch, target: str, blank: str
) -> None:
    assert settings_of(target, monkeypatch, blank) == settings_of(target, monkeypatch, None)


def test_white_space_around_a_value_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("databricks", monkeypatch, " 7 ")
    assert (settings["host"], settings["threads"], settings["catalog"]) == ("7", 7, "7")
