"""The salt of the pseudonyms: which ones are refused, and the fingerprint that a version is known by."""

from __future__ import annotations

import json
import os
import time
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_jobs import salt as salt_module
from python_jobs.salt import DUMMY, Salt, checked_salt, salt_of_environment, salt_problem

BLANK = [" ", "\n", "\t\r\n", "\u00a0", "\u3000 "]
PADDED = ["salt\n", "salt ", " salt", "\tsalt", "salt\r\n", "salt\u00a0"]


def environment(**values: str) -> mock._patch_dict:
    """The variables of the salt, and no others of them."""
    names = ("ANON_USER_KEY_SALT", "ANON_USER_KEY_SALT_VERSION", "PLURA_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return mock.patch.dict(os.environ, kept | values, clear=True)


@pytest.mark.parametrize("environment_", ["local", "dev", "prod"])
@pytest.mark.parametrize("value", [*BLANK, *PADDED])
def test_a_blank_salt_and_one_with_white_space_around_it_are_refused_everywhere(value: str, environment_: str) -> None:
    """A salt that one reader trims and another does not gives two keys to one user."""
    with (
        environment(ANON_USER_KEY_SALT=value, PLURA_ENV=environment_),
        pytest.raises(ValueError, match="The salt"),
    ):
        salt_of_environment()
    with pytest.raises(ValueError, match="blank" if not value.strip() else "white space"):
        checked_salt(value, "v1", environment_)


def test_white_space_within_a_salt_is_part_of_it() -> None:
    assert checked_salt("a salt\nof two lines", "v1", "prod").value == "a salt\nof two lines"


@pytest.mark.parametrize("given_", [{}, {"ANON_USER_KEY_SALT": ""}, {"ANON_USER_KEY_SALT": DUMMY}])
@pytest.mark.parametrize("version", [{}, {"ANON_USER_KEY_SALT_VERSION": "v9"}])
def test_the_dummy_is_refused_in_production_whatever_it_comes_from(
    given_: dict[str, str], version: dict[str, str]
) -> None:
    with (
        environment(**given_, **version, PLURA_ENV="prod"),
        pytest.raises(ValueError, match="dummy is refused in prod"),
    ):
        salt_of_environment()
    for name in ("local", "dev"):
        with environment(**given_, **version, PLURA_ENV=name):
            assert salt_of_environment().value == DUMMY
    with pytest.raises(ValueError, match="dummy is refused in production"):
        checked_salt(DUMMY, "v1", "prod")  # as a secret of a workspace


def test_an_environment_that_is_none_gives_no_salt() -> None:
    with environment(PLURA_ENV="PROD"), pytest.raises(ValueError, match="PLURA_ENV is 'PROD'"):
        salt_of_environment()


@pytest.mark.parametrize("version", ["", " ", "v1 ", "\nv1"])
def test_a_version_is_a_label(version: str) -> None:
    with (
        environment(ANON_USER_KEY_SALT="salt", ANON_USER_KEY_SALT_VERSION=version),
        pytest.raises(ValueError, match="ANON_USER_KEY_SALT_VERSION is "),
    ):
        salt_of_environment()


def test_the_version_shows_whether_the_salt_is_the_dummy() -> None:
    with environment():
        assert salt_of_environment() == Salt(value=DUMMY, version="local-v1")
    with environment(ANON_USER_KEY_SALT="salt"):
        assert salt_of_environment() == Salt(value="salt", version="v1")
    with environment(ANON_USER_KEY_SALT="salt", ANON_USER_KEY_SALT_VERSION="v2"):
        assert salt_of_environment() == Salt(value="salt", version="v2")


def test_another_salt_under_a_version_that_is_known_is_a_problem() -> None:
    known = [
        (version, Salt(value=value, version=version).fingerprint) for value, version in (("one", "v1"), ("two", "v2"))
    ]
    for value, version in (("one", "v1"), ("two", "v2"), ("three", "v3"), ("two", "v3"), ("one", "V1")):
        Salt(value=value, version=version).refuse_if_changed(known)
    for value, version in (("two", "v1"), ("one", "v2"), ("One", "v1"), ("one1", "v1"), ("", "v1")):
        with pytest.raises(ValueError, match=f"keys of version '{version}' were made with"):
            Salt(value=value, version=version).refuse_if_changed(known)


def test_what_is_asked_before_a_run_gives_the_reason_and_not_the_salt() -> None:
    known = json.dumps([["v1", Salt(value="pepper-of-old", version="v1").fingerprint]])
    with environment(ANON_USER_KEY_SALT="pepper-of-old"):
        assert salt_problem(known) == ""
    with environment(ANON_USER_KEY_SALT="pepper-anew"):
        assert "name a new ANON_USER_KEY_SALT_VERSION" in salt_problem(known)
        assert "pepper" not in salt_problem(known)
    with environment(ANON_USER_KEY_SALT="pepper-anew", ANON_USER_KEY_SALT_VERSION="v2"):
        assert salt_problem(known) == ""
    with environment(ANON_USER_KEY_SALT="pepper-anew\n"):
        assert "white space" in salt_problem("[]")


@given(salts=st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True), version=st.text(min_size=1))
def test_a_fingerprint_is_of_one_salt_and_one_version(salts: list[str], version: str) -> None:
    """The same on every engine, and of two versions with one salt not the same. A low cost does."""
    with mock.patch.object(salt_module, "_COST", 2):
        first, second = (Salt(value=value, version=version).fingerprint for value in salts)
        assert first == Salt(value=salts[0], version=version).fingerprint
        assert len({first, second, Salt(value=salts[0], version=f"{version}'").fingerprint}) == 3


def test_a_guess_at_a_salt_costs_more_than_a_hash() -> None:
    """What a dictionary of common words would have to pay for each."""
    start = time.process_time()
    assert Salt(value="pepper", version="v1").fingerprint.startswith("scrypt$32768$8$")
    assert time.process_time() - start > 0.02
