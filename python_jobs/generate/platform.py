"""Simulates a payment platform: customers top up, pay merchants and get refunds, in double-entry bookkeeping.

Events are simulated in the order of time: balances never become negative, and memory depends on the number of wallets
only. Amounts are hundredths, instants milliseconds since the start of the first KST day. Events have odd milliseconds
and extracts even ones, so that no snapshot is taken within a transaction.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from python_jobs.entry_types import SIGNS
from python_jobs.generate.clock import CUT, DAY, HOUR, MINUTE, SHARDS, Formatter, extract_instant, time_of_day
from python_jobs.generate.deliveries import Deliveries, money
from python_jobs.generate.faults import NEVER, Entry, Planter
from python_jobs.generate.request import GenerateRequest
from python_jobs.generate.truth import LEDGER, ORDERS, WALLETS, Truth
from python_jobs.progress import Progress

TREASURY = 0

_CATEGORIES = ("coffee", "books", "games", "groceries", "fashion", "beauty", "pets", "tickets")
_PRODUCTS = 200

_WON = 100
_PENDING_FROM = 23 * HOUR + 30 * MINUTE

# shares of what customers do next
_ORDER, _CHARGE, _TRANSFER, _WITHDRAW, _HOLD = 0.55, 0.73, 0.83, 0.93, 0.98


@dataclass(kw_only=True)
class _Order:
    number: int
    customer: int
    merchant: int
    merchant_name: str | None
    cents: int
    created: int

    @property
    def ref(self) -> str:
        return f"po_{self.number}"


def ledger_line(
    *,
    tx_id: str,
    wallet_id: str,
    kind: str,
    amount: str,
    related_id: str | None,
    created_at: str | None,
    extracted_at: str,
) -> str:
    """Return a line of the transaction ledger."""
    related = f'"{related_id}"' if related_id else "null"
    created = f'"{created_at}"' if created_at else "null"
    return (
        f'{{"tx_id": "{tx_id}", "wallet_id": "{wallet_id}", "type": "{kind}", "amount": "{amount}",'
        f' "related_id": {related}, "created_at": {created}, "source_extracted_at": "{extracted_at}"}}'
    )


class Platform:
    """Simulates the days of a request and writes the deliveries."""

    def __init__(self, request: GenerateRequest, files: Deliveries, progress: Progress | None) -> None:
        self._request = request
        self._files = files
        self._progress = progress
        self._rng = random.Random(request.seed).random
        self._clock = Formatter(request.first_day)
        self._extracted_at = ""
        merchants = max(1, request.wallets // 100)
        customers = request.wallets - merchants - 1
        self._merchants = range(1, merchants + 1)
        self._customers = range(merchants + 1, request.wallets)
        self._ids = [
            "system",
            *(f"merchant_{number:05d}" for number in self._merchants),
            *(f"user_{number:07d}" for number in range(1, customers + 1)),
        ]
        self._total = [0] * request.wallets
        self._frozen = [0] * request.wallets
        self._reserved = [0] * request.wallets
        self._changed = [0] * request.wallets
        self._truth = Truth(days=request.days, ids=self._ids, clock=self._clock)
        self._planter = Planter(request, self._truth, files, self._ledger_line)
        # nine of ten customers are there from the start, the others join on the days after the first
        self._newcomers = customers // 10 if request.days > 1 else 0
        self._active = customers - self._newcomers
        self._prices = [
            (5 + int(self._rng() * 120)) * 500 * _WON + (50 if n % 10 == 0 else 0) for n in range(_PRODUCTS)
        ]
        self._due: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self._sequence = self._orders = self._items = self._entries = 0
        self._quota = [
            request.entries * (day + 1) // request.days - request.entries * day // request.days
            for day in range(request.days)
        ]
        self._planned = [0] * request.days

    def run(self) -> Truth:
        """Simulate all days and return the expected findings."""
        self._start_delivery(-1)
        for wallet in range(len(self._ids)):
            self._changed[wallet] = -DAY - wallet % 97 * MINUTE
        for day in range(-1, self._request.days):
            for shard in range(SHARDS):
                self._later(extract_instant(day, shard), self._extract, day, shard)
            if day >= 0:
                self._later(day * DAY + CUT, self._start_delivery, day)
        self._invite()
        for day in range(self._request.days):
            self._run_day(day)
        self._until(NEVER)
        self._planter.finish()
        return self._truth

    def _later(self, at: int, what: Callable[..., None], *arguments: object) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (at, self._sequence, what, arguments))

    def _until(self, at: int) -> None:
        """Process all planned events up to an instant."""
        while self._due and self._due[0][0] <= at:
            instant, _, what, arguments = heapq.heappop(self._due)
            what(instant, *arguments)

    def _invite(self) -> None:
        """Add new customers by their first charge, in the order of their numbers."""
        instants = []
        for _ in range(self._newcomers):
            day = 1 + int(self._rng() * (self._request.days - 1))
            if self._has_room(day, 1):
                instants.append(_odd(day * DAY + int((6 + 12 * self._rng()) * HOUR)))
                self._planned[day] += 1
        for instant in sorted(instants):
            self._later(instant, self._join)

    def _has_room(self, day: int, entries: int) -> bool:
        """Whether a day has room for entries that are planned in advance."""
        return day < self._request.days and self._planned[day] + entries <= self._quota[day] // 4

    def _join(self, at: int) -> None:
        wallet = self._customers[self._active]
        self._active += 1
        self._truth.joined[wallet] = at
        self._charge(wallet, 0, at)

    def _run_day(self, day: int) -> None:
        done, at, quota = 0, max(day * DAY, 10 * MINUTE), self._quota[day]
        first = True
        while (left := quota - self._planned[day] - done) > 0:
            share = min((done + self._rng()) / (quota - self._planned[day]), 1.0)
            at = max(at, _odd(day * DAY + time_of_day(share)))
            self._until(at)
            before = self._planned[day]
            done += self._step(at, left, is_first=first)
            assert self._planned[day] >= before
            first = False
            if self._progress is not None and self._entries % 1000 < 3:  # noqa: PLR2004 - a step books up to 3
                self._progress(self._entries, self._request.entries, str(self._clock.day(day)))
        self._until((day + 1) * DAY)

    def _step(self, at: int, left: int, *, is_first: bool) -> int:
        """Simulate an action of a customer with at most ``left`` entries, and return how many it booked."""
        what = 0.0 if is_first else self._rng()
        customer = self._customers[int(self._rng() * self._active)]
        if what < _ORDER:
            return self._order(customer, at, left)
        if what < _CHARGE:
            return self._charge(customer, 0, at)
        if what < _TRANSFER:
            return self._transfer(customer, at, left)
        if what < _WITHDRAW:
            return self._withdraw(customer, at)
        if what < _HOLD:
            return self._hold(customer, at)
        return self._issue(at)

    def _available(self, wallet: int) -> int:
        return self._total[wallet] - self._frozen[wallet] - self._reserved[wallet]

    def _charge(self, wallet: int, needed: int, at: int) -> int:
        amount = (needed // (10_000 * _WON) + 3 + int(self._rng() * 30)) * 10_000 * _WON
        self._book(wallet, "CHARGE", amount, None, at)
        return 1

    def _withdraw(self, customer: int, at: int) -> int:
        wallet = customer if self._rng() < 0.5 else self._merchants[int(self._rng() * len(self._merchants))]  # noqa: PLR2004 - half are merchants
        amount = self._available(wallet) // 2 // (1_000 * _WON) * 1_000 * _WON
        if amount <= 0:
            return self._charge(customer, 0, at)
        self._book(wallet, "WITHDRAW", amount, None, at)
        return 1

    def _transfer(self, customer: int, at: int, left: int) -> int:
        amount = (1 + int(self._rng() * 30)) * 1_000 * _WON
        other = self._customers[int(self._rng() * self._active)]
        if left < 2 or other == customer or self._available(customer) < amount:  # noqa: PLR2004 - two sides
            return self._charge(customer, amount, at)
        self._sequence += 1
        self._pair(customer, other, "PAYMENT", "RECEIVE", amount, f"tr_{self._sequence}", at)
        return 2

    def _hold(self, customer: int, at: int) -> int:
        amount = (1 + int(self._rng() * 20)) * 1_000 * _WON
        release_at = _odd(at + int((0.5 + 20 * self._rng()) * HOUR))
        if self._available(customer) < amount or not self._has_room(release_at // DAY, 1):
            return self._charge(customer, amount, at)
        self._sequence += 1
        self._freeze(customer, amount, f"hold_{self._sequence}", at)
        self._planned[release_at // DAY] += 1
        self._later(release_at, self._release, customer, amount, f"hold_{self._sequence}")
        return 1

    def _freeze(self, wallet: int, amount: int, related: str, at: int) -> None:
        self._frozen[wallet] += amount
        self._book(wallet, "HOLD", amount, related, at)

    def _release(self, at: int, wallet: int, amount: int, related: str) -> None:
        self._frozen[wallet] -= amount
        self._book(wallet, "RELEASE", amount, related, at)

    def _issue(self, at: int) -> int:
        amount = (1 + int(self._rng() * 50)) * 100_000 * _WON
        if self._rng() < 0.4 and self._available(TREASURY) >= amount:  # noqa: PLR2004 - the treasury grows slowly
            self._book(TREASURY, "BURN", amount, None, at)
        else:
            self._book(TREASURY, "MINT", amount, None, at)
        return 1

    def _order(self, customer: int, at: int, left: int) -> int:
        merchant = self._merchants[int(self._rng() * self._rng() * len(self._merchants))]
        lines = [
            (int(self._rng() * _PRODUCTS), 1 + int(self._rng() * 3))
            for _ in range(1 + int(self._rng() * self._rng() * 4))
        ]
        amount = sum(self._prices[product] * quantity for product, quantity in lines)
        booked = 0
        if self._available(customer) < amount:
            booked = self._charge(customer, amount, at)
            left -= 1
        if left < 2:  # noqa: PLR2004 - two sides
            return booked or self._charge(customer, amount, at)
        self._orders += 1
        name = None if self._rng() < 0.005 else f"Shop {merchant:03d}"  # noqa: PLR2004 - some terminals send no name
        order = _Order(
            number=self._orders,
            customer=customer,
            merchant=merchant,
            merchant_name=name,
            cents=amount,
            created=at,
        )
        status, entries = self._pay(order, at, left)
        self._write_order(order, status, at)
        self._write_items(order, lines)
        return booked + entries

    def _pay(self, order: _Order, at: int, left: int) -> tuple[str, int]:
        """Choose the outcome of an order; return its status in this delivery and the number of entries booked."""
        outcome, day = self._rng(), at // DAY
        if outcome < 0.03:  # noqa: PLR2004 - share of failed payments
            return "FAILED", 0
        if outcome < 0.04:  # noqa: PLR2004 - one per cent is cancelled
            return "CANCELLED", 0
        if at % DAY > _PENDING_FROM and outcome < 0.4 and self._has_room(day + 1, 3):  # noqa: PLR2004 - late orders
            self._planned[day + 1] += 3
            self._freeze(order.customer, order.cents, order.ref, at)
            self._later(_odd((day + 1) * DAY + int((0.5 + 8 * self._rng()) * HOUR)), self._settle, order)
            return "PENDING", 1
        self._pair(order.customer, order.merchant, "PAYMENT", "RECEIVE", order.cents, order.ref, at)
        refund_at = _odd(at + 10 * MINUTE + int(36 * HOUR * self._rng()))
        if outcome > 0.98 and left >= 4 and self._has_room(refund_at // DAY, 2):  # noqa: PLR2004 - share of refunds
            self._planned[refund_at // DAY] += 2
            self._reserved[order.merchant] += order.cents
            self._later(refund_at, self._refund, order)
            if (refund_at - CUT) // DAY == (at - CUT) // DAY:
                return "REFUNDED", 2
        return "PAID", 2

    def _settle(self, at: int, order: _Order) -> None:
        self._release(at, order.customer, order.cents, order.ref)
        self._pair(order.customer, order.merchant, "PAYMENT", "RECEIVE", order.cents, order.ref, at)
        self._write_order(order, "PAID", at)

    def _refund(self, at: int, order: _Order) -> None:
        self._reserved[order.merchant] -= order.cents
        self._pair(order.merchant, order.customer, "REFUND_OUT", "REFUND_IN", order.cents, order.ref, at)
        if (at - CUT) // DAY != (order.created - CUT) // DAY:
            self._write_order(order, "REFUNDED", at)

    def _pair(self, payer: int, payee: int, out: str, into: str, cents: int, related: str, at: int) -> None:
        self._book(payer, out, cents, related, at)
        self._book(payee, into, cents, related, at)

    def _book(self, wallet: int, kind: str, cents: int, related: str | None, at: int) -> None:
        self._entries += 1
        self._total[wallet] += SIGNS[kind] * cents
        self._changed[wallet] = at
        tx_id = f"tx_{self._entries:09d}"
        if at >= self._planter.next_at:
            self._planter.ledger(Entry(tx_id=tx_id, wallet=wallet, kind=kind, cents=cents, related_id=related, at=at))
            return
        self._files.write(
            LEDGER,
            self._ledger_line(
                tx_id=tx_id,
                wallet_id=self._ids[wallet],
                kind=kind,
                amount=money(cents),
                related_id=related,
                created_at=self._clock.iso(at),
            ),
        )
        self._truth.rows[LEDGER, at // DAY] += 1
        self._truth.see(wallet, at)

    def _ledger_line(
        self, *, tx_id: str, wallet_id: str, kind: str, amount: str, related_id: str | None, created_at: str | None
    ) -> str:
        return ledger_line(
            tx_id=tx_id,
            wallet_id=wallet_id,
            kind=kind,
            amount=amount,
            related_id=related_id,
            created_at=created_at,
            extracted_at=self._extracted_at,
        )

    def _write_order(self, order: _Order, status: str, at: int) -> None:
        name = json.dumps(order.merchant_name)
        user, amount, created = self._ids[order.customer], money(order.cents), self._clock.iso(order.created)
        written = self._planter.payment_order_status(status, order.created, at)
        if written is not None:
            self._files.write(
                ORDERS,
                f'{{"order_id": "{order.ref}", "user_id": "{user}", "merchant_name": {name}, "amount": "{amount}",'
                f' "status": "{written}", "created_at": "{created}", "source_extracted_at": "{self._extracted_at}"}}',
            )
            self._truth.rows[ORDERS, order.created // DAY] += 1
        self._files.write(
            "orders_raw",
            f'{{"order_id": {order.number}, "user_id": "{user}", "total_amount": "{amount}", "status": "{status}",'
            f' "created_at": "{created}", "source_extracted_at": "{self._extracted_at}"}}',
        )

    def _write_items(self, order: _Order, lines: list[tuple[int, int]]) -> None:
        for product, quantity in lines:
            self._items += 1
            self._files.write(
                "order_items_raw",
                f'{{"item_id": {self._items}, "order_id": {order.number}, "product_id": {9001 + product},'
                f' "quantity": {quantity}, "price_at_purchase": "{money(self._prices[product])}",'
                f' "source_extracted_at": "{self._extracted_at}"}}',
            )

    def _start_delivery(self, at: int, number: int = -1) -> None:
        """Close the delivery of the day before, extracted now, and begin the next."""
        del at
        self._files.start(str(self._clock.day(number)))
        self._extracted_at = self._clock.iso((number + 1) * DAY + CUT)
        for product, price in enumerate(self._prices):
            category = json.dumps(_CATEGORIES[product % len(_CATEGORIES)])
            self._files.write(
                "products_raw",
                f'{{"product_id": {9001 + product}, "product_name": "Product {product + 1}",'
                f' "price_krw": "{money(price)}", "stock_quantity": {product * 7 % 500}, "category": {category},'
                f' "is_display": {"false" if product % 25 == 0 else "true"},'
                f' "source_extracted_at": "{self._extracted_at}"}}',
            )
        self._planter.start_delivery(number)

    def _extract(self, at: int, day: int, shard: int) -> None:
        """Write one part of the wallet extract that closes a day."""
        extracted_at = self._clock.iso(at)
        joined = self._customers.start + self._active
        for wallet in range(shard, joined, SHARDS):
            fault = self._planter.snapshot(wallet, day)
            if fault == "lost":
                continue
            frozen = self._frozen[wallet]
            balance = self._total[wallet] - frozen + self._planter.extra.get(wallet, 0)
            available = money(-balance - _WON if fault == "negative" else balance)
            self._files.write(
                WALLETS,
                f'{{"user_id": "{self._ids[wallet]}", "balance": "{available}", "frozen_amount": "{money(frozen)}",'
                f' "updated_at": "{self._clock.iso(self._changed[wallet])}", "source_extracted_at": "{extracted_at}"}}',
            )
            self._truth.rows[WALLETS, day + 1] += 1


def _odd(at: int) -> int:
    return at | 1
