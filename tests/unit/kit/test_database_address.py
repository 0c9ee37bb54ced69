"""Addresses of databases: no part of a password is in any text, and an address that is read is read right."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr, ValidationError

from plura.kit.database import Database, DatabaseSettings
from plura.kit.database_address import read_address

SECRET = "qzx"
"""Stands in every part of the passwords below, and in no text of ours."""
TORN = (
    "{0}@{0}",
    "{0}/{0}",
    "{0}%{0}",
    "{0}%",
    "%{0}",
    "{0} {0}",
    "{0}\t{0}",
    "@{0}",
    "{0}@",
    "/{0}",
    "{0}/",
    "{0}@/{0}",
    "{0}@?{0}",
    "{0}@?{0}=1",
    "{0}/?{0}",
    "12/{0}?sslmode={0}",
    "12/34",
    "{0}@{0}@{0}",
    "{0}/{0}@{0}",
    "{0}@{0}:1234",
    "{0}@h,{0}",
    "[{0}/{0}",
    "{0}@[::1]",
    "{0}%zz",
    "{0}%00{0}",
    "{0}%ff",
    "{0}#{0}/{0}",
    "{0}\\{0}@{0}",
)
ADDRESSES = (
    "postgresql://tx_api:{}@db.example.org:5432/payments",
    "postgresql://tx_api:{}@db.example.org/payments?sslmode=require",
    "postgres://tx_api:{}@db.example.org",
    "postgresql+psycopg://tx_api:{}@[::1]:5432/payments",
    "postgresql://tx_api:{}@/payments?host=/run/postgresql",
    "postgresql://{}:x@db.example.org/payments",
    "postgresql://tx_api:{}@a.example.org,b.example.org:5433/payments?target_session_attrs=read-write",
)
LISTS = (
    "host=db password={} dbname=payments",
    "host=db password='{} dbname=payments",
    "password={}' host=db",
    "{} host=db",
    "host=db {}=1",
    "host=db port={} dbname=payments",
)


def refusal(address: str) -> str:
    """What is said of an address that is refused, blank if it is taken."""
    try:
        DatabaseSettings(database_url=SecretStr(address))
    except ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("password", TORN)
def test_a_password_that_is_not_percent_encoded_is_refused_without_a_part_of_it(address: str, password: str) -> None:
    text = address.format(password.format(SECRET))
    with pytest.raises(ValidationError) as caught:
        DatabaseSettings(database_url=SecretStr(text))
    said = str(caught.value)
    assert SECRET not in said
    assert "@ as %40" in said
    assert "tx_api" not in said


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("password", [f"{SECRET} {SECRET}", f"{SECRET}\\", f"'{SECRET}", f"{SECRET}=' {SECRET}"])
def test_a_list_that_cannot_be_read_is_refused_without_a_part_of_it(address: str, password: str) -> None:
    assert SECRET not in refusal(address.format(password))


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_every_percent_encoded_password_is_used_unchanged(password: str) -> None:
    text = f"postgresql://tx_api:{quote(password, safe='')}@db.example.org:5432/payments?sslmode=require"
    assert conninfo_to_dict(read_address(text)) == {
        "user": "tx_api",
        "password": password,
        "host": "db.example.org",
        "port": "5432",
        "dbname": "payments",
        "sslmode": "require",
    }


@settings(deadline=None)
@given(
    st.text("abc@/%: ?#&=[],\\", max_size=12),
    st.sampled_from(["@db.example.org/payments", "@db.example.org:5432/payments?sslmode=require", "@/payments"]),
)
def test_what_is_accepted_is_the_password_that_was_meant(password: str, rest: str) -> None:
    """Whatever libpq would tear apart is refused; what is accepted has the whole password, escapes undone."""
    address = f"postgresql://tx_api:{password}{rest}"
    if said := refusal(address):
        assert "percent-encoded" in said
        return
    parts = conninfo_to_dict(read_address(address))
    assert parts["user"] == "tx_api"
    assert (parts.get("password") or "") == unquote(password)
    assert parts["dbname"] == "payments"
    assert parts.get("host", "db.example.org") == "db.example.org"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://",
        "postgresql:///payments?host=/run/postgresql&user=a@b",
        "postgresql://tx_api:a:b?c#d&e=f@db/payments",
        "postgresql://postgres@/test?host=/tmp/x",
        "host=db dbname=payments user=tx_api password='p@s /%\\'s'",
        "service=payments",
    ],
)
def test_addresses_that_libpq_reads_as_meant_are_accepted(text: str) -> None:
    assert read_address(text) == text


@pytest.mark.parametrize(
    "text", ["mysql://there", "there", "host", "postgresql", "host=db port=many", "host=db port=0"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        read_address(text)


def test_nothing_shows_the_password() -> None:
    settings = DatabaseSettings(database_url=SecretStr(f"postgresql://tx_api:{SECRET}@db:5432/payments"))
    database = Database(settings)
    assert database.where == "db:5432/payments"
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(database), str(vars(settings))):
        assert SECRET not in text
