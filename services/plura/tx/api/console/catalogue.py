"""The texts of the pages: every sentence and label, in each language, from ``texts.yml``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml
from markupsafe import Markup


class Language(StrEnum):
    """A language of the pages, as in HTML's ``lang``."""

    ENGLISH = "en"
    KOREAN = "ko"


Catalogue = Mapping[str, Mapping[Language, str]]


@cache
def catalogue() -> Catalogue:
    """Return all texts by key and language."""
    content = yaml.safe_load((Path(__file__).parent / "texts.yml").read_text(encoding="utf-8"))
    return {key: {Language(language): text for language, text in texts.items()} for key, texts in content.items()}


class Texts:
    """The texts of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> Markup:
        """Return the text of ``key`` with ``values`` in its placeholders; values that are not ``Markup`` are escaped.

        Raises:
            KeyError: the text does not exist, or a placeholder has no value.
        """
        return Markup(catalogue()[key][self.language]).format(**values)  # noqa: S704  # the catalogue is ours

    def of(self, language: Language) -> Texts:
        """Return the texts of a language."""
        return Texts(language)

    def has(self, key: str) -> bool:
        """Return whether a text has this key."""
        return key in catalogue()


_LANGUAGES = frozenset(Language)
_LONGEST_HEADER = 1000


def preferred(accept_language: str) -> Language:
    """Return the language that ``Accept-Language`` (RFC 9110) prefers, English by default."""
    best, chosen = 0.0, Language.ENGLISH
    for item in accept_language[:_LONGEST_HEADER].split(","):
        tag, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = _quality(parameters)
        primary = tag.partition("-")[0]
        if primary in _LANGUAGES and quality > best:
            best, chosen = quality, Language(primary)
    return chosen


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0
