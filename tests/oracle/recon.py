"""B-1: change of each wallet's balance between two boundary snapshots against the flow of exactly that span."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .clock import MICROSECOND, day_end, day_start
from .numbers import ZERO, money, scaled, total
from .rules import Rules
from .silver import LedgerEntry, SilverTables

DEFAULT_TOLERANCE_HOURS = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Point:
    """Snapshot of one wallet; a virtual one states the empty wallet just before its first entry."""

    instant: datetime
    balance: Decimal
    is_virtual: bool = False


@dataclass(kw_only=True)
class Wallet:
    """Whole history of one wallet."""

    user_id: str
    points: list[Point] = field(default_factory=list)
    snapshot_days: set[date] = field(default_factory=set)
    entries: list[LedgerEntry] = field(default_factory=list)

    def flow(self, after: datetime, until: datetime) -> Decimal:
        """Signed flow of the entries in (after, until]."""
        return total([entry.amount_signed for entry in self.entries if after < entry.event_time <= until])

    def day_flow(self, day: date) -> Decimal:
        """Signed flow of the plain KST day."""
        return total([entry.amount_signed for entry in self.entries if entry.event_date_kst == day])

    def has_entry_on(self, day: date) -> bool:
        """Whether an entry is dated this day."""
        return any(entry.event_date_kst == day for entry in self.entries)

    def balance_at_end(self, day: date, closing: Point) -> Decimal:
        """Closing balance rolled to the end of the day. The entry at the exact end belongs to the next day."""
        end = day_end(day)
        later = [entry.amount_signed for entry in self.entries if closing.instant < entry.event_time < end]
        ahead = [entry.amount_signed for entry in self.entries if end <= entry.event_time <= closing.instant]
        return money(closing.balance + total(later) - total(ahead))


@dataclass(frozen=True, kw_only=True)
class ReconRow:
    """Row of gold.recon_daily_snapshot_flow."""

    date_kst: date
    user_id: str
    delta_balance_total: Decimal | None
    net_flow_total: Decimal
    drift_abs: Decimal | None
    drift_pct: Decimal | None
    dq_tag: str | None
    rule_id: str | None
    opening_ts: datetime | None
    opening_balance: Decimal | None
    closing_ts: datetime | None
    closing_balance: Decimal | None
    net_flow_kst_day: Decimal
    coverage: str
    verdict: str
    severity: str | None


def wallets_of(tables: SilverTables) -> list[Wallet]:
    """Every wallet ever seen, virtual snapshots of new wallets included."""
    wallets: dict[str, Wallet] = {}
    grouped: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in tables.ledger_entries.values():
        grouped[entry.wallet_id].append(entry)
    for snapshot in tables.wallet_snapshot.values():
        wallet = wallets.setdefault(snapshot.user_id, Wallet(user_id=snapshot.user_id))
        wallet.points.append(Point(instant=snapshot.snapshot_ts, balance=snapshot.balance_total))
        wallet.snapshot_days.add(snapshot.snapshot_date_kst)
    for user_id, entries in grouped.items():
        wallets.setdefault(user_id, Wallet(user_id=user_id)).entries = entries
    feed_start = min((point.instant for wallet in wallets.values() for point in wallet.points), default=None)
    for wallet in wallets.values():
        wallet.points.sort(key=lambda point: point.instant)
        if wallet.points and wallet.entries and feed_start is not None:
            first_entry = min(entry.event_time for entry in wallet.entries)
            if feed_start < first_entry < wallet.points[0].instant:
                wallet.points.insert(0, Point(instant=first_entry - MICROSECOND, balance=ZERO, is_virtual=True))
    return [wallets[user_id] for user_id in sorted(wallets)]


def tolerance(rules: Rules, instant: datetime) -> timedelta:
    """Greatest distance of a boundary snapshot, by the rule valid at the boundary."""
    rule = rules.at("ledger", "snapshot_tolerance_hours", instant)
    hours = rule.threshold if rule and rule.threshold is not None else DEFAULT_TOLERANCE_HOURS
    return timedelta(microseconds=int(hours * 3_600_000_000))


def boundary(wallet: Wallet, instant: datetime, rules: Rules) -> Point | None:
    """Nearest snapshot within the tolerance (ties: the earlier), else the latest before, else None."""
    reach = tolerance(rules, instant)
    near = [point for point in wallet.points if abs(point.instant - instant) <= reach]
    if near:
        return min(near, key=lambda point: (abs(point.instant - instant), point.instant))
    before = [point for point in wallet.points if point.instant < instant]
    return max(before, key=lambda point: point.instant, default=None)


def is_stale(closing: Point, day: date, rules: Rules) -> bool:
    """Whether the closing snapshot is older than the tolerance at the end of the day."""
    return day_end(day) - closing.instant > tolerance(rules, day_end(day))


def recon_row(wallet: Wallet, day: date, rules: Rules, tag: str | None, *, gated: bool) -> ReconRow | None:
    """The wallet's row of the day; None when nothing of it is dated the day and its span is empty."""
    closing = boundary(wallet, day_end(day), rules)
    opening = boundary(wallet, day_start(day), rules)
    opens_at_first = opening is None and closing is not None
    if opens_at_first:
        opening = wallet.points[0]
    moved = opening is not None and closing is not None and opening.instant != closing.instant
    has_entry = wallet.has_entry_on(day)
    if not (has_entry or moved or day in wallet.snapshot_days):
        return None

    coverage = coverage_of(wallet, day, rules, opening, closing, opens_at_first=opens_at_first)
    incomparable = coverage in {"NO_SNAPSHOT", "NO_CLOSING"} or (
        coverage in {"STALE_SNAPSHOT", "NO_OPENING"} and not moved
    )
    net_flow_total = wallet.day_flow(day)
    delta = drift = pct = None
    if opening is not None and closing is not None:
        net_flow_total = wallet.flow(opening.instant, closing.instant)
        if not incomparable:
            delta = money(closing.balance - opening.balance)
            drift = abs(delta - net_flow_total)
            pct = scaled(Fraction(drift) / abs(Fraction(net_flow_total))) if net_flow_total else None

    rule = rules.on_day("ledger", "drift_abs", day)
    severity = rule.severity(drift, inclusive=False) if rule and drift is not None else None
    verdict = "UNRECONCILED" if incomparable else ("DRIFT" if severity else "OK")
    if gated:
        verdict = "SUPPRESSED"
    return ReconRow(
        date_kst=day,
        user_id=wallet.user_id,
        delta_balance_total=delta,
        net_flow_total=net_flow_total,
        drift_abs=drift,
        drift_pct=pct,
        dq_tag=tag,
        rule_id=rule.rule_id if rule else None,
        opening_ts=opening.instant if opening else None,
        opening_balance=opening.balance if opening else None,
        closing_ts=closing.instant if closing else None,
        closing_balance=closing.balance if closing else None,
        net_flow_kst_day=wallet.day_flow(day),
        coverage=coverage,
        verdict=verdict,
        severity=severity if verdict == "DRIFT" else None,
    )


def coverage_of(
    wallet: Wallet, day: date, rules: Rules, opening: Point | None, closing: Point | None, *, opens_at_first: bool
) -> str:
    """How far snapshots cover the day; what weighs most comes first."""
    if not wallet.points:
        return "NO_SNAPSHOT"
    if closing is None:
        return "NO_CLOSING"
    after = [entry for entry in wallet.entries if entry.event_date_kst == day and entry.event_time > closing.instant]
    if after and is_stale(closing, day, rules):
        return "STALE_SNAPSHOT"
    if opening is not None and opening.is_virtual:
        return "NEW_WALLET"
    return "NO_OPENING" if opens_at_first else "FULL"
