"""The rules of ``seeds/rules.csv``: their fields, their checks, and the messages that stop a run.

The same code checks the file (``plura lake run`` checks it before dbt starts) and the loaded table (the dbt model
``int_rules_read`` checks it in every ``dbt build``).
"""

from python_jobs.rules.seed_file import project_rules, read_rule_file
from python_jobs.rules.versions import RuleReading, Version, read_rules

__all__ = ["RuleReading", "Version", "project_rules", "read_rule_file", "read_rules"]
