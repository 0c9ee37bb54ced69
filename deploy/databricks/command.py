"""Runs a `plura` command as a task of Databricks, in the Spark session that the cluster has.

Databricks takes every SystemExit for a failure, code 0 included, so the entry point of the wheel cannot be the task.
"""

from plura.cli.main import main


def run() -> None:
    """Run the command that the arguments of the process name.

    Raises:
        RuntimeError: the command failed; what it printed says why.
    """
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"plura ended with exit code {end.code}") from None


if __name__ == "__main__":
    run()
