"""Profiles: topics, the names under which producers send each field, and required fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from plura.kit.errors import ServiceError
from plura.tx.consumer.contract import KINDS, Kind

_EVENT_TIME = "event_time_or_alias"
"""Name of the field event_time in the core_required lists of profile files."""


class ProfileError(ServiceError):
    """The profiles cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The contract with one producer; topics are the effective ones."""

    profile_id: str
    topics: Mapping[str, Kind]
    aliases: Mapping[str, Mapping[str, tuple[str, ...]]]
    """For each kind: field to its names, its own name first."""
    core_required: Mapping[str, tuple[str, ...]]

    def topic_of(self, kind: str) -> str:
        """Return the topic that carries a kind of event."""
        return next(topic for topic, carried in self.topics.items() if carried.name == kind)


def read_profile(
    profile_id: str, *, file: Path | None = None, ledger_topic: str = "", payment_order_topic: str = ""
) -> Profile:
    """Return a profile of a file, by default of the file that comes with the service.

    Args:
        profile_id: its name in the file.
        file: YAML with ``version: 1`` and ``profiles``.
        ledger_topic: replaces the profile's topic unless blank.
        payment_order_topic: likewise.

    Raises:
        ProfileError: the file is missing or wrong, it lacks the profile, or both topics are the same.
    """
    text = _text(file)
    profiles = _profiles(text)
    if profile_id not in profiles:
        raise ProfileError(f"there is no profile {profile_id!r}; the profiles are {', '.join(sorted(profiles))}")
    found = _map(profiles[profile_id], f"profile {profile_id}")
    named = {"ledger": ledger_topic, "payment_order": payment_order_topic}
    topics: dict[str, Kind] = {}
    for kind in KINDS.values():
        topic = named[kind.name].strip() or _topic(found, kind)
        if topic in topics:
            raise ProfileError(f"ledger entries and payment orders need two topics, not {topic} for both")
        topics[topic] = kind
    return Profile(
        profile_id=profile_id,
        topics=topics,
        aliases={kind: _aliases(found, kind) for kind in KINDS},
        core_required={kind: _required(found, kind) for kind in KINDS},
    )


def _text(file: Path | None) -> str:
    if file is None:
        return (files("plura.tx.consumer") / "event_profiles.yml").read_text(encoding="utf-8")
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProfileError(f"there is no file {file} of event profiles") from None


def _profiles(text: str) -> Mapping[str, Any]:
    try:
        document = _map(yaml.safe_load(text), "the file of event profiles")
    except yaml.YAMLError as error:
        raise ProfileError(f"the event profiles are not YAML: {error}") from None
    if document.get("version") != 1:
        raise ProfileError("the event profiles have to say version: 1")
    profiles = _map(document.get("profiles"), "profiles")
    if not profiles:
        raise ProfileError("the file of event profiles has none")
    return profiles


def _topic(profile: Mapping[str, Any], kind: Kind) -> str:
    topics = _map(profile.get("topics") or {}, "topics")
    topic = topics.get(kind.name, kind.topic)
    if not isinstance(topic, str) or not topic.strip():
        raise ProfileError(f"topics.{kind.name} has to be a name")
    return topic.strip()


def _aliases(profile: Mapping[str, Any], kind: str) -> dict[str, tuple[str, ...]]:
    given = _map(_map(profile.get("aliases") or {}, "aliases").get(kind) or {}, f"aliases.{kind}")
    return {
        # its own name comes first if the list leaves it out; a repeated name counts once
        field: tuple(dict.fromkeys(names if field in names else [field, *names]))
        for field, names in ((field, _names(names, f"aliases.{kind}.{field}")) for field, names in given.items())
    }


def _required(profile: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    given = _map(profile.get("core_required") or {}, "core_required").get(kind) or []
    names = _names(given, f"core_required.{kind}") if given != [] else []
    return tuple(dict.fromkeys("event_time" if name == _EVENT_TIME else name for name in names))


def _names(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not given:
        raise ProfileError(f"{where} has to be a list of names")
    if not all(isinstance(name, str) and name.strip() for name in given):
        raise ProfileError(f"{where} has a blank name")
    return [name.strip() for name in given]


def _map(given: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ProfileError(f"{what} has to be a map")
    return given
