"""Reading files of JSON lines: what a line is, what is malformed, and which files are refused."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from python_jobs.load import lines
from python_jobs.load.lines import Malformed, content_sha256, parse_line, read_lines, scalar_text
from python_jobs.warehouse import LakeError

BOM = b"\xef\xbb\xbf"


def read(path: Path, **options: str) -> tuple[list[str | None], list[Malformed]]:
    blocks = list(read_lines(path, **options))
    return [text for block in blocks for text in block.texts], [bad for block in blocks for bad in block.malformed]


def written(folder: Path, content: bytes, name: str = "entries.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_line_is_kept_to_the_last_byte(tmp_path: Path) -> None:
    odd = ' {"id": "가나다\\u0041",\t"amount": 1.10 , "id": "again"}  '
    assert read(written(tmp_path, f"{odd}\n{odd}\n".encode())) == ([odd, odd], [])


def test_windows_line_ends_a_byte_order_mark_and_a_missing_last_newline_make_no_difference(tmp_path: Path) -> None:
    plain = read(written(tmp_path, b'{"a": 1}\n\n{"b": 2}\n'))
    assert plain == (['{"a": 1}', "", '{"b": 2}'], [])
    assert read(written(tmp_path, BOM + b'{"a": 1}\r\n\r\n{"b": 2}')) == plain


def test_a_byte_order_mark_is_dropped_at_the_start_of_the_file_only(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"{}\n" + BOM + b"{}\n")) == (["{}", "\ufeff{}"], [])


def test_gzip_is_recognised_by_its_content_and_hashes_as_what_it_holds(tmp_path: Path) -> None:
    content = b'{"a": 1}\n' * 3
    plain = written(tmp_path, content, "plain.jsonl.gz")
    packed = written(tmp_path, gzip.compress(content), "packed.jsonl")
    assert read(packed) == read(plain)
    assert content_sha256(packed) == content_sha256(plain)


def test_a_line_that_is_not_utf8_is_reported_with_its_number_and_readable_bytes(tmp_path: Path) -> None:
    texts, malformed = read(written(tmp_path, b'{"a": 1}\n{"name": "caf\xe9"}\n{"b": 2}\n\xff\xfe'))
    assert texts == ['{"a": 1}', None, '{"b": 2}', None]
    assert malformed == [
        Malformed(line_number=2, raw_line='{"name": "caf\\xe9"}', error="not UTF-8 at byte 14"),
        Malformed(line_number=4, raw_line="\\xff\\xfe", error="not UTF-8 at byte 1"),
    ]


def test_an_empty_file_has_no_line(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"")) == ([], [])
    assert read(written(tmp_path, gzip.compress(b""))) == ([], [])


@pytest.mark.parametrize("before", range(0, 60, 7))
@pytest.mark.parametrize("end", [b"\n{}\n", b""])
def test_a_line_is_too_long_at_any_position_in_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, end: bytes
) -> None:
    """40 bytes are a line, 41 are not; blocks of 16 bytes cut it at every place."""
    monkeypatch.setattr(lines, "_BLOCK", 16)
    monkeypatch.setattr(lines, "LONGEST_LINE", 40)
    start = b"{}\n" * before
    assert len(read(written(tmp_path, start + b"x" * 40 + end))[0]) == before + 1 + len(end) // 4
    with pytest.raises(LakeError, match=rf"entries.jsonl:{before + 1}: the line is longer than"):
        read(written(tmp_path, start + b"x" * 41 + end))


def test_a_cut_off_gzip_file_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(os.urandom(5_000))
    for broken in (packed[: len(packed) // 2], packed[:200] + b"\x00" * 50 + packed[250:], b"\x1f\x8bno gzip"):
        path = written(tmp_path, broken)
        with pytest.raises(LakeError, match=r"entries.jsonl is a broken gzip file \(.+\): fetch it again"):
            read(path)
        with pytest.raises(LakeError, match="is a broken gzip file"):
            content_sha256(path)


def test_a_file_that_is_still_being_written_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"a": 1}\n')
    before = content_sha256(path)
    assert read(path, sha256=before)[0] == ['{"a": 1}']
    with path.open("ab") as file:
        file.write(b'{"b": 2}\n')
    with pytest.raises(LakeError, match=r"entries.jsonl changed while it was read: load it again when it is complete"):
        read(path, sha256=before)


def test_a_folder_or_a_dangling_link_under_a_files_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "gone")
    with pytest.raises(LakeError, match=r"folder.jsonl cannot be read \(Is a directory\)"):
        read(tmp_path / "folder.jsonl")
    with pytest.raises(LakeError, match=r"link.jsonl cannot be read \(No such file or directory\)"):
        content_sha256(tmp_path / "link.jsonl")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"a": 1', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} {"b": 2}', "not JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a": 01}', "not JSON"),
        ('{"a": "tab\there"}', "not JSON"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"a": [{"\\udc00": 1}]}', "half of a surrogate pair"),
        ('{"a": 1, "a": ["\\ud800"]}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 201 + '"\\u00e9"' + "}" * 201, "nested too deeply"),
        ('{"a": ' + "1" * 1001 + "}", "a number is longer than 1,000"),
        ('{"a": 0.' + "1" * 1000 + "}", "a number is longer than 1,000"),
        ('{"b": {"' + "a" * 50_001 + '": 1}}', "a key is longer than 50,000"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
def test_what_is_no_strict_json_object_is_malformed(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_line(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 200 + '"\\u00e9"' + "}" * 200,
        '{"a": [' + ",".join('["[[", {}]' for _ in range(500)) + "]}",
        '{"a": "' + '\\"[{' * 500 + '"}',
        '{"a": ' + "1" * 1000 + "}",
        '{"' + "a" * 50_000 + '": "' + "b" * 60_000 + '"}',
    ],
    ids=["deep", "wide", "brackets in a text", "long number", "long key and text"],
)
def test_what_every_engine_can_read_again_is_read(text: str) -> None:
    assert len(parse_line(text)) == 1


def test_a_long_line_is_looked_through_in_a_few_times_its_memory() -> None:
    text = '{"a": [' + "[]," * 300 + '"' + "x" * 2_000_000 + '"]}'
    tracemalloc.start()
    try:
        assert len(parse_line(text)) == 1
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)
    finally:
        tracemalloc.stop()


def test_numbers_keep_their_digits_and_the_first_of_a_repeated_key_counts() -> None:
    text = '{"a": 1.10, "b": 1E400, "c": 123456789012345678901, "a": 2, "d": true, "e": null, "f": [], "g": "\\u00e9"}'
    record = parse_line(text)
    assert {key: scalar_text(value) for key, value in record.items()} == {
        "a": "1.10",
        "b": "1E400",
        "c": "123456789012345678901",
        "d": "true",
        "e": None,
        "f": None,
        "g": "é",
    }
    assert scalar_text(json.loads("false")) == "false"
