"""Settings of the environment: wrong values stop a command, and names that are no settings are reported."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from plura.cli import settings_page
from plura.kit.errors import ServiceError
from plura.kit.known_settings import BLANK_IS_WRONG, KNOWN, OF_TESTS, PREFIXES, unknown_settings
from plura.kit.lake_settings import EngineSettings
from plura.kit.service_settings import ServiceSettings, read_settings
from python_jobs.environment import ENVIRONMENTS, environment_name
from tests.commands import Plura
from tests.dbt_runs import PROJECT

WRONG_ENVIRONMENTS = ["PROD", "Prod", " prod ", "prod\n", "production", "prd", "staging", "Local", "", " ", "dev,prod"]

READERS = ("profiles/*.yml", "dbt_project.yml", "macros/**/*.sql", "models/**/*.sql", "models/**/*.py")
SOURCES = ("python_jobs/**/*.py", "plugins/**/*.py", "services/**/*.py")
EXAMPLES = {"PLURA_NAME", "PLURA_TOPIC", "PLURA_SIZE"}
"""Names in tests that are no settings."""

OF_REPOSITORY = ("tests/**/*.py", "bench/**/*.py", "dev/**/*.py", "deploy/**/*.*", "README.md", "docs/**/*.md")


def texts(*patterns: str) -> Iterator[str]:
    for pattern in patterns:
        for file in PROJECT.glob(pattern):
            if file.is_file() and file != Path(__file__):
                yield file.read_text(encoding="utf-8", errors="ignore")


@pytest.mark.parametrize("name", [*ENVIRONMENTS, None])
def test_the_environment_is_one_of_three_and_local_where_it_is_not_set(name: str | None) -> None:
    assert environment_name({} if name is None else {"PLURA_ENV": name}) == (name or "local")


@pytest.mark.parametrize("name", WRONG_ENVIRONMENTS)
@pytest.mark.parametrize(
    "words", [["lake", "load", "."], ["lake", "schema", "orders"], ["tx", "migrate"], ["demo"], []]
)
def test_an_environment_that_is_none_stops_each_command_before_it_begins(
    tmp_path: Path, name: str, words: list[str]
) -> None:
    outcome = Plura(work=tmp_path, settings={"PLURA_ENV": name})(*words)
    assert outcome.code == 1
    assert outcome.out == ""
    shown = " ".join(repr(name).split())
    assert outcome.error == f"PLURA_ENV is {shown}: it must be one of local, dev, prod, or not set"


def test_help_is_given_in_any_environment(tmp_path: Path) -> None:
    assert Plura(work=tmp_path, settings={"PLURA_ENV": "PROD"})("lake", "load", "--help").code == 0


ASSIGNED = {"GX_ANALYTICS_ENABLED"}
"""Variables of other programs that the code sets and does not read."""


def of_dbt() -> set[str]:
    """Names of the variables that the dbt project reads."""
    return {name for text in texts(*READERS) for name in re.findall(r"env_var\(\s*'(\w+)'", text)}


def of_code(*patterns: str) -> set[str]:
    """Names of the variables that Python code reads or sets by itself, and of ours wherever they are texts."""
    used = (
        r"(?:environ(?:\.get|\.pop|\.setdefault)?[\[(]|getenv\(|setenv\()\s*[\"'](\w+)[\"']"
        r"|[\"'](\w+)[\"'] (?:not )?in os\.environ"
    )
    ours = r'"((?:PLURA|ANON)_[A-Z_]+[A-Z])"'
    found = {name for text in texts(*patterns) for match in re.findall(used, text) for name in match if name}
    return found | {name for text in texts(*patterns) for name in re.findall(ours, text)}


def test_every_variable_that_is_read_is_a_setting_and_every_setting_is_read() -> None:
    """Classes of settings are on the page by themselves; here are the others."""
    of_classes = {
        f"{cls.model_config.get('env_prefix', '')}{field}".upper()
        for cls in settings_classes()
        for field in cls.model_fields
    }
    bare = {name for cls in settings_classes() for name in cls.bare_names.values()}
    read = of_dbt() | of_code(*SOURCES) | of_classes
    own_tables = {setting.name for setting in settings_page.OF_TESTS}
    assert read - bare - ASSIGNED - own_tables == settings_page.names() - own_tables
    assert {name for name in settings_page.names() - own_tables if name.startswith(PREFIXES)} == KNOWN
    assert own_tables == OF_TESTS


def settings_classes() -> set[type[ServiceSettings]]:
    """The classes of settings of the services and of the lake."""
    services = PROJECT / "services"
    for file in services.rglob("*.py"):
        if re.search(r"^class \w+\(ServiceSettings\)", file.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(file.relative_to(services).with_suffix("").parts))
    return {cls for cls in ServiceSettings.__subclasses__() if cls.__module__.startswith("plura.")}


def test_no_class_of_settings_has_another_base() -> None:
    bases = {
        base
        for text in texts("services/**/*.py")
        for base in re.findall(r"^class \w+Settings\((\w+)\)", text, re.MULTILINE)
    }
    assert bases == {"ServiceSettings", "BaseSettings"}
    assert [text.count("(BaseSettings)") for text in texts("services/**/*.py") if "(BaseSettings)" in text] == [1]


def test_the_variables_of_tests_and_benchmarks_are_on_the_page() -> None:
    used = of_code("tests/**/*.py", "bench/**/*.py", "dev/**/*.py")
    ours = {name for name in used if name.startswith("PLURA_")}
    assert ours >= OF_TESTS
    assert ours - KNOWN - OF_TESTS <= EXAMPLES


def test_the_page_of_settings_is_the_one_that_the_code_writes() -> None:
    assert (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page.page()


def test_every_setting_has_a_meaning() -> None:
    assert not [
        setting.name for section in settings_page.sections() for setting in section.settings if not setting.meaning
    ]


def test_documents_tests_and_bundle_name_no_setting_that_is_unknown() -> None:
    # a name followed by _ or … is a prefix, and these are examples of what is unknown
    named = {
        name for text in texts(*OF_REPOSITORY) for name in re.findall(r"PLURA_[A-Z_]*[A-Z](?![A-Z_…])", text)
    } - EXAMPLES
    assert named <= KNOWN | OF_TESTS


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PLURA_DUCKDB_PATHS", "PLURA_DUCKDB_PATH"),
        ("PLURA_DUCKDBPATH", "PLURA_DUCKDB_PATH"),
        ("PLURA_ENVIRONMENT", "PLURA_ENV"),
        ("PLURA_DUCKDB_MEM", "PLURA_DUCKDB_MEMORY"),
        ("PLURA_SPARK_WAREHOUS", "PLURA_SPARK_WAREHOUSE"),
        ("ANON_USER_KEY_SALT_VER", "ANON_USER_KEY_SALT_VERSION"),
        ("ANON_USER_SALT", "ANON_USER_KEY_SALT"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_right_name(name: str, meant: str) -> None:
    assert unknown_settings({name: "x"}) == [f"{name} is not a setting and has no effect; did you mean {meant}?"]


def test_other_variables_are_none_of_our_business() -> None:
    given = {"PATH": "x", "DBT_HOST": "x", "PLURALS": "x", **dict.fromkeys(KNOWN | OF_TESTS, "x")}
    assert unknown_settings(given) == []
    assert unknown_settings({"PLURA_FOO": "x"}) == ["PLURA_FOO is not a setting and has no effect"]


def test_a_command_warns_of_an_unknown_setting_and_continues(tmp_path: Path) -> None:
    outcome = Plura(work=tmp_path, settings={"PLURA_DUCKDB_PATHS": "x"})("lake", "schema", "orders")
    assert outcome.code == 0
    assert outcome.err == (
        "warning: PLURA_DUCKDB_PATHS is not a setting and has no effect; did you mean PLURA_DUCKDB_PATH?\n"
    )


GOOD_VALUES = {
    "PLURA_DUCKDB_MEMORY": ["3GiB", "512MB", "1.5 GB", "80%", "4gb"],
    "PLURA_SPARK_MEMORY": ["3g", "3072m", "2G"],
    "PLURA_SPARK_PARTITIONS": ["1", "200"],
    "PLURA_SPARK_THREADS": ["1", "16"],
    "PLURA_SPARK_COLLECTOR": ["Serial", "Parallel", "G1", "Z"],
    "PLURA_SPARK_CATALOG": ["hive", "in-memory"],
    "PLURA_DATABRICKS_THREADS": ["1", "16"],
    "PLURA_PYTHON_SUBMISSION": ["serverless_cluster", "job_cluster"],
}
WRONG_VALUES = {
    "PLURA_DUCKDB_MEMORY": ["-1", "-2GB", "3", "3 gigs", "unlimited", "GB"],
    "PLURA_SPARK_MEMORY": ["3", "3GiB", "-3g", "0g"],
    "PLURA_SPARK_PARTITIONS": ["0", "-1", "eight", "1.5"],
    "PLURA_SPARK_THREADS": ["0", "four"],
    "PLURA_SPARK_COLLECTOR": ["serial", "G1GC"],
    "PLURA_SPARK_CATALOG": ["Hive", "derby"],
    "PLURA_DATABRICKS_THREADS": ["0", "four"],
    "PLURA_PYTHON_SUBMISSION": ["serverless", "Job_Cluster"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD_VALUES.items() for value in values])
def test_values_that_engines_understand_are_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert str(getattr(EngineSettings(), name.removeprefix("PLURA_").lower())) == value


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_VALUES.items() for value in values]
)
def test_values_that_engines_misunderstand_stop_the_command(tmp_path: Path, name: str, value: str) -> None:
    outcome = Plura(work=tmp_path, settings={name: value})("lake", "batches")
    assert outcome.code == 1
    assert outcome.error.startswith(f"{name}: ")


@pytest.mark.parametrize("name", WRONG_VALUES)
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str, blank: str) -> None:
    monkeypatch.setenv(name, blank)
    field = name.removeprefix("PLURA_").lower()
    assert getattr(read_settings(EngineSettings), field) == EngineSettings.model_fields[field].default


def test_dbt_trims_every_setting_so_that_a_blank_one_is_false() -> None:
    """In the profile and the project nothing but the expression itself can say that blank means unset."""
    read = [(name, rest) for text in texts(*READERS) for name, rest in re.findall(r"env_var\('(\w+)'(.{0,12})", text)]
    assert {name for name, rest in read if not rest.startswith(", '') | trim")} <= BLANK_IS_WRONG
    assert len(read) > len(EngineSettings.model_fields)


def test_a_command_takes_blank_settings_as_unset(tmp_path: Path) -> None:
    blank = dict.fromkeys(KNOWN - BLANK_IS_WRONG - {"PLURA_DUCKDB_PATH", "PLURA_DATA_DOCS_DIR"}, " ")
    outcome = Plura(work=tmp_path, settings=blank)("lake", "batches")
    assert (
        outcome.error == f"there is no warehouse at {tmp_path / 'plura.duckdb'}: load data first (plura lake load DIR)"
    )


@pytest.mark.parametrize("field", EngineSettings.model_fields)
def test_the_dbt_project_has_the_same_default(field: str) -> None:
    name = f"PLURA_{field}".upper()
    found = {
        value
        for text in texts(*READERS)
        for value in re.findall(rf"env_var\('{name}', ''\) \| trim or '([^']*)'", text)
    }
    assert found == {str(EngineSettings.model_fields[field].default)} - {""}


def test_the_default_values_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD_VALUES:
        monkeypatch.delenv(name, raising=False)
    try:
        read_settings(EngineSettings)
    except ServiceError as error:
        pytest.fail(str(error))
