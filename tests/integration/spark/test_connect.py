"""Commands through a Spark Connect server: client and cluster are different processes, as on a real cluster."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from python_jobs.spark import session_settings
from tests.dbt_runs import PROJECT
from tests.spark import SETTINGS, java_is_missing, skip_or_fail

PLURA = str(Path(sys.executable).with_name("plura"))
PATIENCE_SECONDS = 120

LINES = {
    "user_wallets": [
        '{"user_id": "u1", "balance": "0", "frozen_amount": "0", "updated_at": "2026-02-01T15:00:00Z"}',
        '{"user_id": "u1", "balance": "5", "frozen_amount": "0", "updated_at": "2026-02-02T15:00:00Z"}',
    ],
    "transaction_ledger": [
        '{"tx_id": "t1", "wallet_id": "u1", "type": "CHARGE", "amount": "5", "created_at": "2026-02-02T03:00:00Z"}'
    ],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a Spark Connect server with Delta Lake and tables of its own."""
    if why := java_is_missing():
        skip_or_fail(why)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = session_settings(PROJECT) | {
        "spark.sql.warehouse.dir": str(tmp_path / "tables"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "America/New_York",  # what the client needs, the client sets
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    options = [part for name, value in settings.items() if value for part in ("--conf", f"{name}={value}")]
    home = str(files("pyspark"))
    service = "org.apache.spark.sql.connect.service.SparkConnectServer"
    with (tmp_path / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [f"{home}/bin/spark-submit", *options, "--class", service, "spark-internal"],
            env=os.environ | {"SPARK_HOME": home, "PYSPARK_PYTHON": sys.executable},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(process, port, tmp_path / "server.log")
        yield f"sc://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(PATIENCE_SECONDS):
        if process.poll() is not None:
            break
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(1)
    pytest.fail(f"the Spark Connect server did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def test_a_folder_is_loaded_run_and_reported_through_spark_connect(server: str, tmp_path: Path) -> None:
    raw, staging = tmp_path / "raw", tmp_path / "staging"
    for folder in (raw, staging):
        folder.mkdir()
    for source, lines in LINES.items():
        (raw / f"{source}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    environment = os.environ | SETTINGS
    environment |= {"PLURA_TARGET": "spark", "PLURA_SPARK_REMOTE": server, "PLURA_SPARK_STAGING_DIR": str(staging)}

    def plura(*arguments: str) -> str:
        done = subprocess.run(
            [PLURA, "lake", *arguments], env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "3 lines; files: 2 loaded" in plura("load", str(raw), "--no-validate")
    plura("run", "--date", "2026-02-02", "--pipeline", "guardrail")  # the pipeline with a Python model
    assert "Data quality of the day" in plura("report", "--date", "2026-02-02")
