"""Settings of all processes: ``PLURA_NAME`` from the environment, for some with the bare name of older deployments."""

from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plura.kit.errors import ServiceError

PREFIX = "PLURA_"

Settings = TypeVar("Settings", bound="ServiceSettings")

AppEnv = Annotated[
    Literal["local", "dev", "prod"],
    Field(description="Environment of the service; `prod` refuses what only a developer's machine may have."),
]
"""The field ``app_env`` of a class of settings; its default is ``local``."""


class ServiceSettings(BaseSettings):
    """Base of all settings, which are read from ``PLURA_<FIELD>`` once, at the entry point.

    Values are trimmed; a blank one counts as unset. ``bare_names`` gives the second name of a field. Both names set to
    different values is an error, because nobody can know which one was meant.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    bare_names: ClassVar[dict[str, str]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # replaced by ours
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # no file beside the environment
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what the caller gave, then the environment."""
        return init_settings, _Environment(settings_cls, cls.bare_names)


class _Environment(PydanticBaseSettingsSource):
    """Reads each field from its prefixed or its bare variable."""

    def __init__(self, settings_cls: type[BaseSettings], bare_names: dict[str, str]) -> None:
        super().__init__(settings_cls)
        self._bare_names = bare_names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return the value of a field, its key, and that it is no JSON."""
        prefixed = self.config["env_prefix"] + field_name.upper()
        names = [prefixed, self._bare_names[field_name]] if field_name in self._bare_names else [prefixed]
        found = {name: value for name in names if (value := os.environ.get(name, "").strip())}
        if len(set(found.values())) > 1:
            raise ValueError(f"{' and '.join(found)} differ: set one of them")
        return next(iter(found.values()), None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that the environment sets."""
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def read_settings(of: type[Settings]) -> Settings:
    """Return settings from the environment.

    Raises:
        ServiceError: one is wrong; the text names it.
    """
    try:
        return of()
    except ValidationError as error:
        first = error.errors()[0]
        prefix = of.model_config.get("env_prefix", PREFIX)
        name = prefix + "_".join(str(part) for part in first["loc"]).upper() + ": " if first["loc"] else ""
        raise ServiceError(f"{name}{first['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise ServiceError(str(error)) from None
