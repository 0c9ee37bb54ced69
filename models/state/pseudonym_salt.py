from python_jobs.salt import salt_of_environment


def model(dbt, session):
    """The salt of the pseudonyms: read by code, it stands in no statement, no artifact of dbt and no log."""
    dbt.config(materialized="table")
    scope = dbt.config.meta_get("scope")
    salt = dbutils.secrets.get(scope, dbt.config.meta_get("key")) if scope else salt_of_environment()
    if not salt:
        raise ValueError("the secret of the salt is empty")
    if hasattr(session, "createDataFrame"):
        return session.createDataFrame([(salt,)], "salt string")
    return session.sql("select $salt as salt", params={"salt": salt})
