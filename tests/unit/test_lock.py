"""Locking the requirements: which platforms they are solved for, and how the latest versions are taken."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.markers import Marker

from tests.dbt_runs import PROJECT


def environments() -> list[Marker]:
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return [Marker(text) for text in document["tool"]["uv"]["environments"]]


@pytest.mark.parametrize(
    ("platform", "python", "wanted"),
    [
        ("linux", "3.11", True),
        ("linux", "3.13", True),
        ("darwin", "3.12", True),
        ("linux", "3.14", False),
        ("emscripten", "3.11", False),
        ("win32", "3.12", False),
    ],
)
def test_requirements_are_solved_for_the_platforms_that_plura_runs_on(platform: str, python: str, wanted: bool) -> None:
    """A platform for which one package has no wheel leaves no solution for any."""
    given = {"sys_platform": platform, "python_version": python, "python_full_version": f"{python}.0"}
    assert any(marker.evaluate(given) for marker in environments()) is wanted


def test_make_lock_hands_its_arguments_on() -> None:
    """``make lock ARGS=--upgrade`` takes the latest versions."""
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    recipe = text[text.index("\nlock:") :].split("\n\n", 1)[0]
    assert re.search(r"uv pip compile .*\$\(ARGS\) requirements/\$\$name\.in", recipe.replace("\\\n", " "))
