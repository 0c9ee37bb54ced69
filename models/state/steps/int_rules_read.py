from python_jobs.rules.model import rules_read


def model(dbt, session):
    """The rules, or why they cannot be read: a thin edge over python_jobs.rules."""
    return rules_read(session, rules=dbt.ref("rules"))
