"""What runs in tests share is what dbt would have made for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.quick_dbt import merged

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@pytest.mark.parametrize("package", ["plura", "dbt_expectations", "dbt"])
def test_a_name_stands_for_the_macro_that_dbt_would_take(manifest: Manifest, package: str) -> None:
    from dbt.clients.jinja import MacroStack
    from dbt.context.macros import MacroNamespaceBuilder

    def meant(found: Any) -> Any:
        return (
            {name: generator.macro.unique_id for name, generator in found.items()}
            if isinstance(found, dict)
            else vars(found)
        )

    by_package = manifest.get_macros_by_package()
    context, stack, node = {"there": "is one"}, MacroStack(), object()
    internal = ["dbt_duckdb", "dbt"]
    one_by_one = MacroNamespaceBuilder("plura", package, stack, internal, node)
    for macros in by_package.values():
        for macro in macros.values():
            one_by_one.add_macro(macro, context)
    own = dict(one_by_one.build_namespace({}, context))
    quick = merged(MacroNamespaceBuilder("plura", package, stack, internal, node).build_namespace(by_package, context))
    assert {name: meant(found) for name, found in quick.items()} == {name: meant(found) for name, found in own.items()}
    assert {"default__test_not_null", "plura", "run_query"} <= set(quick)


def test_an_event_is_the_same_when_it_is_read_later(manifest: Manifest) -> None:
    from dbt.events.types import MainReportVersion

    assert manifest is not None
    read = MainReportVersion(version="1.11", log_version=3)
    assert (read.message(), read.version, read.log_version) == ("Running with dbt1.11", "1.11", 3)
    assert MainReportVersion(version="1.11", log_version=3).to_dict() == {"version": "1.11", "log_version": 3}
