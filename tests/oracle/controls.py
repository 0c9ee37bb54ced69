"""Controls: B-1 over all days, B-2 supply, B-3/B-4 payments, B-5 pairing quality, B-6 admin index, exceptions."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from .clock import day_end
from .guardrail import LEDGER, WALLETS, DqStatus
from .numbers import ZERO, money, ratio, scaled, total
from .recon import ReconRow, Wallet, boundary, is_stale, recon_row, wallets_of
from .rules import EntryType, Rules
from .silver import PAYMENT_ORDERS, LedgerEntry, SilverTables

TAG_ORDER = ("SOURCE_STALE", "DUP_SUSPECTED", "EVENT_DROP_SUSPECTED", "CONTRACT_VIOLATION")
GATING_TAGS = {"SOURCE_STALE", "EVENT_DROP_SUSPECTED"}
EntryKey = tuple[str, str]


@dataclass(frozen=True)
class DayTag:
    """First tag of the day rows that recon and supply read, and whether one of them closes the soft gate."""

    tag: str | None = None
    gated: bool = False


@dataclass(frozen=True, kw_only=True)
class SupplyRow:
    """Row of gold.ledger_supply_balance_daily."""

    date_kst: date
    issued_supply: Decimal
    wallet_total_balance: Decimal
    diff_amount: Decimal
    is_ok: bool
    rule_id: str | None
    verdict: str
    severity: str | None
    dq_tag: str | None
    opening_supply: Decimal
    has_supply_entries: bool
    stale_wallet_count: int
    max_snapshot_age_sec: int | None


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """Row of gold.ops_payment_failure_daily."""

    date_kst: date
    merchant_name: str | None
    total_cnt: int
    failed_cnt: int
    failure_rate: Decimal
    rule_id: str | None


@dataclass(frozen=True, kw_only=True)
class RefundRow:
    """Row of gold.ops_payment_refund_daily."""

    date_kst: date
    merchant_name: str | None
    total_cnt: int
    refunded_cnt: int
    refund_rate: Decimal
    rule_id: str | None


@dataclass(frozen=True, kw_only=True)
class PairingRow:
    """Row of gold.ops_ledger_pairing_quality_daily."""

    date_kst: date
    entry_cnt: int
    related_id_null_rate: Decimal
    pair_candidate_rate: Decimal
    join_payment_orders_rate: Decimal
    rule_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdminRow:
    """Row of gold.admin_tx_search."""

    event_date_kst: date
    tx_id: str
    wallet_id: str
    entry_type: str
    amount: Decimal
    amount_signed: Decimal
    event_time: datetime
    related_id: str | None
    related_type: str | None
    merchant_name: str | None
    payment_status: str | None
    paired_tx_id: str | None
    rule_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ControlException:
    """Open exception of a control."""

    date_kst: date
    exception_type: str
    severity: str
    metric: str
    metric_value: Decimal
    message: str
    rule_id: str | None
    subject: str | None


def day_tags(statuses: Iterable[DqStatus]) -> dict[date, DayTag]:
    """Tag per KST day over the day rows of ledger and wallets."""
    tags: dict[date, set[str]] = defaultdict(set)
    for status in statuses:
        if status.window_kind == "day" and status.source_table in {LEDGER, WALLETS} and status.dq_tag:
            tags[status.date_kst].add(status.dq_tag)
    return {
        day: DayTag(tag=min(found, key=TAG_ORDER.index), gated=bool(found & GATING_TAGS)) for day, found in tags.items()
    }


def recon(tables: SilverTables, rules: Rules, days: Sequence[date], tags: Mapping[date, DayTag]) -> list[ReconRow]:
    """B-1 for the days."""
    wallets = wallets_of(tables)
    rows = []
    for day in days:
        mark = tags.get(day, DayTag())
        rows += [recon_row(wallet, day, rules, mark.tag, gated=mark.gated) for wallet in wallets]
    return [row for row in rows if row is not None]


def supply(
    tables: SilverTables,
    rules: Rules,
    entry_types: Mapping[str, EntryType],
    days: Sequence[date],
    tags: Mapping[date, DayTag],
) -> list[SupplyRow]:
    """B-2 for the days."""
    wallets = wallets_of(tables)
    return [supply_row(tables, wallets, rules, entry_types, day, tags.get(day, DayTag())) for day in days]


def supply_row(
    tables: SilverTables,
    wallets: Sequence[Wallet],
    rules: Rules,
    entry_types: Mapping[str, EntryType],
    day: date,
    mark: DayTag,
) -> SupplyRow:
    """Issued supply against all wallet balances at the end of the day."""
    signed = [
        entry.amount * entry_types[entry.entry_type].supply_sign
        for entry in tables.ledger_entries.values()
        if entry.event_date_kst <= day and entry_types[entry.entry_type].supply_sign
    ]
    opening_rule = rules.on_day("ledger", "supply_opening", day)
    opening = opening_rule.threshold if opening_rule else None
    issued = money((opening or ZERO) + total(signed))

    balances, ages = [], []
    for wallet in wallets:
        closing = boundary(wallet, day_end(day), rules)
        if closing is not None:
            balances.append(wallet.balance_at_end(day, closing))
            if is_stale(closing, day, rules):
                ages.append((day_end(day) - closing.instant) // timedelta(seconds=1))

    diff = money(issued - total(balances))
    rule = rules.on_day("ledger", "supply_diff_abs", day)
    severity = rule.severity(abs(diff), inclusive=False) if rule else None
    is_limited = rule is not None and (rule.threshold is not None or bool({"crit", "warn"} & set(rule.limits)))
    dated = any(day in wallet.snapshot_days or wallet.has_entry_on(day) for wallet in wallets)
    if not dated:
        verdict = "NO_DATA"
    elif not signed and opening is None:
        verdict = "NO_BASELINE"
    else:
        verdict = "MISMATCH" if severity else "OK"
    is_ok = verdict == "OK" and (is_limited or not diff)
    if mark.gated:
        verdict = "SUPPRESSED"
    return SupplyRow(
        date_kst=day,
        issued_supply=issued,
        wallet_total_balance=total(balances),
        diff_amount=diff,
        is_ok=is_ok,
        rule_id=rule.rule_id if rule else None,
        verdict=verdict,
        severity=severity if verdict == "MISMATCH" else None,
        dq_tag=mark.tag,
        opening_supply=money(opening or ZERO),
        has_supply_entries=bool(signed),
        stale_wallet_count=len(ages),
        max_snapshot_age_sec=max(ages, default=None),
    )


def payment_counts(
    tables: SilverTables, rules: Rules, metric: str, day: date
) -> list[tuple[str | None, int, int, str | None]]:
    """Per merchant: orders, orders whose status is in the rule's set, and the rule."""
    rule = rules.on_day("ledger", metric, day)
    statuses: dict[str | None, list[str | None]] = defaultdict(list)
    for order in tables.order_events.values():
        if order.order_source == PAYMENT_ORDERS and order.event_date_kst == day:
            statuses[order.merchant_name].append(order.status)
    counted = rule.allowed if rule else ()
    return [
        (merchant, len(found), sum(status in counted for status in found), rule.rule_id if rule else None)
        for merchant, found in statuses.items()
    ]


def payment_failure(tables: SilverTables, rules: Rules, days: Sequence[date]) -> list[FailureRow]:
    """B-3 for the days."""
    return [
        FailureRow(
            date_kst=day,
            merchant_name=merchant,
            total_cnt=orders,
            failed_cnt=failed,
            failure_rate=ratio(failed, orders),
            rule_id=rule_id,
        )
        for day in days
        for merchant, orders, failed, rule_id in payment_counts(tables, rules, "payment_failed_status", day)
    ]


def payment_refund(tables: SilverTables, rules: Rules, days: Sequence[date]) -> list[RefundRow]:
    """B-4 for the days."""
    return [
        RefundRow(
            date_kst=day,
            merchant_name=merchant,
            total_cnt=orders,
            refunded_cnt=refunded,
            refund_rate=ratio(refunded, orders),
            rule_id=rule_id,
        )
        for day in days
        for merchant, orders, refunded, rule_id in payment_counts(tables, rules, "payment_refunded_status", day)
    ]


def pairs(entries: Iterable[LedgerEntry], entry_types: Mapping[str, EntryType]) -> dict[EntryKey, LedgerEntry]:
    """Counterpart of every paired entry by (tx_id, wallet_id), over all days.

    Each side is ranked by (event_time, tx_id) within related_id and amount; equal ranks pair, unless both
    entries book to one wallet. wallet_id decides where one tx_id stands on a side twice.
    """
    sides: dict[tuple[str, Decimal, str], list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        if entry.related_id is not None and entry_types[entry.entry_type].pair_role:
            sides[entry.related_id, entry.amount, entry.entry_type].append(entry)
    found = {}
    for (related_id, amount, entry_type), side in sides.items():
        kind = entry_types[entry_type]
        if kind.pair_role != "OUT":
            continue
        other = sides.get((related_id, amount, kind.pair_with or ""), [])
        for out_entry, in_entry in zip(ranked(side), ranked(other), strict=False):
            if out_entry.wallet_id != in_entry.wallet_id:
                found[out_entry.tx_id, out_entry.wallet_id] = in_entry
                found[in_entry.tx_id, in_entry.wallet_id] = out_entry
    return found


def ranked(side: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """One side of the pairs in order of rank."""
    return sorted(side, key=lambda entry: (entry.event_time, entry.tx_id, entry.wallet_id))


def pairing_quality(
    tables: SilverTables, entry_types: Mapping[str, EntryType], days: Sequence[date]
) -> list[PairingRow]:
    """B-5 for the days: a day's group is its pairable entries of one related_id."""
    paired = pairs(tables.ledger_entries.values(), entry_types)
    rows = []
    for day in days:
        entries = [entry for entry in tables.ledger_entries.values() if entry.event_date_kst == day]
        groups: dict[str, list[bool]] = defaultdict(list)
        for entry in entries:
            if entry.related_id is not None and entry_types[entry.entry_type].pair_role:
                groups[entry.related_id].append((entry.tx_id, entry.wallet_id) in paired)
        rows.append(
            PairingRow(
                date_kst=day,
                entry_cnt=len(entries),
                related_id_null_rate=ratio(sum(entry.related_id is None for entry in entries), len(entries)),
                pair_candidate_rate=ratio(sum(all(group) for group in groups.values()), len(groups)),
                join_payment_orders_rate=ratio(
                    sum(tables.payment_order(related_id) is not None for related_id in groups), len(groups)
                ),
            )
        )
    return rows


def admin_index(tables: SilverTables, entry_types: Mapping[str, EntryType], days: Sequence[date]) -> list[AdminRow]:
    """B-6 for the days."""
    paired = pairs(tables.ledger_entries.values(), entry_types)
    rows = []
    for entry in tables.ledger_entries.values():
        if entry.event_date_kst in days:
            order = tables.payment_order(entry.related_id)
            partner = paired.get((entry.tx_id, entry.wallet_id))
            rows.append(
                AdminRow(
                    event_date_kst=entry.event_date_kst,
                    tx_id=entry.tx_id,
                    wallet_id=entry.wallet_id,
                    entry_type=entry.entry_type,
                    amount=entry.amount,
                    amount_signed=entry.amount_signed,
                    event_time=entry.event_time,
                    related_id=entry.related_id,
                    related_type="PAYMENT_ORDER" if order else None,
                    merchant_name=order.merchant_name if order else None,
                    payment_status=order.status if order else None,
                    paired_tx_id=partner.tx_id if partner else None,
                )
            )
    return rows


def missing_opening(row: SupplyRow, comparable: Iterable[SupplyRow]) -> dict[str, str]:
    """The opening that would leave no difference, where every day up to this one needs the same."""

    def needed(row: SupplyRow) -> Decimal:
        return row.wallet_total_balance - row.issued_supply + row.opening_supply

    earlier = {needed(compared) for compared in comparable if compared.date_kst <= row.date_kst}
    return {"ledger/supply_opening": str(needed(row))} if len(earlier) == 1 else {}


def control_exceptions(recon_rows: Iterable[ReconRow], supply_rows: Sequence[SupplyRow]) -> list[ControlException]:
    """Open exceptions of B-1 and B-2; only DRIFT and MISMATCH raise one."""
    found = [
        ControlException(
            date_kst=row.date_kst,
            exception_type="RECON_DRIFT_HIGH",
            severity=row.severity,
            metric="drift_abs",
            metric_value=scaled(row.drift_abs),
            message=json.dumps(
                {
                    "delta_balance_total": str(row.delta_balance_total),
                    "net_flow_total": str(row.net_flow_total),
                    "drift_abs": str(row.drift_abs),
                }
            ),
            rule_id=row.rule_id,
            subject=row.user_id,
        )
        for row in recon_rows
        if row.severity is not None and row.drift_abs is not None
    ]
    comparable = [row for row in supply_rows if row.verdict in {"OK", "MISMATCH", "SUPPRESSED"}]
    found += [
        ControlException(
            date_kst=row.date_kst,
            exception_type="SUPPLY_MISMATCH",
            severity=row.severity,
            metric="supply_diff_abs",
            metric_value=scaled(abs(row.diff_amount)),
            message=json.dumps(
                {
                    "issued_supply": str(row.issued_supply),
                    "wallet_total_balance": str(row.wallet_total_balance),
                    "diff_amount": str(row.diff_amount),
                }
                | missing_opening(row, comparable)
            ),
            rule_id=row.rule_id,
            subject=None,
        )
        for row in supply_rows
        if row.severity is not None
    ]
    return found
