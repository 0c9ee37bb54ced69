"""Analytics: the anonymized payment fact and the count of orders that cannot enter it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256

from .numbers import ZERO
from .rules import Rules
from .silver import PAYMENT_ORDERS, OrderEvent, OrderItem, SilverTables


@dataclass(frozen=True, kw_only=True)
class FactRow:
    """Row of gold.fact_payment_anonymized."""

    date_kst: date
    user_key: str
    merchant_name: str | None
    amount: Decimal
    status: str | None
    category: str | None
    payment_key: str


@dataclass(frozen=True, kw_only=True)
class DroppedRow:
    """Row of gold.fact_payment_dropped_daily."""

    date_kst: date
    reason: str
    dropped_cnt: int


def salted(text: str, salt: str) -> str:
    """SHA-256 of the text followed by the salt, lower-case hexadecimal."""
    return sha256((text + salt).encode()).hexdigest()


def payment_orders(tables: SilverTables, days: Sequence[date]) -> list[OrderEvent]:
    """Payment orders dated on one of the days."""
    return [
        order
        for order in tables.order_events.values()
        if order.order_source == PAYMENT_ORDERS and order.event_date_kst in days
    ]


def fact(tables: SilverTables, rules: Rules, days: Sequence[date], salt: str) -> list[FactRow]:
    """One row per payment order of a known user."""
    return [
        FactRow(
            date_kst=order.event_date_kst,
            user_key=salted(order.user_id, salt),
            merchant_name=order.merchant_name,
            amount=order.amount,
            status=order.status,
            category=category(order, tables, rules),
            payment_key=salted(order.order_ref, salt),
        )
        for order in payment_orders(tables, days)
        if order.user_id is not None
    ]


def dropped(tables: SilverTables, days: Sequence[date]) -> list[DroppedRow]:
    """Payment orders without a user, per day."""
    counts = Counter(order.event_date_kst for order in payment_orders(tables, days) if order.user_id is None)
    return [DroppedRow(date_kst=day, reason="missing_user_id", dropped_cnt=count) for day, count in counts.items()]


def category(order: OrderEvent, tables: SilverTables, rules: Rules) -> str | None:
    """Category of the product of the linked commerce order's largest line; NULL when that product is unknown."""
    rule = rules.on_day("analytics", "order_link_pattern", order.event_date_kst)
    link = re.search(rule.allowed[0], order.order_ref) if rule and rule.allowed else None
    wanted = link.group(1) if link else None
    if wanted and re.fullmatch("[0-9]+", wanted):
        wanted = str(int(wanted))
    lines = [item for item in tables.order_items.values() if item.order_ref == wanted]
    if not lines:
        return None
    largest = min(lines, key=lambda item: (-line_amount(item), item.item_id))
    product = tables.products.get(largest.product_id)
    return product.category if product else None


def line_amount(item: OrderItem) -> Decimal:
    """Amount of an order line: an unknown price counts as 0, an unknown quantity as 1."""
    quantity = 1 if item.quantity is None else item.quantity
    return (item.price_at_purchase or ZERO) * quantity
