"""The page about quarantine names every reason that the models can give."""

from __future__ import annotations

import re

from tests.dbt_runs import PROJECT

REASON = re.compile(r"(?:then |absent\()'([a-z]+_[a-z_]+)'|'([a-z_]+)' as reason")
PLACES = ("models/bronze/stg_*.sql", "macros/pipeline/staging.sql", "macros/silver/*.sql")
OF_ANOTHER_PAGE = {"stg_market_price.sql"}


def test_every_reason_is_explained() -> None:
    assert all(any(PROJECT.glob(place)) for place in PLACES)
    page = (PROJECT / "docs" / "quarantine.md").read_text(encoding="utf-8")
    files = [path for place in PLACES for path in PROJECT.glob(place) if path.name not in OF_ANOTHER_PAGE]
    reasons = {
        reason
        for path in files
        for match in REASON.findall(path.read_text(encoding="utf-8"))
        for reason in match
        if reason
    }
    assert len(reasons) > 15
    assert sorted(reason for reason in reasons if f"`{reason}`" not in page) == []
