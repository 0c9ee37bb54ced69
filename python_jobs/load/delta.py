"""Bronze on Delta Lake: its tables, and the registry of batches with the protocol that keeps a batch whole.

Delta has no transaction over several tables, so that a batch is three steps: (1) a row in the registry with status
``loading`` and the next ``batch_seq``; (2) its rows, appended at most once to each table by Delta's application
transaction (``txnAppId`` the batch, ``txnVersion`` its number); (3) status ``loaded``. Only rows of loaded batches are
read. Each step may be repeated, by whoever goes on with the batch. A batch that nobody finishes is ``abandoned``: its
transactions are claimed by empty appends first, so that a late writer cannot add to what is being deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from python_jobs.instants import epoch_us, of_epoch_us
from python_jobs.load.batches import Batch, only_match, reason_of_new, reason_of_old, replacement_link
from python_jobs.load.bronze import SEQ_PER_BATCH
from python_jobs.spark import retried, write
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from python_jobs.contracts import Table

REGISTRY = "bronze.load_registry"
MALFORMED = "malformed_lines"
ENDED = frozenset({"loaded", "withdrawn"})
"""Statuses of a batch that no load works on any more."""

ABANDONED_AFTER = timedelta(minutes=15)
"""How long a batch may be ``loading`` before another load takes it for lost; taking a live one costs it a retry."""

_WRITERS_MEET = " tblproperties ('delta.enableDeletionVectors' = 'false')"
"""With deletion vectors Databricks lets two statements commit at once that insert different rows: under one number."""

_NEW = (
    "ordinal int, batch_id string, table_name string, source_file string, source_offsets string, content_sha256 string,"
    " extracted_us bigint, loaded_us bigint, row_count bigint, malformed_count bigint, reason string"
)


@dataclass(frozen=True, kw_only=True)
class NewBatch:
    """A batch before it is registered; instants are aware."""

    batch_id: str
    table_name: str
    source_file: str
    loaded_at: datetime
    row_count: int
    malformed_count: int
    source_offsets: str | None = None
    content_sha256: str | None = None
    extracted_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegisteredBatch(Batch):
    """A row of the registry, with further columns for the protocol; instants are UTC without a zone."""

    content_sha256: str | None
    extracted_at: datetime | None
    status_seq: int
    status_changed_at: datetime


class DeltaBronze:
    """The Bronze tables of a Spark session's catalog."""

    def __init__(self, session: SparkSession, tables: dict[str, Table]) -> None:
        self.session = session
        self.tables = tables

    def create_tables(self) -> None:
        """Create the schema bronze and every table of the contract that is missing."""
        self.session.sql("create schema if not exists bronze")
        there = {row["tableName"] for row in self.session.sql("show tables in bronze").collect()}
        for table in (table for table in self.tables.values() if table.name not in there):
            columns = ", ".join(f"{column.name} {column.data_type}" for column in table.columns)
            properties = _WRITERS_MEET if f"bronze.{table.name}" == REGISTRY else ""
            self.session.sql(f"create table if not exists bronze.{table.name} ({columns}) using delta{properties}")

    def batches(self, ids: Iterable[str] | None = None) -> list[RegisteredBatch]:
        """Return the batches, all or those with the given ids, in the order of their numbers."""
        which = "" if ids is None else f" where batch_id in ({_texts(ids)})"
        rows = self.session.sql(
            "select batch_id, batch_seq, table_name, source_file, row_count, malformed_count, status, reason,"
            " unix_micros(loaded_at) as loaded_at, content_sha256, unix_micros(extracted_at) as extracted_at,"
            " status_seq, unix_micros(status_changed_at) as status_changed_at"
            f" from {REGISTRY}{which} order by batch_seq"
        ).collect()
        found = []
        for row in rows:
            values: dict[str, Any] = row.asDict()
            for name in ("loaded_at", "extracted_at", "status_changed_at"):
                # Spark's own conversion would use the zone of this machine
                values[name] = None if values[name] is None else of_epoch_us(values[name])
            found.append(RegisteredBatch(**values))
        return found

    def begin(self, batches: Sequence[NewBatch]) -> dict[str, RegisteredBatch]:
        """Step 1: register batches as ``loading`` with the next numbers, and return the rows of the registry by id.

        A batch that is registered already keeps its number and its instants, unless it was abandoned. One statement
        that reads the whole table: of two writers at once Delta lets one commit, and the other tries again.
        """
        given = [
            {
                "ordinal": ordinal,
                "batch_id": batch.batch_id,
                "table_name": batch.table_name,
                "source_file": batch.source_file,
                "source_offsets": batch.source_offsets,
                "content_sha256": batch.content_sha256,
                "extracted_us": epoch_us(batch.extracted_at) if batch.extracted_at else None,
                "loaded_us": epoch_us(batch.loaded_at),
                "row_count": batch.row_count,
                "malformed_count": batch.malformed_count,
                "reason": batch.reason,
            }
            for ordinal, batch in enumerate(batches)
        ]
        columns = {
            "batch_seq": "s.batch_seq",
            "table_name": "s.table_name",
            "source_file": "s.source_file",
            "source_offsets": "s.source_offsets",
            "content_sha256": "s.content_sha256",
            "extracted_at": "timestamp_micros(s.extracted_us)",
            "row_count": "s.row_count",
            "malformed_count": "s.malformed_count",
            "status": "'loading'",
            "loaded_at": "timestamp_micros(s.loaded_us)",
            "status_changed_at": "$now",
            "status_seq": "s.status_seq",
            "reason": "s.reason",
        }
        updates = ", ".join(f"{name} = {value}" for name, value in columns.items())
        write(
            self.session,
            f"""
            merge into {REGISTRY} as t
            using (
                select given.*, highest.seq + row_number() over (order by given.ordinal) as batch_seq,
                    coalesce(known.status_seq, 0) as status_seq
                from (select inline(from_json($given, 'array<struct<{_struct(_NEW)}>>'))) as given
                cross join (select coalesce(max(batch_seq), 0) as seq from {REGISTRY}) as highest
                left join {REGISTRY} as known on given.batch_id = known.batch_id
                where known.batch_id is null or known.status = 'abandoned'
                    or (known.status = 'loading' and given.reason is not null)
            ) as s
            on t.batch_id = s.batch_id
            when matched and t.status = 'abandoned' then update set {updates}
            when matched then update set reason = s.reason
            when not matched then insert (batch_id, {", ".join(columns)})
                values (s.batch_id, {", ".join(columns.values())})
            """,
            given=json.dumps(given),
            now=datetime.now(UTC),
        )
        return {batch.batch_id: batch for batch in self.batches(batch.batch_id for batch in batches)}

    def append(self, batch: Batch, table: str, rows: DataFrame) -> None:
        """Step 2: append rows of a batch to a table, once; ``rows`` has the table's columns except ``ingest_seq``.

        A table that was created before the contract had a column gains it.
        """
        from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

        stamped = rows.withColumn("ingest_seq", F.lit(batch.batch_seq * SEQ_PER_BATCH) + F.col("line_number"))
        retried(
            lambda: (
                stamped.write.format("delta")
                .mode("append")
                .option("txnAppId", batch.batch_id)
                .option("txnVersion", batch.batch_seq)
                .option("mergeSchema", "true")
                .saveAsTable(f"bronze.{table}")
            )
        )

    def finish(self, batches: Sequence[Batch]) -> list[Batch]:
        """Step 3: mark batches ``loaded`` whose rows are all there; return the others, which were taken from us.

        A batch that replaces another one is loaded by the statement that withdraws the other.
        """
        complete = self._complete(batches)
        registered = {batch.batch_id: batch for batch in self.batches(complete)} if complete else {}
        replacing = {batch_id: link for batch_id, batch in registered.items() if (link := replacement_link(batch))}
        if plain := complete - replacing.keys():
            write(
                self.session,
                f"update {REGISTRY} set status = 'loaded', status_changed_at = $now"
                f" where status = 'loading' and batch_id in ({_texts(plain)})",
                now=datetime.now(UTC),
            )
        for new_id, (old_id, reason) in replacing.items():
            self._change_places(new_id, old_id, reason, of_status=("loading",), now=datetime.now(UTC))
        return [batch for batch in batches if batch.batch_id not in complete]

    def swap(self, new_id: str, old_id: str, *, reason: str, now: datetime) -> None:
        """Let a batch that was loaded before, even if it is withdrawn, replace another one."""
        self._change_places(new_id, old_id, reason, of_status=("loaded", "withdrawn"), now=now)

    def _change_places(
        self, new_id: str, old_id: str, reason: str, *, of_status: tuple[str, ...], now: datetime
    ) -> None:
        """Load a batch of some status and withdraw another one, in one statement; nothing if its status is another."""
        statuses = ", ".join(f"'{status}'" for status in of_status)
        write(
            self.session,
            f"""
            merge into {REGISTRY} as t
            using (
                select new.batch_id as new_id, highest.seq as seq
                from {REGISTRY} as new
                cross join (select max(status_seq) as seq from {REGISTRY}) as highest
                where new.batch_id = $new and new.status in ({statuses})
            ) as s
            on t.batch_id in (s.new_id, $old)
            when matched and t.batch_id = s.new_id then update set status = 'loaded', reason = $reason_of_new,
                status_seq = case when t.status = 'withdrawn' then s.seq + 2 else t.status_seq end,
                status_changed_at = $now
            when matched and t.status = 'loaded' then update set status = 'withdrawn', reason = $reason_of_old,
                status_seq = s.seq + 1, status_changed_at = $now
            """,
            new=new_id,
            old=old_id,
            reason_of_new=reason_of_new(old_id, reason),
            reason_of_old=reason_of_old(new_id, reason),
            now=now,
        )

    def recover(
        self, *, abandoned_after: timedelta = ABANDONED_AFTER, but_not: Iterable[str] = ()
    ) -> list[RegisteredBatch]:
        """Settle the batches that have been ``loading`` for too long, and return those that may still be at work.

        Args:
            abandoned_after: how long a batch may be loading.
            but_not: ids of batches that the caller goes on with.
        """
        others = set(but_not)
        loading = [batch for batch in self.batches() if batch.status == "loading" and batch.batch_id not in others]
        latest = datetime.now(UTC).replace(tzinfo=None) - abandoned_after
        for batch in loading:
            if batch.status_changed_at <= latest:
                self.settle(batch)
        return [batch for batch in loading if batch.status_changed_at > latest]

    def settle(self, batch: Batch) -> None:
        """End a batch that nobody ends: ``loaded`` if all its rows are there, else ``abandoned`` without a row.

        Safe against a writer that lives: once its transactions are claimed it can append nothing more, and what it has
        appended before is either all there is, or taken away. It may begin the batch again, under a new number, while
        we are still at it: only rows of the number that we settle are deleted.
        """
        for table in (MALFORMED, batch.table_name):
            columns = [column for column in self.tables[table].columns if column.name != "ingest_seq"]
            nothing = ", ".join(f"cast(null as {column.data_type}) as {column.name}" for column in columns)
            self.append(batch, table, self.session.sql(f"select {nothing} where false"))
        if not self.finish([batch]):
            return
        for table in (MALFORMED, batch.table_name):
            write(
                self.session,
                f"delete from bronze.{table} where batch_id = $id and ingest_seq >= $first and ingest_seq < $end",
                id=batch.batch_id,
                first=batch.batch_seq * SEQ_PER_BATCH,
                end=(batch.batch_seq + 1) * SEQ_PER_BATCH,
            )
        write(
            self.session,
            f"update {REGISTRY} set status = 'abandoned', status_changed_at = $now"
            " where status = 'loading' and batch_id = $id and batch_seq = $seq",
            now=datetime.now(UTC),
            id=batch.batch_id,
            seq=batch.batch_seq,
        )

    def set_status(self, ids: Sequence[str], status: str, *, reason: str, now: datetime) -> list[Batch]:
        """Withdraw batches or reinstate them, all or none; as ``set_batch_status`` does on DuckDB.

        Raises:
            LakeError: no or several batches match an id, or a batch has that status already or is still being loaded.
        """
        known: list[Batch] = list(self.batches())
        chosen: list[Batch] = []
        for batch_id in ids:
            match = only_match(known, batch_id, status)
            if match in chosen:
                raise LakeError(f"batch {match.batch_id} ({match.source_file}) is named twice")
            chosen.append(match)
        if loading := [batch for batch in chosen if batch.status not in {"loaded", "withdrawn"}]:
            raise LakeError(
                f"batch {loading[0].batch_id} ({loading[0].source_file}) is {loading[0].status}: load the file again,"
                " which finishes it, and then withdraw it"
            )
        given = [{"ordinal": number, "batch_id": batch.batch_id} for number, batch in enumerate(chosen, 1)]
        write(
            self.session,
            f"""
            merge into {REGISTRY} as t
            using (
                select given.batch_id, highest.seq + given.ordinal as status_seq
                from (select inline(from_json($given, 'array<struct<ordinal: int, batch_id: string>>'))) as given
                cross join (select max(status_seq) as seq from {REGISTRY}) as highest
            ) as s
            on t.batch_id = s.batch_id
            when matched then update set status = $status, reason = $reason, status_seq = s.status_seq,
                status_changed_at = $now
            """,
            given=json.dumps(given),
            status=status,
            reason=reason,
            now=now,
        )
        changed = {batch.batch_id: batch for batch in self.batches(batch.batch_id for batch in chosen)}
        return [changed[batch.batch_id] for batch in chosen]

    def _complete(self, batches: Sequence[Batch]) -> set[str]:
        """Ids of the batches of which Bronze holds as many rows as the registry says."""
        if not batches:
            return set()
        ids = {MALFORMED: _texts(batch.batch_id for batch in batches)}
        for name in {batch.table_name for batch in batches}:
            ids[name] = _texts(batch.batch_id for batch in batches if batch.table_name == name)
        # one statement, because planning, not counting, takes the time
        counts = " union all ".join(
            f"select '{table}' as table_name, batch_id, count(*) as rows from bronze.{table}"
            f" where batch_id in ({wanted}) group by batch_id"
            for table, wanted in ids.items()
        )
        found = {(row["table_name"], row["batch_id"]): row["rows"] for row in self.session.sql(counts).collect()}
        return {
            batch.batch_id
            for batch in batches
            if found.get((batch.table_name, batch.batch_id), 0) == batch.row_count
            and found.get((MALFORMED, batch.batch_id), 0) == batch.malformed_count
        }


def _struct(columns: str) -> str:
    """Columns as fields of a struct."""
    return ", ".join(": ".join(column.split()) for column in columns.split(","))


def _texts(values: Iterable[str]) -> str:
    """SQL literals of ids, which hold hexadecimal digits only."""
    return ", ".join(f"'{value}'" for value in values if value.isalnum()) or "''"
