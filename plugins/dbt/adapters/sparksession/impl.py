"""The adapter: dbt-spark, with Python models run in the session of the process."""

from __future__ import annotations

from typing import Any

from dbt.adapters.base import PythonJobHelper
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.sparksession.connections import SparkSessionConnectionManager, SparkSessionCredentials
from dbt.adapters.sparksession.session import clear_leftovers, session, suit


class SessionPythonJob(PythonJobHelper):
    """Runs the compiled code of a Python model in this process, with ``spark`` at hand."""

    def __init__(self, parsed_model: dict[str, Any], credentials: SparkSessionCredentials) -> None:
        """Keep the model's name for tracebacks, and where its session comes from."""
        self._name = f"{parsed_model['alias']}.py"
        self._settings = credentials.server_side_parameters

    def submit(self, compiled_code: str) -> Any:
        """Run the code; whatever it raises is the failure of the model."""
        names = {"spark": session(self._settings), "__name__": self._name}
        exec(compile(compiled_code, self._name, "exec"), names)  # noqa: S102 - a Python model is code to be run


class SparkSessionAdapter(SparkAdapter):
    """dbt-spark with Python models."""

    ConnectionManager = SparkSessionConnectionManager

    @property
    def default_python_submission_method(self) -> str:
        """Where a Python model runs unless it says otherwise."""
        return "session"

    @property
    def python_submission_helpers(self) -> dict[str, type[PythonJobHelper]]:
        """The one way to run a Python model."""
        return {"session": SessionPythonJob}

    @available.parse_none
    def suit_session(self) -> None:
        """Let the session plan for as many rows as Bronze holds."""
        running = session(self.config.credentials.server_side_parameters)
        suit(running, 0)
        (row,) = running.sql("select coalesce(sum(row_count), 0) as rows from bronze.load_registry").collect()
        suit(running, row["rows"])

    @available.parse_none
    def clear_leftovers(self, relation: BaseRelation) -> None:
        """Delete the files at the place of a table that the catalog does not know.

        Only a session of this process can do so.
        """
        clear_leftovers(session(self.config.credentials.server_side_parameters), relation.schema, relation.identifier)

    @available.parse(lambda *_: "")
    def salt_problem(self, known: str) -> str:
        """Return why the salt of the environment cannot be used; see ``python_jobs.salt``.

        A function of this process and not of the session, whose workers do not have our environment.
        """
        from python_jobs.salt import salt_problem

        return salt_problem(known)
