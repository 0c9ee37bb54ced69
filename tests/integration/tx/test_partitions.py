"""The ledger over 16 partitions behaves as one table."""

from __future__ import annotations

import random
from pathlib import Path

from tests.commands import Plura
from tests.integration.tx.test_migrations import ALLOWED, RIGHTS
from tests.postgres import TestDatabase
from tests.transactions.generated import event
from tests.transactions.oracle import state_of
from tests.transactions.storing import Writer, state_in

INDEXES = "select indexname, replace(indexdef, ' ONLY', '') from pg_indexes where tablename = 'ledger_entries'"


def test_a_spread_ledger_keeps_its_rows_and_takes_more(bo: TestDatabase, tmp_path: Path) -> None:
    dice = random.Random(16)
    events = [event(dice, number) for number in range(600)]
    writer = Writer(bo)
    writer.write(*events[:300])
    plura = Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": bo.url})
    before = bo.sql(INDEXES)
    outcome = plura("tx", "migrate", "--ledger-partitions", "16")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "spread bo.ledger_entries over 16 partitions")
    assert "spread" not in plura("tx", "migrate", "--ledger-partitions", "16").out
    assert "16 partitions already" in plura("tx", "migrate", "--ledger-partitions", "8").error

    for start in range(300, 600, 50):
        writer.write(*events[start : start + 50])
    writer.close()
    with bo.client().connect("check") as connection:
        assert state_in(connection) == state_of(events)
    assert bo.sql("select count(distinct tableoid) from bo.ledger_entries") == [(16,)]
    after = bo.sql(INDEXES)
    assert sorted(before) == sorted(after)
    assert bo.sql("select count(*) from bo.traced_entries", role="bo_api") == bo.sql(
        "select count(*) from bo.ledger_entries", role="bo_api"
    )
    for role, tables in ALLOWED.items():
        found = [
            right
            for right in RIGHTS
            if bo.sql("select has_table_privilege(%s, 'bo.ledger_entries', %s)", [role, right]) == [(True,)]
        ]
        assert found == tables["ledger_entries"].split(), role
    plan = "\n".join(line for (line,) in bo.sql("explain select * from bo.ledger_entries where tx_id = 't1'"))
    assert plan.count("Scan") == 1, "a look-up by id reads one partition"
