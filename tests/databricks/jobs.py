"""Workspace files and job runs: notebooks that are uploaded are executed in a Spark session of their own."""

from __future__ import annotations

import base64
import itertools
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.databricks.dialect import Dialect
from tests.databricks.statements import ApiError, new_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SERVICE_PRINCIPAL = "5f1e7a60-0000-4000-8000-00000000c0de"
"""User name of the caller: service principals bear their application id."""

_POLL_SECONDS = 20.0


@dataclass(kw_only=True)
class Run:
    """A submitted run: what was asked for, and the code of its notebook as it ended."""

    run_id: int
    submission: dict[str, Any]
    outcome: Future[None]


@dataclass(kw_only=True)
class Jobs:
    """The Workspace, Jobs and Permissions APIs, as far as Python models need them.

    ``secrets`` holds what notebooks read by scope and key.
    """

    spark: SparkSession
    dialect: Dialect
    notebooks: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    runs: dict[int, Run] = field(default_factory=dict)
    permissions: dict[str, Any] = field(default_factory=dict)
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=2))

    def make_folder(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make a folder of the workspace."""
        self.folders.add(request["path"].rstrip("/"))
        return {}

    def import_notebook(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a notebook in source form; its folder must exist."""
        path = request["path"]
        if path.rpartition("/")[0] not in self.folders:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder of {path} does not exist.")
        if request.get("format") != "SOURCE" or request.get("language") != "PYTHON":
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "Only Python notebooks in source form are taken.")
        self.notebooks[path] = base64.b64decode(request["content"]).decode()
        return {}

    def submit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin a one-time run of one notebook task on a new cluster or on serverless compute."""
        (task,) = request["tasks"]
        _check_compute(task, request.get("environments") or [])
        path = task["notebook_task"]["notebook_path"]
        if path not in self.notebooks:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Unable to access the notebook {path!r}.")
        number = next(self._ids)
        outcome = self._workers.submit(self._execute, path)
        self.runs[number] = Run(run_id=number, submission=request, outcome=outcome)
        return {"run_id": number}

    def state(self, run_id: int) -> dict[str, Any]:
        """State of a run; waits a while for one that runs, because the adapter asks every ten seconds only."""
        run = self._run(run_id)
        try:
            error = run.outcome.exception(timeout=_POLL_SECONDS)
        except NotDone:
            state = {"life_cycle_state": "RUNNING"}
        else:
            state = (
                {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
                if error is None
                else {
                    "life_cycle_state": "INTERNAL_ERROR",
                    "result_state": "FAILED",
                    "state_message": "Workload failed, see run output for details",
                }
            )
        task = {"run_id": run_id, "task_key": run.submission["tasks"][0]["task_key"]}
        return {"run_id": run_id, "job_id": 1_000 + run_id, "state": state, "tasks": [task]}

    def output(self, run_id: int) -> dict[str, Any]:
        """What a run that failed says."""
        error = self._run(run_id).outcome.exception(timeout=0)
        if error is None:
            return {}
        trace = "".join(traceback.format_exception(error))
        return {"error": f"{type(error).__name__}: {error}", "error_trace": trace}

    def set_permissions(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """Keep who may do what with an object."""
        self.permissions[path] = request["access_control_list"]
        return {}

    def stop(self) -> None:
        """Wait for the runs that are under way."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _execute(self, path: str) -> None:
        code = self.dialect.for_spark(self.notebooks[path])
        # what a notebook finds without an import
        names = {"spark": new_session(self.spark), "dbutils": _Utilities(self.secrets), "__name__": "__main__"}
        exec(compile(code, path, "exec"), names)  # noqa: S102 - executing notebooks is what a workspace does

    def _run(self, run_id: int) -> Run:
        try:
            return self.runs[run_id]
        except KeyError:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Run {run_id} does not exist.") from None


class _Utilities:
    """``dbutils`` of a notebook, with the one utility that is used here: ``dbutils.secrets.get(scope, key)``."""

    def __init__(self, values: dict[tuple[str, str], str]) -> None:
        self.secrets = self
        self._values = values

    def get(self, scope: str, key: str) -> str:
        try:
            return self._values[scope, key]
        except KeyError:
            raise ValueError(f"Secret does not exist with scope: {scope} and key: {key}") from None


def _check_compute(task: dict[str, Any], environments: list[dict[str, Any]]) -> None:
    """Refuse what the Jobs API refuses: a cluster without version or size, an environment that is not given."""
    cluster = task.get("new_cluster")
    if cluster is not None:
        if not cluster.get("spark_version"):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "Missing required field: new_cluster.spark_version")
        if "num_workers" not in cluster and "autoscale" not in cluster:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "A cluster needs num_workers or autoscale.")
    key = task.get("environment_key")
    if key is not None and key not in [environment["environment_key"] for environment in environments]:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Environment {key!r} is not defined.")
    if cluster is None and key is None and task.get("libraries"):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "Libraries are not supported on serverless compute.")
