"""dbt adapter plug-in ``sparksession``: dbt-spark in a Spark session of this process, Python models included.

dbt-spark's own method ``session`` runs no Python models, switches ANSI mode off, and writes an empty cell of a seed as
the text ``None``. This adapter inherits everything else from it.
"""

from dbt.adapters.base import AdapterPlugin
from dbt.adapters.sparksession.connections import SparkSessionConnectionManager, SparkSessionCredentials
from dbt.adapters.sparksession.impl import SparkSessionAdapter
from dbt.include import sparksession

__all__ = ["Plugin", "SparkSessionAdapter", "SparkSessionConnectionManager", "SparkSessionCredentials"]

Plugin = AdapterPlugin(
    adapter=SparkSessionAdapter,
    credentials=SparkSessionCredentials,
    include_path=sparksession.PACKAGE_PATH,
    dependencies=["spark"],
)
