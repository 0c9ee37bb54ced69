"""Versions of seeds/rules.csv that histories publish; none has a bad-rate gate that stops a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date, timedelta

from tests.dbt_runs import PROJECT

FIRST_DAY = date(2026, 3, 2)
"""First KST day of the histories."""


def rulebook(*names: str) -> str:
    """Text of seeds/rules.csv with an open bad-rate gate and the changes of these names."""
    with (PROJECT / "seeds" / "rules.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    columns = list(records[0])
    for name in ("open gate", *names):
        for rule_id, change in CHANGES[name].items():
            place = next((n for n, record in enumerate(records) if record["rule_id"] == rule_id), None)
            if place is None:
                records.append(dict.fromkeys(columns, "") | {"rule_id": rule_id} | dict(change))
            elif "effective_start_ts" in change:
                records.append(records[place] | dict(change) | {"rule_id": f"{rule_id}_later"})
            else:
                records[place] = records[place] | dict(change)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _changed(**changes: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    return changes


def _from_day(n: int, hour: int = 0) -> str:
    """Start of validity in the seed: `hour` o'clock KST of the n-th day, which every engine has to take for that."""
    return f"{FIRST_DAY + timedelta(days=n)}T{hour:02}:00:00+09:00"


CHANGES: dict[str, Mapping[str, Mapping[str, str]]] = {
    "open gate": _changed(silver_bad_records_default={"threshold": "1", "severity_map": '{"fail": 1}'}),
    "no soft gate": _changed(
        dq_freshness_day_ledger={"severity_map": '{"crit": 99999999}'},
        dq_freshness_day_wallets={"severity_map": '{"crit": 99999999}'},
        dq_zero_windows_day_ledger={"severity_map": '{"crit": 999}'},
    ),
    "narrow tolerance": _changed(ledger_snapshot_tolerance_default={"threshold": "6"}),
    "no tolerance from day 2": _changed(
        ledger_snapshot_tolerance_default={"threshold": "0", "effective_start_ts": _from_day(2)}
    ),
    "wide tolerance from day 1": _changed(
        ledger_snapshot_tolerance_default={"threshold": "30", "effective_start_ts": _from_day(1)}
    ),
    "fewer entry types from day 2": _changed(
        silver_entry_type_allowed_v1={
            "allowed_values": '["PAYMENT", "RECEIVE", "CHARGE", "SURCHARGE"]',
            "effective_start_ts": _from_day(2),
        }
    ),
    "more statuses": _changed(
        silver_payment_status_allowed_v1={"allowed_values": '["PAID", "PENDING", "REFUNDED", "UNHEARD"]'}
    ),
    "an overdraft, and dollars from day 2": _changed(
        silver_overdraft_allowed_default={"allowed_values": '["w[12]", "4"]'},
        silver_currency_allowed_default={"allowed_values": '["KRW", "USD"]', "effective_start_ts": _from_day(2)},
    ),
    "nothing before day 1": _changed(
        silver_earliest_instant_default={
            "allowed_values": f'["{FIRST_DAY + timedelta(days=1)}"]',
            "effective_start_ts": _from_day(2),
        }
    ),
    "lenient controls": _changed(
        ledger_recon_abs_default={"threshold": "100", "severity_map": '{"warn": 10, "crit": 100}'},
        ledger_supply_diff_default={"threshold": "50", "severity_map": ""},
    ),
    "supply warned of below its threshold": _changed(
        ledger_supply_diff_default={"threshold": "100", "severity_map": '{"warn": 10, "crit": 100}'}
    ),
    "supply allowed beyond its threshold": _changed(
        ledger_supply_diff_default={"threshold": "0", "severity_map": '{"crit": 100}'}
    ),
    "supply opening": _changed(
        ledger_supply_opening={"domain": "ledger", "metric": "supply_opening", "threshold": "100"}
    ),
    "supply opening from noon of day 2": _changed(
        ledger_supply_opening={
            "domain": "ledger",
            "metric": "supply_opening",
            "threshold": "70.5",
            "effective_start_ts": _from_day(2, hour=12),
        }
    ),
    "other statuses count": _changed(
        ledger_failed_status_default={"allowed_values": '["FAILED"]', "effective_start_ts": _from_day(1)},
        ledger_refunded_status_default={"allowed_values": '["REFUNDED", "CANCELLED"]'},
    ),
    "other links from day 3": _changed(
        analytics_order_link_default={"allowed_values": r'["po_(\\d)"]', "effective_start_ts": _from_day(3)}
    ),
    "strict guardrail": _changed(
        dq_freshness_day_ledger={"threshold": "3600", "severity_map": '{"warn": 3600, "crit": 7200}'},
        dq_freshness_day_wallets={"threshold": "3600", "severity_map": '{"warn": 3600, "crit": 7200}'},
    ),
    "lenient guardrail from day 1": _changed(
        dq_freshness_day_ledger={"severity_map": '{"crit": 604800}', "effective_start_ts": _from_day(1)},
        dq_freshness_day_wallets={"severity_map": '{"crit": 604800}', "effective_start_ts": _from_day(1)},
        dq_zero_windows_day_ledger={"severity_map": '{"crit": 9}', "effective_start_ts": _from_day(1)},
    ),
}
"""What may be changed: columns of rules by rule_id. With `effective_start_ts` it is a later version beside the rule."""
