"""Named statements in SQL files, and the fragments that they include."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plura.kit.queries import read_queries

_TEXT = """-- What the file is for.

-- fragment: columns
a, b

-- fragment: insertion
insert into t ({columns})
select {columns} from s

-- name: copy
with copied as ({insertion})
select {columns}, '{}' as empty from copied

-- name: count
-- A comment stays.
select count(*) from t
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "queries_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "good.sql").write_text(_TEXT)
    (folder / "bad.sql").write_text("-- fragment: one\nselect 1\n-- name: one\nselect 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder.name


def test_statements_include_fragments_and_fragments_earlier_ones(package: str) -> None:
    assert dict(read_queries(package, "good.sql")) == {
        "copy": "with copied as (insert into t (a, b)\nselect a, b from s)\nselect a, b, '{}' as empty from copied",
        "count": "-- A comment stays.\nselect count(*) from t",
    }


def test_a_name_is_used_once(package: str) -> None:
    with pytest.raises(ValueError, match="called one"):
        read_queries(package, "bad.sql")


@pytest.mark.parametrize("file", ["lookups.sql", "ingest.sql", "backfill.sql", "replay.sql", "upkeep.sql"])
def test_no_placeholder_of_a_fragment_is_left(file: str) -> None:
    for name, text in read_queries("plura.tx.db", file).items():
        assert "{" not in text.replace("'{}'", ""), name


def test_every_lookup_records_itself_with_the_same_insert() -> None:
    statements = read_queries("plura.tx.db", "lookups.sql")
    lookups = {name for name, text in statements.items() if "from outcome" in text}
    assert lookups == {"tx", "order", "wallet", "search"}
    parts = [statements[name].partition("audited as (")[2].partition("\n\n")[0] for name in sorted(lookups)]
    assert len(set(parts)) == 1
    assert parts[0].count("insert into bo.admin_audit_logs") == 1
