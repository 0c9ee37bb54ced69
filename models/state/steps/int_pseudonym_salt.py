from python_jobs.salt import checked_salt, salt_of_environment


def model(dbt, session):
    """The salt of the pseudonyms: read by code, it is in no statement, no artifact of dbt and no log."""
    if dbt.config.meta_get("engine") == "databricks":
        value = dbutils.secrets.get(dbt.config.meta_get("scope"), dbt.config.meta_get("key"))
        salt = checked_salt(value, dbt.config.meta_get("version"), dbt.config.meta_get("environment"))
    else:
        salt = salt_of_environment()
    # by name: the table is filled from this one
    head, _, tail = str(dbt.this).rpartition("int_pseudonym_salt")
    known = session.sql(f"select salt_version, fingerprint from {head}pseudonym_salt_version{tail}")
    is_spark = hasattr(session, "createDataFrame")
    rows = known.collect() if is_spark else known.fetchall()
    salt.refuse_if_changed((row[0], row[1]) for row in rows)
    row = (salt.value, salt.version, salt.fingerprint)
    if is_spark:
        return session.createDataFrame([row], "salt string, salt_version string, fingerprint string")
    columns = "select $1 as salt, $2 as salt_version, $3 as fingerprint"
    return session.sql(columns, params=row)
