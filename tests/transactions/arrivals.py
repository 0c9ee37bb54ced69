"""Sets of events that meet each other, and the ways in which they may arrive."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC
from tests.transactions.storing import Event

TX_IDS = ["t1", "t2", "T3", "t\\4", "ü5", "t 6"]
ORDER_IDS = ["o1", "o2", "주문3"]
TIMES = [
    "2026-02-13T00:00:00Z",
    "2026-02-13T00:00:00+00:00",
    "2026-02-13T09:00:00+09:00",
    "2026-02-13T00:00:00.000001",
    "2026-02-14T00:00:00",
    "0001-01-01T00:00:00",
]
AMOUNTS: list[Any] = ["10.00", "10", 10, 10.5, "0", 100.0, "9999999999999999.99"]
VERSIONS: list[Any] = [0, 1, "1", "2", 3, 2.0, -1, 2**63 - 1]
ODD: list[Any] = [
    "",
    " ",
    "x",
    None,
    [],
    {},
    -1,
    "NaN",
    "1e400",
    1e17,
    "10.005",
    "1_0",
    "１０",
    " 1 ",
    "+1",
    "1e2",
    "007",
    1.5,
    True,
    "2026-02-13",
    "2026-02-13T00:00:00.000001500Z",
    "2026-02-13T00:00:00+24:00",
    "a\x00b",
    "a\x01b",
    "\ud800",
    "l" * 256,
    False,
]


def _sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _event(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


_TIME = st.sampled_from(TIMES)
_VERSION = st.sampled_from(VERSIONS)
_ORDERING = {
    "updated_at": _sometimes(_TIME),
    "version": _sometimes(_VERSION),
    "source_version": _sometimes(_VERSION),
}
_LEDGER = _event(
    {
        "tx_id": st.sampled_from(TX_IDS),
        "wallet_id": st.sampled_from(["w1", "w2", " w3 "]),
        "entry_type": st.sampled_from(["PAYMENT", "RECEIVE", "PAYMENT", "RECEIVE", "CHARGE"]),
        "amount": st.sampled_from(AMOUNTS),
        "event_time": _TIME,
    },
    {
        "related_id": st.sampled_from([*ORDER_IDS, *ORDER_IDS, "", None]),
        "related_type": st.sampled_from(["PAYMENT_ORDER", "", " ", None, "REFUND"]),
        "amount_signed": st.sampled_from([None, "-10", 10, "-0"]),
        "created_at": _sometimes(_TIME),
        "source_created_at": _sometimes(_TIME),
        **_ORDERING,
    },
)
_ORDER = _event(
    {
        "order_id": st.sampled_from(ORDER_IDS),
        "amount": st.sampled_from(AMOUNTS),
        "status": st.sampled_from(["CREATED", "SETTLED", "FAILED\\N"]),
        "created_at": _TIME,
    },
    {
        "user_id": st.sampled_from(["u1", "", None]),
        "merchant_name": st.sampled_from(["a\tb", "N\\", None]),
        **_ORDERING,
    },
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event, now and then a bad one."""
    topic, values = draw(st.tuples(st.just(LEDGER_TOPIC), _LEDGER) | st.tuples(st.just(ORDER_TOPIC), _ORDER))
    if topic == LEDGER_TOPIC and draw(st.integers(0, 5)) == 0:
        values["type"] = values.pop("entry_type") if draw(st.booleans()) else "PAYMENT"
    if draw(st.integers(0, 7)) == 0:
        values[draw(st.sampled_from(sorted(values)))] = draw(st.sampled_from(ODD))
    payload = json.dumps(values, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    if draw(st.integers(0, 15)) == 0:
        payload = draw(st.sampled_from([payload[:-1], b"", b"[]", b"\xff" + payload, b'{"amount": NaN}', b"[" * 3]))
    return topic, payload


@st.composite
def arrangements(draw: st.DrawFn, of: list[Event]) -> list[list[Event]]:
    """The same events in another order, some of them twice, cut into batches."""
    again = draw(st.lists(st.sampled_from(of), max_size=4)) if of else []
    turned = draw(st.permutations([*of, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(turned)), max_size=4))) if turned else []
    return [turned[start:end] for start, end in zip([0, *cuts], [*cuts, len(turned)], strict=True) if start < end]
