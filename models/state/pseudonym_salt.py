def model(dbt, session):
    """The salt of the pseudonyms as the secret scope holds it, which only code in the workspace can read."""
    dbt.config(materialized="table")
    salt = dbutils.secrets.get(dbt.config.meta_get("scope"), dbt.config.meta_get("key"))
    if not salt:
        raise ValueError("the secret of the salt is empty")
    return session.createDataFrame([(salt,)], "salt string")
