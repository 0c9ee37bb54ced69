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
from tests.spark import SHORT

PATIENCE_SECONDS = 120

LINES = {
    "user_wallets": """
        {"user_id": "u1", "balance": "0", "frozen_amount": "0", "updated_at": "2026-02-01T15:00:00Z"}
        {"user_id": "u1", "balance": "5", "frozen_amount": "0", "updated_at": "2026-02-02T15:00:00Z"}
    """.strip(),
    "transaction_ledger": """
        {"tx_id": "t1", "wallet_id": "u1", "type": "CHARGE", "amount": "5", "created_at": "2026-02-02T03:00:00Z"}
    """.strip(),
}

FILES = {
    "dbt_project.yml": "name: small\nversion: 1.0.0\nprofile: small\nflags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": """
small:
  outputs:
    default:
      type: sparksession
      method: session
      host: localhost
      schema: small
      threads: 1
      server_side_parameters:
        spark.remote: "{{ env_var('PLURA_SPARK_REMOTE') }}"
        spark.sql.session.timeZone: UTC
        spark.sql.variable.substitute: "false"
""",
    "seeds/colours.csv": "id,name\n1,red\n2,\n",
    "models/counted.sql": """
        {{ config(materialized='table', file_format='delta') }}
        select count(name) as n, unix_timestamp(timestamp '1970-01-02 00:00:00') as a_day, '${env:PATH}' as text
        from {{ ref('colours') }}
    """,
    "models/doubled.py": """
def model(dbt, session):
    dbt.config(materialized="table", file_format="delta")
    return dbt.ref("counted").selectExpr("n * 2 as n", "a_day", "text")
""",
    "tests/as_meant.sql": """
        select * from {{ ref('doubled') }} where n <> 2 or a_day <> 86400 or text <> concat('$', '{env:PATH}')
    """,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a Spark Connect server with Delta Lake and tables of its own."""
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


def command(program: str, *arguments: str, settings: dict[str, str], folder: Path = PROJECT) -> str:
    """Run a command of the environment to its end and return what it printed."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=folder,
        env=os.environ | SHORT | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_folders_are_loaded_and_models_built_through_spark_connect(server: str, tmp_path: Path) -> None:
    """Python models too; a statement means what it means in a session of one's own, whatever the server's settings."""
    raw, staging, project = (tmp_path / name for name in ("raw", "staging", "project"))
    staging.mkdir()
    for name, text in {**FILES, **{f"../raw/{source}.jsonl": text for source, text in LINES.items()}}.items():
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    settings = {"PLURA_TARGET": "spark", "PLURA_SPARK_REMOTE": server, "PLURA_SPARK_STAGING_DIR": str(staging)}
    assert "3 lines; files: 2 loaded" in command("plura", "lake", "load", str(raw), "--no-validate", settings=settings)
    assert command("plura", "lake", "batches", settings=settings).count("  loaded  ") == len(LINES)
    assert "ERROR=0" in command("dbt", "build", "--profiles-dir", ".", folder=project, settings=settings)
