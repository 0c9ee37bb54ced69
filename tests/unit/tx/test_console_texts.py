"""The catalogue of the console's texts is complete in both languages, and pages have no other texts."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, nodes

from plura.kit.http import errors
from plura.tx.api.console import catalogue as module
from plura.tx.api.console.catalogue import Language, Texts, catalogue, preferred
from plura.tx.api.entries import PairingStatus, StatusGroup

FOLDER = Path(module.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
HANGUL = re.compile(r"[가-힣]")
CODES = {"KST", "KRW", "ID", "IP", "ADMIN_READ", "ADMIN_AUDIT", "UTC"}
"""Words of the API, of networks and of time zones that are the same in every language."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", catalogue())
def test_every_text_is_in_both_languages(key: str) -> None:
    texts = catalogue()[key]
    assert set(texts) == set(Language)
    assert all(text.strip() == text and text for text in texts.values())
    english, korean = texts[Language.ENGLISH], texts[Language.KOREAN]
    assert placeholders(english) == placeholders(korean)
    if key != "language":
        assert HANGUL.search(korean), "not Korean"
        assert not HANGUL.search(english), "not English"
        left = re.sub(r"\{\w+\}|\{[^}]*\}|\d{4}-[\dT:-]+", "", korean)
        assert set(re.findall(r"[A-Za-z_]{2,}", left)) <= CODES, "English words in the Korean text"


def test_no_key_is_twice() -> None:
    keys = re.findall(r"^(\S+):$", (FOLDER / "texts.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(catalogue())


def used_keys() -> tuple[set[str], set[str]]:
    """Return the keys that templates and code name, and the beginnings of those that they put together."""
    names, beginnings = set(), set()
    for path in TEMPLATES:
        for call in Environment(autoescape=True).parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if not call.args:
                continue
            first = call.args[0]
            if isinstance(first, nodes.Const) and is_text_call(call):
                names.add(first.value)
            elif isinstance(first, nodes.Concat) and isinstance(first.nodes[0], nodes.Const):
                beginnings.add(first.nodes[0].value)
    for path in FOLDER.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        names |= set(re.findall(r'texts\("([\w.]+)"', code))
        beginnings |= set(re.findall(r'f"([a-z]+\.)\{', code))
    return names, beginnings


def is_text_call(call: nodes.Call) -> bool:
    called = call.node
    if isinstance(called, nodes.Name):
        return called.name == "t"
    return isinstance(called, nodes.Call) and isinstance(called.node, nodes.Getattr) and called.node.attr == "of"


def test_every_used_key_exists_and_every_key_is_used() -> None:
    names, beginnings = used_keys()
    assert names - set(catalogue()) == set()
    unused = {key for key in catalogue() if key not in names and not key.startswith(tuple(beginnings))}
    assert unused == set()


def test_every_code_that_a_page_puts_into_words_has_them() -> None:
    for beginning, codes in {
        "status.": StatusGroup,
        "pairing.": PairingStatus,
        "kind.": ("TX", "PAYMENT_ORDER", "WALLET"),
        "about.": ("TX", "PAYMENT_ORDER", "WALLET"),
        "result.": ("FOUND", "NOT_FOUND", "EMPTY", "UNAUTHENTICATED", "FORBIDDEN", "INVALID"),
    }.items():
        assert {key.removeprefix(beginning) for key in catalogue() if key.startswith(beginning)} == set(codes)


def all_errors(kind: type[errors.ApiError] = errors.ApiError) -> set[str]:
    import plura.tx.api.app  # noqa: F401  # defines them all

    found = {kind.code}
    for subclass in kind.__subclasses__():
        found |= all_errors(subclass)
    return found


@pytest.mark.parametrize("code", sorted(all_errors()))
def test_every_error_of_ours_has_a_text(code: str) -> None:
    assert Texts(Language.KOREAN).has(f"error.{code}.title")
    assert Texts(Language.KOREAN).has(f"error.{code}.text")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_text_of_its_own(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    words = re.sub(r"<[^>]*>", " ", bare)
    assert re.findall(r"[^\W\d_]+", words) == []
    for attribute in ("title", "placeholder", "aria-label", "alt", "data-label", "content"):
        for value in re.findall(rf'\s{attribute}="([^"]*)"', bare):
            assert value in ("", "width=device-width, initial-scale=1", "light dark", "noindex", "0; url="), value


def test_a_key_without_a_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        Texts(Language.KOREAN)("no.such.key")


def test_values_in_texts_are_escaped() -> None:
    assert "<b>" not in Texts(Language.ENGLISH)("error.tx_not_found.text", id="<b>")


def test_the_catalogue_is_plain_yaml() -> None:
    content = yaml.safe_load((FOLDER / "texts.yml").read_text(encoding="utf-8"))
    assert all(isinstance(text, str) for texts in content.values() for text in texts.values())


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("KO-kr", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("fr-FR, ko;q=0.3", "ko"),
        ("ko;q=0.1, en;q=0.2", "en"),
        ("ko;q=0", "en"),
        ("ko ; q=0.5 , en;q=0.4", "ko"),
        ("*", "en"),
        ("kok, korean", "en"),
        ("ko;q=nan", "en"),
        ("ko;q=inf", "en"),
        ("ko;q=-1", "en"),
        ("ko;q=x", "en"),
        (",;,;=,", "en"),
        ("ko;level=1;q=0.2, en;q=0.3", "en"),
        ("\u0130\uff4b\uff4f", "en"),
    ],
)
def test_the_language_is_the_first_choice_of_the_browser(accepted: str, language: str) -> None:
    assert preferred(accepted) == language
