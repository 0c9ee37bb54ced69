"""Which environment variable sets a field. No sockets."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from plura.kit.service_settings import ServiceSettings


class Sample(ServiceSettings):
    bare_names: ClassVar[dict[str, str]] = {"topic": "SAMPLE_TOPIC"}

    topic: str = "none"
    size: int = 5


@pytest.mark.parametrize("name", ["PLURA_TOPIC", "SAMPLE_TOPIC"])
def test_a_field_is_read_from_either_name_and_trimmed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, " a ")
    assert Sample().topic == "a"


def test_both_names_may_agree_and_must_not_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURA_TOPIC", "a")
    monkeypatch.setenv("SAMPLE_TOPIC", "a")
    assert Sample().topic == "a"
    monkeypatch.setenv("SAMPLE_TOPIC", "b")
    with pytest.raises(ValueError, match="PLURA_TOPIC and SAMPLE_TOPIC differ"):
        Sample()


def test_a_blank_variable_is_unset_and_a_field_without_a_bare_name_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURA_TOPIC", "  ")
    monkeypatch.setenv("SIZE", "7")
    assert Sample() == Sample(topic="none", size=5)


def test_a_wrong_value_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURA_SIZE", "many")
    with pytest.raises(ValidationError) as caught:
        Sample()
    assert "size" in str(caught.value)
    assert "many" not in str(caught.value)
