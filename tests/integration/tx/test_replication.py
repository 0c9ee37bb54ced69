"""The lag of a replica, as the API reads it."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.queries import read_queries
from plura.tx.db import API_ROLE, CONSUMER_ROLE
from tests.postgres import TestDatabase

LAG = read_queries("plura.tx.db", "lookups.sql")["replication_lag"]


def test_the_api_reads_the_lag_of_a_replica_and_nothing_else_of_it(
    bo: TestDatabase, postgres: EmbeddedPostgres
) -> None:
    assert bo.sql(LAG, role=API_ROLE) == [(None,)]
    with TemporaryDirectory(prefix="plura-pg-") as folder:
        replica = EmbeddedPostgres(Path(folder) / "replica", fsync="off", max_connections="60")
        replica._own(replica.folder)
        Path(folder).chmod(0o711)
        replica._run("pg_basebackup", "-D", replica.folder, "-d", postgres.url, "-R", "-c", "fast", "--no-sync")
        (replica.folder / ".s.PGSQL.5432.lock").unlink()  # the primary's socket lies in its folder
        replica.start()
        try:
            deadline = time.monotonic() + 20
            found = None
            while found is None and time.monotonic() < deadline:
                bo.sql("insert into bo.backfills values (%s, 'ledger', '', 0, 0, 0, 0)", [str(deadline).encode()])
                bo.sql("delete from bo.backfills")
                time.sleep(0.1)
                ((found,),) = bo.sql(LAG, role=API_ROLE)
            assert found is not None
            assert 0 <= found < 20
            assert bo.sql("select pid is not null, replay_lag from pg_stat_replication", role=API_ROLE) == [
                (True, None)
            ]
        finally:
            replica.stop("immediate")


def test_no_other_role_may_ask(bo: TestDatabase) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        bo.sql(LAG, role=CONSUMER_ROLE)
