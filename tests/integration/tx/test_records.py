"""Records of odd kinds: without a value, in a codec that is not installed, at offsets with gaps."""

from __future__ import annotations

import os

from tests.transactions.oracle import LEDGER_TOPIC
from tests.transactions.stage import Stage, entry, until

WITHOUT_ZSTD = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kafka.codec
kafka.codec.has_zstd = lambda: False
"""


def test_a_record_without_a_value_is_a_bad_event_and_harms_no_other(stage: Stage) -> None:
    producer = stage.broker.producer()
    for number in range(4):
        producer.send(stage.ledger, entry(number)[1], partition=0)
        producer.send(stage.ledger, None, key=b"t%d" % number, partition=0)
    producer.flush()
    producer.close()
    stage.start()
    stage.wait_for(*(entry(number) for number in range(4)), (LEDGER_TOPIC, b""))
    assert stage.database.sql('select key, payload, error from bo.consumer_dlq_events order by "offset"') == [
        (b"t%d" % number, None, "parse_error") for number in range(4)
    ]


def test_a_codec_that_is_not_installed_ends_the_consumer_and_names_the_place(stage: Stage) -> None:
    stage.produce(*(entry(number) for number in range(3)), partition=0)
    producer = stage.broker.producer(compression_type="zstd")
    producer.send(stage.ledger, entry(3)[1], partition=0)
    producer.flush()
    producer.close()
    folder = stage.work / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT_ZSTD)
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    code, _, err = stage.ended(stage.start(PYTHONPATH=paths))
    assert code == 1
    (line,) = [line for line in err.splitlines() if "a record cannot be read: " in line and "Libraries" in line][-1:]
    assert f"{stage.ledger}-0 at 3" in line
    assert "zstd" in err
    stage.wait_for(*(entry(number) for number in range(3)), seconds=1)
    stage.start(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    stage.wait_for(*(entry(number) for number in range(4)))


def test_a_compacted_topic_is_read_to_its_end(stage: Stage) -> None:
    stage.ledger = stage.broker.create_topic(
        partitions=2,
        cleanup_policy="compact",
        min_cleanable_dirty_ratio="0.001",
        segment_ms="100",
        delete_retention_ms="1",
    )
    for number in range(30):
        stage.broker.produce(stage.ledger, [(b"key", entry(number)[1])], partition=0)
    stage.start(PLURA_LEDGER_TOPIC=stage.ledger)
    until(lambda: stage.freshness() == {stage.ledger: 0.0, stage.orders: 0.0})
    assert ("t29",) in stage.database.sql("select tx_id from bo.ledger_entries")
