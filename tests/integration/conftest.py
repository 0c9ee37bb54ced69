"""Warehouses that the tests of one module share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@pytest.fixture(scope="module")
def new_lake(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Callable[..., Lake]:
    """Builds an empty warehouse; options are fields of Lake."""

    def build(**options: Any) -> Lake:
        return Lake(work=tmp_path_factory.mktemp("lake"), manifest=manifest, **options)

    return build
