"""The Spark session of the lake, with the settings that the dbt profile names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WAREHOUSE_VARIABLE = "PLURA_SPARK_WAREHOUSE"
"""Environment variable by which the profile learns where the tables and the catalog lie."""


def open_session(project_dir: Path, *, warehouse: Path | None = None) -> SparkSession:
    """Return the running Spark session, else start one as target ``spark`` of the dbt profile says.

    Args:
        project_dir: the dbt project.
        warehouse: folder of the tables and the catalog; by default the one that the profile names.

    Raises:
        LakeError: Java is missing, the jars cannot be fetched, or the server cannot be reached.
    """
    from dbt.adapters.sparksession.session import session

    if warehouse is not None:
        os.environ[WAREHOUSE_VARIABLE] = str(warehouse)
    try:
        opened: SparkSession = session(session_settings(project_dir))
    except Exception as error:  # PySpark raises what it meets: OSError, RuntimeError, Py4J's errors
        raise LakeError(
            f"Spark does not start ({' '.join(str(error).split())[:200]}): Java 17 and a reachable Maven repository (or"
            " jars named by PLURA_SPARK_PACKAGES) are needed"
        ) from error
    return opened


def session_settings(project_dir: Path) -> dict[str, str]:
    """Return the Spark settings of target ``spark`` in the dbt profile, environment variables filled in."""
    import yaml
    from dbt.adapters.sparksession import SparkSessionCredentials
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    set_invocation_context(os.environ)  # where dbt looks up environment variables
    text = (project_dir / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    target: dict[str, Any] = ProfileRenderer({}).render_data(yaml.safe_load(text)["plura"]["outputs"]["spark"])
    settings: dict[str, str] = SparkSessionCredentials.from_dict(target).server_side_parameters
    return settings
