"""Every process that shares the tests collects the same ones, whenever it starts."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("test_*.py"))
CHANGING = {"now", "today", "time", "time_ns", "monotonic", "urandom", "uuid1", "uuid4", "random", "token_hex"}
"""Calls whose value differs from process to process: in a parameter they make the names of tests differ."""


def test_modules_outside_packages_have_names_of_their_own() -> None:
    """Such a module is imported by its name alone, so a second one of that name ends the collection."""
    modules = defaultdict(list)
    for module in MODULES:
        if not (module.parent / "__init__.py").exists():
            modules[module.name].append(str(module.relative_to(TESTS)))
    assert [paths for paths in modules.values() if len(paths) > 1] == []


def changing_parameters(source: str) -> list[int]:
    """The lines of calls in parameters of tests that differ from process to process."""
    decorators = (
        decorator
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for decorator in node.decorator_list
        if "parametrize" in ast.unparse(decorator)
    )
    calls = (call for decorator in decorators for call in _calls(decorator))
    return [call.lineno for call in calls if _changes(call)]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that may show in an id: not those of a function that the test calls, nor of a case with an id."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        if any(keyword.arg == "id" for keyword in node.keywords):
            return
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _changes(call: ast.Call) -> bool:
    called = ast.unparse(call.func).rpartition(".")[2]
    is_stamped = called == "compress" and "gzip" in ast.unparse(call.func)  # the header of gzip has the time
    return called in CHANGING or (is_stamped and all(keyword.arg != "mtime" for keyword in call.keywords))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(TESTS)))
def test_parameters_are_the_same_in_every_process(module: Path) -> None:
    assert changing_parameters(module.read_text()) == []


@pytest.mark.parametrize(
    ("parameter", "is_found"),
    [
        ("gzip.compress(b'')", True),
        ("gzip.compress(b'', mtime=0)", False),
        ("zlib.compress(b'')", False),
        ("datetime.now(UTC)", True),
        ("[1, (os.urandom(4),)]", True),
        ("lambda: datetime.now(UTC)", False),
        ("pytest.param(datetime.now(UTC), id='soon')", False),
        ("datetime(2026, 2, 1)", False),
    ],
)
def test_a_parameter_that_changes_is_found(parameter: str, is_found: bool) -> None:
    source = f"@pytest.mark.parametrize('x', [{parameter}])\ndef test_x(x): pass\n"
    assert changing_parameters(source) == ([1] if is_found else [])
