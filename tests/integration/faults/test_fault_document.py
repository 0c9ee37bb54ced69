"""docs/decisions/0010-reference-faults.md names each fault and its test, one to one."""

from __future__ import annotations

import re
from pathlib import Path

from tests.dbt_runs import PROJECT

OF_SPARK = {53}
"""Faults that only an engine with files of its own can have; its tests show them."""


def test_the_document_names_each_fault_and_its_test() -> None:
    text = (PROJECT / "docs" / "decisions" / "0010-reference-faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) [^|]+ \| (?:`(test_\w+)`|Spark) \| [^|]+ \|$", text, re.MULTILINE)
    documented = {int(number): test for number, test in rows}
    assert [int(number) for number, _ in rows] == list(range(1, 55))

    modules = Path(__file__).parent.glob("test_*_faults.py")
    names = [name for path in modules for name in re.findall(r"^def (test_fault_\w+)", path.read_text(), re.MULTILINE)]
    tests = {int(name.split("_")[2]): name for name in names}
    assert len(tests) == len(names)
    assert documented == tests | dict.fromkeys(OF_SPARK, "")
