"""What people paste into the search, and the ids that are looked up for it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plura.kit.http.errors import InvalidRequestError
from plura.tx.api.console.pasted import BLANKS, LONGEST_PASTED, searched, trimmed

AROUND = {
    "blank": " ",
    "tab": "\t",
    "line end": "\n",
    "line end of Windows": "\r\n",
    "vertical tab": "\v",
    "form feed": "\f",
    "next line": "\x85",
    "no-break": "\xa0",
    "narrow no-break": "\u202f",
    "figure space": "\u2007",
    "thin": "\u2009",
    "ideographic": "\u3000",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "zero width": "\u200b",
    "zero width non-joiner": "\u200c",
    "zero width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\xad",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "embedding": "\u202a",
    "isolate": "\u2066",
    "Hangul filler": "\u3164",
    "half-width Hangul filler": "\uffa0",
    "Braille blank": "\u2800",
    "several": " \n\xa0\u200b\t",
}


@pytest.mark.parametrize("blank", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("quotes", ["", '""', "''", "``", "“”", "„“", "«»", "「」"])
def test_blanks_and_quotes_around_an_id_are_removed(blank: str, quotes: str) -> None:
    opening, closing = quotes[: len(quotes) // 2], quotes[len(quotes) // 2 :]
    for text in (
        f"{blank}{opening}po-1{closing}{blank}",
        f"{blank}{opening}po-1{closing}",
        f"{opening}po-1{closing}{blank}",
        f"{opening}{blank}po-1{blank}{closing}",
    ):
        assert searched(text)[0] == trimmed(text) == "po-1"


@pytest.mark.parametrize(
    "kept",
    [
        "a b",  # blanks inside
        "a\u200bb",
        "a\u200db",
        '"a',  # a quote without its other
        "a'",
        "\"a'",
        "”a“",  # closing before opening
        '"',
        '""',
        "5'",
        "’a‘",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f",  # shown as an emoji by its last character
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # ends with a tag
        "مرحبا",
        "a/b",
        "a%2Fb",
        "a?b#c",
        "a+b",
        "<b>",
        "e\u0301",
        "ﷺ",
        "가\u11a8",
        ".",
        "0",
    ],
)
def test_what_belongs_to_an_id_stays(kept: str) -> None:
    assert searched(kept) == [kept]
    assert searched(f" {kept}\n") == [kept]


def test_an_id_with_quotes_of_its_own_is_looked_up_too() -> None:
    assert searched('"po-1"') == ["po-1", '"po-1"']
    assert searched("'\"po-1\"'") == ['"po-1"', "'\"po-1\"'"]


def test_an_id_with_invisible_characters_of_its_own_is_looked_up_too() -> None:
    assert searched("\u200bpo-1") == ["po-1", "\u200bpo-1"]
    assert searched(" \xa0po-1\u3000") == ["po-1"]  # white space is never part of the ends of an id


def test_all_white_space_is_blank_and_nothing_visible_is() -> None:
    every = [chr(code) for code in range(0x110000)]
    assert {character for character in every if character.isspace()} <= set(BLANKS)
    # letters, marks, numbers, punctuation and symbols are visible but for these
    invisible = {
        "\u034f",
        "\u115f",
        "\u1160",
        "\u17b4",
        "\u17b5",
        "\u180b",
        "\u180c",
        "\u180d",
        "\u180f",
        "\u2800",
        "\u3164",
        "\uffa0",
    }
    assert {character for character in BLANKS if unicodedata.category(character)[0] in "LMNPS"} == invisible
    assert len(set(BLANKS)) == len(BLANKS)


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\n", " \xa0\u3000 "])
def test_nothing_is_no_id(blank: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        searched(blank)
    assert caught.value.errors == [
        {"type": "string_too_short", "loc": ["query", "q"], "msg": "an id has at least one character"}
    ]


@pytest.mark.parametrize("inside", ["a\nb", "a\x00b", "a\x85b", "a\x7fb", "\x00", "\x01a"])
def test_control_characters_inside_an_id_are_refused(inside: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        searched(inside)
    assert caught.value.errors
    assert caught.value.errors[0]["type"] == "string_pattern_mismatch"


def test_an_id_is_as_long_as_it_is_without_what_surrounds_it() -> None:
    assert searched('  "' + "x" * 255 + '"\n') == ["x" * 255]
    assert searched("😀" * 255) == ["😀" * 255]
    with pytest.raises(InvalidRequestError) as caught:
        searched(" " + "x" * 256)
    assert caught.value.errors
    assert caught.value.errors[0]["type"] == "string_too_long"


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60))
@example('"')
@example("''")
def test_any_id_that_is_stored_is_among_those_that_are_looked_up(text: str) -> None:
    stored = text.strip()  # as the consumer stores it
    if stored.strip(BLANKS):
        assert stored in searched(stored)


@given(st.text(max_size=60))
def test_trimming_again_removes_no_blank(text: str) -> None:
    assert trimmed(text) == trimmed(text).strip(BLANKS)


@pytest.mark.parametrize("piece", [" ", '"', "\u200b", '" ', "'\""])
def test_time_grows_with_the_length_alone(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            trimmed(text)
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds(64 * LONGEST_PASTED) < 64 * 8 * max(seconds(LONGEST_PASTED), 1e-5)
