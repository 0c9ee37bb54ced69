"""The real dbt-databricks adapter against the local endpoint, with a small project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.databricks.endpoint import running_endpoint
from tests.spark import skip_or_fail

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FILES = {
    "dbt_project.yml": "name: small\nversion: 1.0.0\nprofile: small\nflags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": """
small:
  target: databricks
  outputs:
    databricks:
      type: databricks
      host: "{{ env_var('DATABRICKS_HOST') }}"
      http_path: "{{ env_var('DATABRICKS_HTTP_PATH') }}"
      token: "{{ env_var('DATABRICKS_TOKEN') }}"
      catalog: "{{ env_var('PLURA_DATABRICKS_CATALOG') }}"
      schema: small
      threads: 1
      connection_parameters: {use_sea: true, _tls_trusted_ca_file: "{{ env_var('PLURA_DATABRICKS_CA_FILE') }}"}
""",
    "seeds/colours.csv": "id,name\n1,red\n2,\n",
    "models/named.sql": "select id, name from {{ ref('colours') }} where name is not null",
    "models/counted.sql": (
        "{{ config(materialized='table', liquid_clustered_by='n', grants={'select': ['analysts']}) }}\n"
        "select count(*) as n from {{ ref('named') }}"
    ),
    "models/doubled.py": (
        "def model(dbt, session):\n"
        "    dbt.config(materialized='table', submission_method='serverless_cluster')\n"
        "    return dbt.ref('counted').selectExpr('n * 2 as n')\n"
    ),
}


def test_seeds_views_tables_grants_and_python_models_go_the_adapters_own_way(
    spark_session: SparkSession, tmp_path: Path
) -> None:
    for name, text in FILES.items():
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    try:
        running = running_endpoint(spark_session, tmp_path, token="t0", secret="s0")  # noqa: S106 - made up
        with running as endpoint:
            done = subprocess.run(
                [sys.executable, "-m", "dbt.cli.main", "build", "--profiles-dir", "."],
                cwd=tmp_path / "project",
                env=os.environ | endpoint.environment,
                capture_output=True,
                text=True,
                timeout=150,
                check=False,
            )
    except OSError as error:
        skip_or_fail(f"port 443 of localhost cannot be had: {error}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert [row.n for row in spark_session.table("small.doubled").collect()] == [2]
    assert ("grants", "grant select on `plura`.`small`.`counted` to `analysts`") in [
        (kind, " ".join(text.lower().split())) for kind, text in endpoint.dialect.recorded
    ]
    (run,) = endpoint.jobs.runs.values()
    assert run.submission["tasks"][0]["notebook_task"]["notebook_path"] in endpoint.jobs.notebooks
