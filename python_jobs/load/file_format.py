"""The likely format of a file without JSON lines, from its first bytes."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

HEAD_BYTES = 64 * 1024
"""Bytes of a file's uncompressed content that are inspected."""

_SIGNATURES = {
    codecs.BOM_UTF32_LE: "UTF-32 text: write it in UTF-8",  # begins like UTF-16, so it is looked for first
    codecs.BOM_UTF32_BE: "UTF-32 text: write it in UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16 text: write it in UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16 text: write it in UTF-8",
    b"PK\x03\x04": "a ZIP archive: unpack it",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x28\xb5\x2f\xfd": "Zstandard data: decompress it",
    b"\x1f\x8b": "gzip data inside gzip data: decompress it once",
    b"BZh": "bzip2 data: decompress it",
    b"\xfd7zXZ\x00": "XZ data: decompress it",
    b"\x04\x22\x4d\x18": "LZ4 data: decompress it",
    b"\xff\x06\x00\x00sNaPpY": "Snappy data: decompress it",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"PAR1": "a Parquet file: write its rows as JSON lines",
    b"Obj\x01": "an Avro file: write its rows as JSON lines",
    b"ORC": "an ORC file: write its rows as JSON lines",
    b"%PDF": "a PDF document",
    b"SQLite format 3\x00": "an SQLite database",
}
_BEGINNINGS = {
    "<!doctype html": "an HTML page",
    "<html": "an HTML page",
    "<": "an XML document",
    "version https://git-lfs": "a pointer of Git LFS: fetch the file with git lfs pull",
    "data:": "server-sent events: remove data: from each line",
    "\x1e": "a JSON text sequence (RFC 7464): remove the record separators",
}
_OBJECT_LINE = "write each object on a line of its own, for example with jq -c"
_BLANKS = " \t\r\n"
_WIDTH = 2  # bytes of a character in UTF-16


def binary_kind(head: bytes) -> str | None:
    """Return the format of a file whose first bytes cannot begin a file of JSON lines, else None."""
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head[8:12] == b"DUCK":
        return "a DuckDB database"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it"
    if head and not head.strip(b"\x00"):
        return "NUL bytes: it was not written to its end"
    for first in range(_WIDTH):
        # UTF-16 without a byte order mark: every other byte of ASCII text is zero
        if len(head) > _WIDTH and not any(head[first:200:_WIDTH]) and all(head[1 - first : 200 : _WIDTH]):
            return "UTF-16 text: write it in UTF-8"
    return None


def spread_kind(head: bytes) -> str | None:
    """Return the format of a file that spreads one JSON value over several lines, else None.

    Its other lines may be objects, which are only parts of it.
    """
    lines = _text(head).split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    if len(lines) > 1 and first == "[":
        return f"a JSON array over several lines: {_OBJECT_LINE} '.[]'"
    if len(lines) > 1 and first == "{":
        return f"JSON objects over several lines each: {_OBJECT_LINE}"
    return None


def text_kind(head: bytes) -> str:
    """Return the likely format of a file without a single JSON object."""
    text = _text(head).strip(_BLANKS)
    first = text.split("\n", 1)[0].strip(_BLANKS)
    opening = text[:200].lower()
    if opening.startswith(("[", "{")):
        return _json_kind(first)
    for start, kind in _BEGINNINGS.items():
        if opening.startswith(start):
            return kind
    if _is_json(first):
        return f"JSON values that are not objects ({first[:20]})"
    if _is_delimited(text):
        return "a CSV file: write its rows as JSON lines"
    return "binary data" if "\x00" in text or "\ufffd" in text else "text that is not JSON"


def _json_kind(first: str) -> str:
    """The likely format of a file whose first line begins with a bracket and is not a JSON object."""
    try:
        value, end = json.JSONDecoder().raw_decode(first)
    except (ValueError, RecursionError):
        value, end = None, 0
    rest = first[end:].strip()
    if first.startswith("[") and value is not None and not rest:
        is_objects = isinstance(value, list) and any(isinstance(element, dict) for element in value)
        return f"a JSON array of objects: {_OBJECT_LINE} '.[]'" if is_objects else "JSON arrays, which are not objects"
    if first.startswith("["):
        return f"a JSON array over several lines: {_OBJECT_LINE} '.[]'"
    if value is not None and rest.startswith(","):
        return "JSON objects with a comma after each: remove the commas"
    if value is not None and rest.startswith("{"):
        return f"several JSON objects on one line: {_OBJECT_LINE}"
    if re.match(r"\{\s*'", first):
        return "Python dictionaries: JSON has double quotes"
    return "JSON that is broken or cut off"


def first_object(head: bytes) -> dict[str, Any] | None:
    """Return the first object of a file, also the first one of an array, or None."""
    first = next((line for line in _text(head).split("\n") if line.strip()), "")
    try:
        value = json.JSONDecoder().raw_decode(first.strip())[0]
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else None


def _text(head: bytes) -> str:
    return head.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_delimited(text: str) -> bool:
    """Whether the first two lines have the same number of one of the usual delimiters."""
    lines = [line for line in text.split("\n") if line.strip()][:2]
    return any(lines[0].count(mark) and len({line.count(mark) for line in lines}) == 1 for mark in ",;\t|")
