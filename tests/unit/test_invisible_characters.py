"""Three lists of characters that are removed around texts: of the lake's SQL, of the rule file and of the console.

They are in three languages and have three readers, so that they are compared here instead of shared.
"""

from __future__ import annotations

import re
import unicodedata

import jinja2

from plura.tx.api.console.pasted import BLANKS
from python_jobs.rules import cells
from tests.dbt_runs import PROJECT

PLANE = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
"""Every character that any of the lists may have."""
CONTROL = {char for char in PLANE if unicodedata.category(char) == "Cc"}
VARIATION_SELECTORS = set(map(chr, range(0xFE00, 0xFE10)))
ANNOTATIONS = set(map(chr, range(0xFFF0, 0xFFFC)))


def of_sql() -> set[str]:
    """What the macro ``trimmed`` removes."""
    text = (PROJECT / "macros" / "engine" / "text.sql").read_text(encoding="utf-8")
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701  # no HTML
    environment.globals["return"] = lambda value: value
    macros = environment.from_string(text).module
    listed = getattr(macros, "ascii_blanks")("%c") + getattr(macros, "unicode_blanks")("%c")  # noqa: B009
    return {"\0", *str(listed)}


def of_rules() -> set[str]:
    """What is removed around a cell of the rule file."""
    return {char for char in PLANE if re.fullmatch(cells._BLANKS, char)}


def test_cells_of_rules_are_trimmed_as_by_sql_but_for_control_characters() -> None:
    """Cells refuse those that are not white space."""
    refused = {char for char in CONTROL if not char.isspace()}
    assert of_rules() == of_sql() - refused


def test_pasted_ids_are_trimmed_as_by_sql_but_for_what_no_page_adds() -> None:
    refused = {char for char in CONTROL if not char.isspace()}
    assert set(BLANKS) == of_sql() - refused - VARIATION_SELECTORS - ANNOTATIONS
