"""macros/README.md names what this project overrides of dbt, and what the engines write differently."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MACROS = PROJECT / "macros"
PAGE = (MACROS / "README.md").read_text(encoding="utf-8")
ENGINES = ("duckdb", "spark", "sparksession", "databricks")
DISPATCH = re.compile(r"adapter\.dispatch\('(\w+)', 'plura'\)")


def section(heading: str) -> str:
    """Table of a section of the page."""
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def named_first(table: str) -> set[str]:
    """Names in the first column of a table."""
    return {name for row in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def macros() -> str:
    """Text of all macros."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(MACROS.rglob("*.sql")))


def overrides() -> set[str]:
    """Macros that dbt finds in place of its own: of an engine and not dispatched here, or materializations."""
    text = macros()
    dispatched = set(DISPATCH.findall(text))
    of_engines = {
        f"{engine}__{name}"
        for engine, name in re.findall(rf"macro ({'|'.join(ENGINES)})__(\w+)\(", text)
        if name not in dispatched
    }
    kinds = re.findall(r"materialization (\w+), adapter='(\w+)'", text)
    return of_engines | {f"materialization_{kind}_{engine}" for kind, engine in kinds} | {"generate_schema_name"}


def test_the_page_names_every_override() -> None:
    assert named_first(section("What we override of dbt")) == overrides()


def test_the_page_names_every_macro_that_differs_between_engines() -> None:
    text = macros()
    differing = {name for name in DISPATCH.findall(text) if f"macro duckdb__{name}(" in text}
    assert named_first(section("What differs between the engines")) == differing
