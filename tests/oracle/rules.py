"""Rules with business validity, and the entry-type seed."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from .clock import as_utc, day_start

Record: TypeAlias = Mapping[str, str | None]

OPEN_END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One version of a rule, valid in [start, end)."""

    rule_id: str
    domain: str
    metric: str
    scope: str | None
    threshold: Decimal | None
    limits: Mapping[str, Decimal]
    allowed: tuple[str, ...]
    start: datetime
    end: datetime

    def severity(self, value: Decimal | Fraction, *, inclusive: bool) -> str | None:
        """CRITICAL, WARN or None. `inclusive` compares with >= (guardrail), else with > (controls).

        The threshold counts as CRITICAL only where the severity map names neither crit nor warn.
        """

        def passed(limit: Decimal) -> bool:
            exact = Fraction(limit)
            return Fraction(value) >= exact if inclusive else Fraction(value) > exact

        limits = [(self.limits.get("crit"), "CRITICAL"), (self.limits.get("warn"), "WARN")]
        if all(limit is None for limit, _ in limits):
            limits = [(self.threshold, "CRITICAL")]
        return next((name for limit, name in limits if limit is not None and passed(limit)), None)


@dataclass(frozen=True)
class Rules:
    """All versions of all rules."""

    versions: tuple[Rule, ...]

    def at(self, domain: str, metric: str, instant: datetime, scope: str | None = None) -> Rule | None:
        """Version valid at the instant; one scoped to `scope` goes before one without scope."""
        for wanted in (scope, None):
            for rule in self.versions:
                named = (rule.domain, rule.metric, rule.scope) == (domain, metric, wanted)
                if named and rule.start <= instant < rule.end:
                    return rule
        return None

    def on_day(self, domain: str, metric: str, day: date, scope: str | None = None) -> Rule | None:
        """Version that judges the KST day: the one valid at its start."""
        return self.at(domain, metric, day_start(day), scope)

    def of(self, domain: str, metric: str, day: date | None, as_of: datetime, scope: str | None = None) -> Rule | None:
        """Version that judges a row: that of its KST day, for an undated row that of the run's instant."""
        return self.at(domain, metric, as_of if day is None else day_start(day), scope)


@dataclass(frozen=True, kw_only=True)
class EntryType:
    """Meaning of a ledger entry type: effect on the balance, on the supply, and its counterpart in a pair."""

    entry_type: str
    sign: int
    supply_sign: int
    pair_role: str | None
    pair_with: str | None


def read_csv(path: Path) -> list[dict[str, str]]:
    """Records of a seed file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parse_rules(records: Iterable[Record]) -> Rules:
    """Rules of seed records; a later version of (domain, metric, scope) ends the earlier one."""
    drafts = sorted((parse_rule(record) for record in records), key=lambda rule: rule.start)
    versions = []
    for draft in drafts:
        later = [rival.start for rival in drafts if same_rule(rival, draft) and rival.start > draft.start]
        versions.append(Rule(**(vars(draft) | {"end": min(later, default=OPEN_END)})))
    return Rules(tuple(versions))


def same_rule(left: Rule, right: Rule) -> bool:
    """Whether both are versions of one rule."""
    return (left.domain, left.metric, left.scope) == (right.domain, right.metric, right.scope)


def parse_rule(record: Record) -> Rule:
    """One rule with open end."""

    def given(column: str) -> str | None:
        return (record.get(column) or "").strip() or None

    threshold = given("threshold")
    limits = json.loads(given("severity_map") or "{}", parse_float=Decimal, parse_int=Decimal)
    return Rule(
        rule_id=given("rule_id") or "",
        domain=given("domain") or "",
        metric=given("metric") or "",
        scope=given("scope"),
        threshold=Decimal(threshold) if threshold else None,
        limits={name: Decimal(limit) for name, limit in limits.items()},
        allowed=tuple(json.loads(given("allowed_values") or "[]")),
        start=as_utc(datetime.fromisoformat(given("effective_start_ts") or "1970-01-01")),
        end=OPEN_END,
    )


def parse_entry_types(records: Iterable[Record]) -> dict[str, EntryType]:
    """Entry types of seed records by their name."""
    types = (
        EntryType(
            entry_type=record["entry_type"] or "",
            sign=int(record["sign"] or 0),
            supply_sign=int(record["supply_sign"] or 0),
            pair_role=record.get("pair_role") or None,
            pair_with=record.get("pair_with") or None,
        )
        for record in records
    )
    return {entry_type.entry_type: entry_type for entry_type in types}
