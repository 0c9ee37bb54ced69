"""A page of an order and of a wallet with many entries, beside the same page of ones with few."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from statistics import median
from typing import Any
from urllib.parse import urlencode

from bench.http_load import Loaded, load
from bench.tx_stage import Stage, fill, running_api
from plura.kit.http import cursors
from plura.kit.http.cursors import Position

FEW = 10
MANY = 150_000
SECONDS = 3
_OTHERS = 100_000
_LIMIT = 10
_FIRST = datetime(2026, 2, 1, tzinfo=UTC)
_INSERT = """
insert into bo.ledger_entries (
    tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type, event_time, created_at, row_digest
)
select
    %(name)s || '-' || n, 'w-' || %(name)s, 'RECEIVE', 1, 1, 'po-' || %(name)s, 'PAYMENT_ORDER',
    timestamptz '2026-02-01Z' + n * interval '1 second', now(), decode(md5(n::text), 'hex')
from generate_series(1, %(entries)s) as n
"""
_ORDER = """
insert into bo.payment_orders (order_id, amount, status, created_at, row_digest)
values ('po-' || %(name)s, 1, 'SETTLED', now(), decode(md5(''), 'hex'))
"""


def measure_pages(stage: Stage, *, scale: float, repeats: int) -> dict[str, Any]:
    """Measure pages of ten rows and of a hundred, one request at a time; they take turns, medians are reported."""
    many = int(MANY * scale)
    database = stage.fresh_database()
    with stage.connect(database) as connection:
        fill(connection, int(_OTHERS * scale))
        for name, entries in (("few", FEW), ("many", many)):
            connection.execute(_INSERT, {"name": name, "entries": entries})
            connection.execute(_ORDER, {"name": name})
        connection.execute("vacuum analyze")
    seconds = max(0.3, SECONDS * scale)
    pages = list(_pages(many))
    loads: list[list[Loaded]] = [[] for _ in pages]
    with running_api(stage, database) as api:
        for turn in range(repeats + 1):
            for found, (_, name, _, _, path) in zip(loads, pages, strict=True):
                held = f'"{name}-'.encode()
                measured = load(api.port, api.headers, repeat((path, held)), connections=1, seconds=seconds)
                if turn:  # the first one warms up
                    found.append(measured)
    stage.drop(database)
    return {
        "pages": [
            {
                "what": what,
                "entries": entries,
                "page": page,
                "p50_s": median(load.percentile(0.5) for load in found),
                "p99_s": median(load.percentile(0.99) for load in found),
            }
            for found, (what, _, entries, page, _) in zip(loads, pages, strict=True)
        ],
        "seconds": seconds,
        "repeats": repeats,
        "many": many,
    }


def _pages(many: int) -> Iterator[tuple[str, str, int, str, str]]:
    middle = Position(time=_FIRST + timedelta(seconds=many // 2), tie="")
    for what, path, scope in (
        ("an order", "/admin/payment-orders/po-{}", ("order", "po-{}")),
        ("a wallet", "/admin/wallets/w-{}/tx", ("wallet", "w-{}", "-infinity", "infinity")),
    ):
        first = urlencode({"limit": _LIMIT})
        cursor = cursors.encode(middle, *(word.format("many") for word in scope))
        yield what, "few", FEW, "the only page", f"{path.format('few')}?{first}"
        yield what, "many", many, "first page", f"{path.format('many')}?{first}"
        yield what, "many", many, "page in the middle", f"{path.format('many')}?{first}&cursor={cursor}"
        yield what, "many", many, "first page of 100", f"{path.format('many')}?{urlencode({'limit': 100})}"
