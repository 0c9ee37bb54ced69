"""Writes a micro-batch of a topic to Bronze: a single batch of the registry, even if it is repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from python_jobs.load.delta import ENDED, MALFORMED, DeltaBronze, NewBatch, RegisteredBatch
from python_jobs.load.lines import LONGEST_LINE
from python_jobs.stream.feeds import Feed
from python_jobs.stream.typing import Span, typed_columns, typed_schema, typing_of
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class MicroBatchWriter:
    """Writes the micro-batches of one query.

    ``query_id`` gives the id that the checkpoint keeps: a query that starts from scratch gets a new id, and its
    batches are new.
    """

    bronze: DeltaBronze
    feed: Feed
    query_id: Callable[[], str]
    longest: int = LONGEST_LINE

    def write(self, messages: DataFrame, number: int) -> NewBatch | None:
        """Write micro-batch ``number`` and return it; a repetition changes nothing once the batch is complete.

        Raises:
            LakeError: another process took over the batch several times.
        """
        batch_id = batch_id_of(self.query_id(), self.feed.table, number)
        if any(batch.status in ENDED for batch in self.bronze.batches([batch_id])):
            return None
        messages = messages.select("key", "value", "partition", "offset").persist()
        try:
            spans = self._spans(messages)
            if not spans:
                return None
            typing = typing_of(self.feed, self.bronze.tables, spans, longest=self.longest)
            typed = messages.mapInArrow(typing, typed_schema(self.bronze.tables[self.feed.table])).persist()
            try:
                return self._write(typed, batch_id, spans)
            finally:
                typed.unpersist()
        finally:
            messages.unpersist()

    def _spans(self, messages: DataFrame) -> list[Span]:
        """The line numbers of each partition's messages in the batch, in order of partition and offset."""
        from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

        ranges = messages.groupBy("partition").agg(F.min("offset").alias("first"), F.max("offset").alias("last"))
        spans: list[Span] = []
        base = 1
        for partition, first, last in sorted(tuple(row) for row in ranges.collect()):
            spans.append(Span(topic=self.feed.topic, partition=partition, first=first, last=last, base=base))
            base += last - first + 1
        return spans

    def _write(self, typed: DataFrame, batch_id: str, spans: list[Span]) -> NewBatch | None:
        from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

        (counted,) = typed.agg(
            F.count_if(F.col("error").isNull()).alias("rows"), F.count_if(F.col("error").isNotNull()).alias("malformed")
        ).collect()
        if not counted["rows"] and not counted["malformed"]:
            return None
        new = NewBatch(
            batch_id=batch_id,
            table_name=self.feed.table,
            source_file=f"kafka:{self.feed.topic}",
            source_offsets=json.dumps([vars(span) for span in spans]),
            loaded_at=datetime.now(UTC),
            row_count=counted["rows"],
            malformed_count=counted["malformed"],
        )
        for _ in range(_ATTEMPTS):
            batch = self.bronze.begin([new])[batch_id]
            if batch.status in ENDED:
                return None
            if counted["malformed"]:
                self.bronze.append(batch, MALFORMED, _malformed_rows(typed, batch))
            if counted["rows"]:
                self.bronze.append(batch, self.feed.table, self._good_rows(typed, batch))
            if not self.bronze.finish([batch]):
                return new
            self.bronze.settle(batch)
            if any(batch.status in ENDED for batch in self.bronze.batches([batch_id])):
                return new
        raise LakeError(f"micro-batch {batch_id} of {self.feed.topic} was not written: others keep taking it over")

    def _good_rows(self, typed: DataFrame, batch: RegisteredBatch) -> DataFrame:
        from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

        names = [column.name for column in typed_columns(self.bronze.tables[self.feed.table])]
        return typed.where(F.col("error").isNull()).select(
            *names, F.lit(batch.batch_id).alias("batch_id"), _instant(batch).alias("ingested_at")
        )


def batch_id_of(query_id: str, table: str, number: int) -> str:
    """Return the id of a micro-batch's batch."""
    return hashlib.sha256(f"{query_id}|{table}|{number}".encode()).hexdigest()[:16]


def _malformed_rows(typed: DataFrame, batch: RegisteredBatch) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

    return typed.where(F.col("error").isNotNull()).select(
        F.lit(batch.batch_id).alias("batch_id"),
        F.lit(batch.table_name).alias("table_name"),
        "line_number",
        "raw_line",
        "error",
        _instant(batch).alias("ingested_at"),
        F.lit(None).cast("timestamp").alias("source_extracted_at"),
    )


def _instant(batch: RegisteredBatch):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a column of PySpark
    """The instant of loading as a literal of Spark."""
    from pyspark.sql import functions as F  # noqa: N812 - the name that PySpark's users know

    return F.lit(batch.loaded_at.replace(tzinfo=UTC))
