"""``plura lake publish --target spark`` as users run it, on a warehouse of this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from python_jobs.publish import version_on_disk
from python_jobs.warehouse import LakeError, warehouse_lock
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.eventhub import TAKEN, Answer, stub_hub
from tests.spark import SHORT

PREPARE = """
import sys
import time
from pathlib import Path
from python_jobs.spark import open_session
from tests.eventhub import write_outbox_on_spark
write_outbox_on_spark(open_session(Path.cwd(), warehouse=Path(sys.argv[1])), ["a", "b", "a"])
"""


def test_a_follower_delivers_and_holds_the_warehouse_only_while_it_does(tmp_path: Path) -> None:
    """On the catalog that lets one process in: nobody could load or run beside a follower that kept its session."""
    warehouse = tmp_path / "spark"
    with stub_hub() as hub:
        plura = Plura(
            work=tmp_path,
            settings=SHORT
            | {
                "PLURA_SPARK_CATALOG": "hive",
                "PLURA_SPARK_MASTER": "local[1]",
                "PLURA_SPARK_MEMORY": "1g",
                "PLURA_SPARK_WAREHOUSE": str(warehouse),
                "PLURA_TARGET": "spark",
                "PLURA_EVENTHUB_URL": hub.url,
            },
        )
        assert plura("lake", "publish").error.startswith(f"there is no warehouse at {warehouse}: load data first")
        subprocess.run([sys.executable, "-c", PREPARE, str(warehouse)], env=plura.environment, cwd=PROJECT, check=True)
        assert version_on_disk(warehouse)
        refusals: list[str] = []

        def knock(_event: dict[str, Any], _number: int) -> Answer:
            """Try to get the warehouse while an event is on its way."""
            with pytest.raises(LakeError) as told, warehouse_lock(warehouse):
                pass
            refusals.append(str(told.value))
            return TAKEN

        hub.answer = knock
        process = plura.start("lake", "publish", "--follow", "--every", "0.2")
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "3 events delivered to the EventHub 127.0.0.1\n"
            assert comes_free(warehouse)
            assert process.poll() is None
            assert plura("lake", "publish").error.startswith("another plura lake publish is at work")
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=240)  # the JVM may be busy ending
    assert (process.returncode, out) == (130, "")
    assert err == "error: interrupted: nothing is half-written, the next run continues from what was finished\n"
    assert len(refusals) == 3
    assert all("is busy with process" in refusal for refusal in refusals)
    assert sorted(hub.taken) == [f"{number:064x}" for number in (1, 2, 3)]
    assert hub.taken.index(f"{1:064x}") < hub.taken.index(f"{3:064x}")


def comes_free(warehouse: Path) -> bool:
    """Whether nobody holds the warehouse at some moment of the next minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with warehouse_lock(warehouse):
                return True
        except LakeError:
            time.sleep(0.1)
    return False
