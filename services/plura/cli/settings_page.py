"""Writes ``docs/settings.md`` from the classes of settings: ``python -m plura.cli.settings_page docs/settings.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.sign_in import SignInSettings
from plura.kit.database import DatabaseSettings
from plura.kit.http.settings import ApiSettings
from plura.kit.kafka import KafkaSettings
from plura.kit.lake_settings import PROJECT_DIR, EngineSettings, LakeSettings, SparkSettings
from plura.kit.observability.otlp import OtlpSettings
from plura.kit.service_settings import ServiceSettings
from plura.tx.consumer.settings import ConsumerSettings


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A line of the page; ``default`` and ``meaning`` are Markdown."""

    name: str
    default: str
    meaning: str
    bare_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """The settings of one reader."""

    title: str
    reader: str
    settings: tuple[Setting, ...]


HEAD = """\
# Settings

<!-- Written by make settings from the code. -->

Settings are environment variables, read once when a command starts. A wrong value stops the command in one line. A
variable that begins with `PLURA_` but is not a setting causes a warning that suggests the right name.

White space around a value is removed, and a blank value counts as unset. `PLURA_ENV` and the salt are exceptions, so
that production never gets the local dummy by mistake: white space in them, and a blank `PLURA_ENV`, stop the command.
`dbt` by itself, without `plura`, reads them in the same way.

A name in parentheses works as well, for older deployments; both set to different values is an error. Relative paths
begin at the project folder. [Databricks](databricks.md), [streaming](streaming.md), [publication](publication.md) and
the [transaction service](tx/consumer.md#settings) explain the settings of their part.
"""

LAKE_AND_DBT = (
    Setting(
        name="PLURA_ENV",
        default="`local`",
        meaning="`local`, `dev` or `prod`, exactly. `prod` refuses the dummy salt. Another value stops every command.",
    ),
    Setting(name="ANON_USER_KEY_SALT", default="a local dummy", meaning="Salt of the pseudonyms."),
    Setting(
        name="ANON_USER_KEY_SALT_VERSION",
        default="`v1`; `local-v1` for the dummy",
        meaning="Version of the salt, written beside each pseudonym.",
    ),
)
OF_OTHERS = (
    Setting(name="DATABRICKS_HOST", default="`DBT_HOST`", meaning="Address of the workspace."),
    Setting(name="DATABRICKS_HTTP_PATH", default="", meaning="Path of the SQL warehouse."),
    Setting(name="DATABRICKS_TOKEN", default="`DBT_ACCESS_TOKEN`", meaning="Token of a person."),
    Setting(name="DATABRICKS_CLIENT_ID", default="", meaning="Service principal, where there is no token."),
    Setting(name="DATABRICKS_CLIENT_SECRET", default="", meaning="Its secret."),
    Setting(name="DBT_HOST", default="", meaning="Address of the workspace in a dbt task of a job."),
    Setting(name="DBT_ACCESS_TOKEN", default="", meaning="Token in a dbt task of a job."),
    Setting(name="DBT_LOG_LEVEL_FILE", default="`info`", meaning="Level of dbt's log file."),
    Setting(
        name="DATABRICKS_RUNTIME_VERSION",
        default="",
        meaning="Set on the compute of Databricks, which is recognized by it.",
    ),
    Setting(name="PYSPARK_PYTHON", default="the Python of the command", meaning="Python of Spark's workers."),
)
OF_TESTS = (
    Setting(name="PLURA_BENCH_DIR", default="`data/bench`", meaning="Folder of the benchmarks' data."),
    Setting(
        name="PLURA_CRASHES",
        default="a few",
        meaning="`all` or ranges: the statements of a run at which the crash test kills it.",
    ),
    Setting(name="PLURA_CRASH_ROUNDS", default="`20`", meaning="How often a consumer is killed."),
    Setting(name="PLURA_EXAMPLES", default="few", meaning="Examples of the property tests against the oracle."),
    Setting(name="PLURA_PROMTOOL", default="`promtool` on the path", meaning="Program that checks the alert rules."),
    Setting(
        name="PLURA_REQUIRE_ALL", default="", meaning="`1`: a test that cannot run fails instead of being skipped."
    ),
    Setting(name="PLURA_STREAM_KILLS", default="`1`", meaning="How often a stream is killed."),
    Setting(name="PLURA_TEST_CACHE", default="`~/.cache/plura`", meaning="Folder of programs that tests use."),
)


def sections() -> list[Section]:
    """Return everything that the page lists, in its order."""
    return [
        Section(title="Environment and salt", reader="every command, dbt and Python models", settings=LAKE_AND_DBT),
        _section("Lake", "`plura lake` and `plura demo`", LakeSettings),
        _section("Spark", "`plura lake` on target `spark`; the dbt profile", SparkSettings),
        _section("Engines", "dbt: profile, project and macros", EngineSettings),
        _section("Kafka", "`plura lake stream`, `plura lake publish`, `plura tx consume`", KafkaSettings),
        _section("PostgreSQL", "`plura tx`", DatabaseSettings),
        _section("Consumer", "`plura tx consume`, `backfill` and `replay-dlq`", ConsumerSettings),
        _section("Admin API", "`plura tx api`", ApiSettings),
        _section("Authentication", "`plura tx api`", AuthSettings),
        _section("Sign-in of the console", "`plura tx api`", SignInSettings),
        _section("Metrics to a collector", "`plura tx consume` and `plura tx api`", OtlpSettings),
        Section(title="Variables of other programs", reader="dbt's profile and Spark", settings=OF_OTHERS),
        Section(title="Tests and benchmarks", reader="tests and benchmarks only", settings=OF_TESTS),
    ]


def names() -> set[str]:
    """Return the names of all variables of the page, without the bare names."""
    return {setting.name for section in sections() for setting in section.settings}


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(line for section in sections() for line in _lines(section))])


def _section(title: str, reader: str, settings: type[ServiceSettings]) -> Section:
    return Section(title=title, reader=reader, settings=tuple(_settings_of(settings)))


def _settings_of(settings: type[ServiceSettings]) -> Iterator[Setting]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        yield Setting(
            name=f"{prefix}{name}".upper(),
            default=_shown(field.default),
            meaning=" ".join([*_choices(field), field.description or ""]).strip(),
            bare_name=settings.bare_names.get(name, ""),
        )


def _choices(field: FieldInfo) -> list[str]:
    """The values of a setting that has only some."""
    if get_origin(field.annotation) is not Literal:
        return []
    values = [f"`{value}`" for value in get_args(field.annotation)]
    return [f"{', '.join(values[:-1])} or {values[-1]}."]


def _shown(default: Any) -> str:
    """A default as Markdown; blank for none and for secrets."""
    if default == PROJECT_DIR:
        return "this project"
    if default in (None, "", ()) or isinstance(default, SecretStr):
        return ""
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    return f"`{text}`"


def _lines(section: Section) -> Iterable[str]:
    yield f"## {section.title}\n"
    yield f"Read by {section.reader}.\n"
    yield "| variable | default | meaning |\n|---|---|---|"
    for setting in section.settings:
        bare = f" (`{setting.bare_name}`)" if setting.bare_name else ""
        yield f"| `{setting.name}`{bare} | {setting.default} | {setting.meaning} |".replace("|  |", "| |")
    yield ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
