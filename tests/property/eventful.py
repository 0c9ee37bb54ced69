"""One eventful history: two runs, of which the second has something to change in every table of Silver and Gold."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.property.histories import Step, Withdraw
from tests.property.lines import at, entry, item, loaded, order, payment_order, product, snapshot

AFTER_FIRST_LOAD = datetime(2026, 3, 5, 4, tzinfo=UTC)
AFTER_SECOND_LOAD = datetime(2026, 3, 6, 4, tzinfo=UTC)

FIRST_LOAD = loaded(
    user_wallets=[snapshot(at(n), user_id=user) for n in range(3) for user in ("w1", "w2")],
    transaction_ledger=[
        entry(at(0, 9), tx_id="t1", type="CHARGE", amount="100"),
        entry(at(0, 23), tx_id="t2", type="PAYMENT", related_id="po_1"),
        # white space that engines differ in
        entry(at(1, 1), tx_id="\vt3\f", wallet_id="w2", type="RECEIVE", related_id="\fpo_1"),
        entry(at(1, 9), tx_id="t4", wallet_id="w3", type="MINT", amount="50"),
        entry(at(1, 9), tx_id="t5", type="SURCHARGE"),
    ],
    payment_orders=[
        payment_order(at(0, 9), status="PENDING", updated_at=at(0, 9)),
        payment_order(at(1, 9), order_id="po_2", merchant_name=None),
        # no digits at its end, although the end of a line follows them
        payment_order(at(1, 9), order_id="po_1\u2028"),
    ],
    orders=[order(at(0, 9))],
    order_items=[item(at(0, 9)), item(at(0, 9), item_id=2, product_id=2, price_at_purchase="5")],
    products=[product(at(0, 9)), product(at(0, 9), product_id=2, category="TEA")],
)
WITHDRAWN_LATER = loaded(
    user_wallets=[snapshot(at(1, 12), user_id="w4")],
    transaction_ledger=[
        entry(at(1, 12), tx_id="t6", wallet_id="w4"),
        entry(at(1, 10), tx_id="t1", updated_at=at(1)),
        # before every other line, also those of the reference scenarios: its days go with it
        entry(at(-32), tx_id="t10", wallet_id="w4"),
    ],
    payment_orders=[payment_order(at(1, 12), order_id="po_3", user_id=None)],
    order_items=[item(at(1, 12), item_id=3, quantity=9)],
    products=[product(at(1, 12), product_id=3)],
)
SECOND_LOAD = loaded(
    user_wallets=[snapshot(at(3), user_id="w1", balance="90"), snapshot(at(3), user_id="w3", is_deleted=True)],
    transaction_ledger=[
        entry(at(0, 12), tx_id="t7", type="WITHDRAW", amount="7"),
        entry(at(0, 22), tx_id="t2", type="PAYMENT", related_id="po_1", updated_at=at(2)),
        entry(at(1, 9), tx_id="t4", wallet_id="w3", type="MINT", amount="51"),
        entry(at(3, 9), tx_id="t8", wallet_id="w2", type="REFUND_OUT", related_id="po_1"),
        entry(at(3, 9), tx_id="t9", type="REFUND_IN", related_id="po_1"),
    ],
    payment_orders=[
        payment_order(at(0, 9), status="REFUNDED", updated_at=at(3, 9)),
        payment_order(at(2, 9), order_id="po_2", merchant_name="shop", updated_at=at(3)),
        payment_order(at(2, 9), order_id="po_4", amount="none"),
    ],
    orders=[order(at(0, 9), status="CANCELLED", updated_at=at(3))],
    order_items=[item(at(3), item_id=2, product_id=2, quantity=5, price_at_purchase="5")],
    products=[product(at(3), product_id=2, category="COFFEE")],
)

BEFORE_FIRST_RUN: tuple[Step, ...] = (FIRST_LOAD, WITHDRAWN_LATER)
BEFORE_SECOND_RUN: tuple[Step, ...] = (
    SECOND_LOAD,
    *(Withdraw(batch=len(FIRST_LOAD.files) + n) for n in range(len(WITHDRAWN_LATER.files))),
)
