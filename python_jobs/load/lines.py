"""Reading JSON lines: plain or gzip files in bounded memory, nothing of a broken line lost."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from python_jobs.load.file_format import HEAD_BYTES
from python_jobs.number_text import NumberText
from python_jobs.warehouse import LakeError

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of a line beyond which a file is refused, so that memory stays bounded."""

# what Spark still takes apart when it looks into a line again
LONGEST_KEY = 50_000
_LONGEST_NUMBER = 1000
_DEEPEST = 200

_BLOCK = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')  # by runs: a step for each character needs 100 times the memory
_BRACKET = re.compile(r"[\[\]{}]")


@dataclass(frozen=True, kw_only=True)
class Malformed:
    r"""A line that is not a JSON object; bytes that are not UTF-8 are written as ``\xNN``."""

    line_number: int
    raw_line: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Consecutive lines of a file, the first of which is line ``first_number``; ``malformed`` ones are None here."""

    first_number: int
    texts: list[str | None]
    bytes_read: int
    malformed: list[Malformed] = field(default_factory=list)


def content_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's uncompressed content.

    Raises:
        LakeError: the file cannot be read or is a broken gzip file.
    """
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file's uncompressed content.

    Raises:
        LakeError: the file cannot be read or is a broken gzip file.
    """
    return next(_blocks(path, HEAD_BYTES), b"")


def read_lines(path: Path, *, sha256: str | None = None) -> Iterator[Lines]:
    """Yield the lines of a file block by block, without line ends and byte order mark.

    Args:
        path: the file, plain or gzip.
        sha256: content hash that the file had before, to notice a file that is still being written.

    Raises:
        LakeError: the file cannot be read, is a broken gzip file, has another content hash, or has a line longer than
            ``LONGEST_LINE``.
    """
    number, rest = 1, b""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
        data = rest + block
        end = data.rfind(b"\n") + 1
        # a block is shorter than the longest line, so only the first and the last line of the data can be too long
        if data.find(b"\n") > LONGEST_LINE:
            _refuse_long_line(path, number)
        if len(data) - end > LONGEST_LINE:
            _refuse_long_line(path, number + data.count(b"\n"))
        if end:
            lines = _decoded(data[:end], number, len(block))
            yield lines
            number += len(lines.texts)
        rest = data[end:]
    if rest:
        yield _decoded(rest + b"\n", number, 0)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise LakeError(
            f"{path} changed while it was read: load it again when it is complete; nothing of it was loaded"
        )


def parse_line(text: str) -> dict[str, Any]:
    """Return the object of a line, with numbers as ``NumberText``; of a repeated key the first value counts.

    Raises:
        ValueError: the line is no strict JSON object, or one that not every engine could read: nested more than 200
            levels, with a number of more than 1,000 characters or a key of more than 50,000.
    """
    if text.count("{") + text.count("[") > _DEEPEST and _depth(text) > _DEEPEST:
        raise ValueError("not JSON: nested too deeply")
    try:
        record = _decode(text)
        if "\\u" in text:
            # with every member, those of repeated keys included: engines that read the line again read it whole
            json.dumps(json.loads(text, parse_int=str, object_pairs_hook=list), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("not JSON: an escape is half of a surrogate pair") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the content is wrong, not the type of an argument
    return record


def scalar_text(value: Any) -> str | None:
    """Return the text of a scalar of ``parse_line``; objects and lists fit no column and give None."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value) if isinstance(value, str) else None


def plain_text(value: Any) -> str | None:
    """Return the text of a scalar of ``parse_line``, numbers in plain digits: 1001.0 and 1.001e3 are both 1001.

    None for objects and lists, and for a number that would take more than a thousand digits.
    """
    return plain_digits(value) if isinstance(value, NumberText) else scalar_text(value)


def plain_digits(number: NumberText) -> str | None:
    """Return a number without exponent, trailing zeros after the point or minus before zero; None if it is too long."""
    try:
        exact = Decimal(number)
    except InvalidOperation:  # an exponent beyond any column
        return None
    if not exact:
        return "0"
    if not -_LONGEST_NUMBER <= exact.adjusted() <= _LONGEST_NUMBER:
        return None
    digits = format(exact, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _refuse_long_line(path: Path, line_number: int) -> NoReturn:
    raise LakeError(
        f"{path}:{line_number}: the line is longer than {LONGEST_LINE >> 20} MiB;"
        " is this a file of JSON lines? Nothing of it was loaded"
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(len(key) > LONGEST_KEY for key, _ in pairs):
        raise ValueError(f"a key is longer than {LONGEST_KEY:,}")
    return dict(reversed(pairs))


def _number(text: str) -> NumberText:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number is longer than {_LONGEST_NUMBER:,}")
    return NumberText(text)


def _depth(text: str) -> int:
    """How many objects and lists are open at once; a text that is not JSON may give any number."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(depth, deepest)
    return deepest


# numbers stay text: no digit is lost on the way to decimal columns
_decode = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_refuse_constant, object_pairs_hook=_first_wins
).decode


def _decoded(data: bytes, first_number: int, bytes_read: int) -> Lines:
    """The lines of whole-line bytes; only a block with a line that is not UTF-8 is decoded line by line."""
    if first_number == 1 and data.startswith(_BOM):
        data = data[len(_BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    try:
        texts: list[str | None] = list(data.decode().split("\n"))
        texts.pop()
        return Lines(first_number=first_number, texts=texts, bytes_read=bytes_read)
    except UnicodeDecodeError:
        pass
    lines = Lines(first_number=first_number, texts=[], bytes_read=bytes_read)
    for number, line in enumerate(data[:-1].split(b"\n"), first_number):
        try:
            lines.texts.append(line.decode())
        except UnicodeDecodeError as error:
            lines.texts.append(None)
            text = line.decode(errors="backslashreplace")
            lines.malformed.append(
                Malformed(line_number=number, raw_line=text, error=f"not UTF-8 at byte {error.start + 1}")
            )
    return lines


def _open(path: Path) -> BinaryIO:
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a pipe would be waited for without an end
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else path.open("rb")  # type: ignore[return-value]


def _blocks(path: Path, size: int | None = None) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            while block := file.read(size or _BLOCK):
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LakeError(f"{path} is a broken gzip file ({error}): fetch it again; nothing of it was loaded") from error
    except OSError as error:
        raise LakeError(f"{path} cannot be read ({error.strerror or error}); nothing of it was loaded") from error
