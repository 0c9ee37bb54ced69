"""Files that hold no JSON lines are refused with what they look like, whatever they are called."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.commands import Plura
from tests.loads import GOOD, Bronze, content

LEDGER = GOOD["transaction_ledger"]
LINES = content([LEDGER, LEDGER | {"tx_id": "tx_2"}])
XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("transaction_ledger.jsonl", LINES)
    return file.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"tx_id": ["tx_1"]}), file)
    return file.getvalue()


ARRAY = [LEDGER, LEDGER | {"tx_id": "tx_2"}]
WRONG = {
    "error page in XML": (XML, "an XML document"),
    "error page in XML, one line": (XML.replace(b"\n", b""), "an XML document"),
    "error page in HTML": (b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n", "an HTML page"),
    "HTML without doctype": (b"\n\n  <HTML>\n<h1>404</h1></HTML>", "an HTML page"),
    "error page with byte order mark": (b"\xef\xbb\xbf" + XML, "an XML document"),
    "plain text": (b"upstream connect error or disconnect/reset before headers", "text that is not JSON"),
    "CSV": (b"tx_id,wallet_id,amount\ntx_1,user_1,10.00\n", "a CSV file"),
    "CSV with semicolons": (b"tx_id;wallet_id;amount\r\ntx_1;user_1;10,00\r\n", "a CSV file"),
    "tabs": (b"tx_id\twallet_id\ntx_1\tuser_1\n", "a CSV file"),
    "header alone": (b"tx_id,wallet_id,amount\n", "a CSV file"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "a PDF document"),
    "ZIP": (zipped(), "a ZIP archive: unpack it"),
    "Zstandard": (zstandard.compress(LINES), "Zstandard data: decompress it"),
    "bzip2": (bz2.compress(LINES), "bzip2 data: decompress it"),
    "XZ": (lzma.compress(LINES), "XZ data: decompress it"),
    "Parquet": (parquet(), "a Parquet file"),
    "gzip twice": (gzip.compress(gzip.compress(LINES)), "gzip data inside gzip data"),
    "SQLite": (b"SQLite format 3\x00" + bytes(84), "an SQLite database"),
    "bytes": (bytes(range(128, 256)) * 9, "binary data"),
    "NUL bytes": (bytes(4096), "NUL bytes: it was not written to its end"),
    "UTF-16 LE": (b"\xff\xfe" + LINES.decode().encode("utf-16-le"), "UTF-16 text: write it in UTF-8"),
    "UTF-16 BE": (b"\xfe\xff" + LINES.decode().encode("utf-16-be"), "UTF-16 text: write it in UTF-8"),
    "UTF-16 LE without mark": (LINES.decode().encode("utf-16-le"), "UTF-16 text: write it in UTF-8"),
    "UTF-16 BE without mark": (LINES.decode().encode("utf-16-be"), "UTF-16 text: write it in UTF-8"),
    "UTF-32": (LINES.decode().encode("utf-32"), "UTF-32 text: write it in UTF-8"),
    "nulls": (b"null\nnull\n", "JSON values that are not objects (null)"),
    "numbers": (b"1\n2\n", "JSON values that are not objects (1)"),
    "texts": (b'"a"\n"b"\n', 'JSON values that are not objects ("a")'),
    "array, one line": (json.dumps(ARRAY).encode(), "a JSON array of objects: write each object on a line"),
    "array, pretty": (json.dumps(ARRAY, indent=2).encode(), "a JSON array over several lines: write each"),
    "array, pretty, objects whole": (
        b"[\n" + b",\n".join(json.dumps(element).encode() for element in ARRAY) + b"\n]\n",
        "a JSON array over several lines: write each object on a line of its own, for example with jq -c '.[]'",
    ),
    "array, brackets beside objects": (
        b"[" + b",\n".join(json.dumps(element).encode() for element in ARRAY) + b"]\n",
        "a JSON array over several lines",
    ),
    "arrays": (b'["tx_1","user_1"]\n["tx_2","user_2"]\n', "JSON arrays, which are not objects"),
    "object, pretty": (json.dumps(LEDGER, indent=2).encode(), "JSON objects over several lines each"),
    "object, pretty, with lines that are objects": (
        b'{\n"items": [\n{"tx_id": "tx_1"}\n]\n}\n',
        "JSON objects over several lines each",
    ),
    "commas": (b'{"a": 1},\n{"a": 2},\n', "JSON objects with a comma after each: remove the commas"),
    "concatenated": (b"{}{}", "several JSON objects on one line"),
    "concatenated with blanks": (json.dumps(LEDGER).encode() * 2, "several JSON objects on one line"),
    "old Mac line ends": (LINES.replace(b"\n", b"\r"), "several JSON objects on one line"),
    "single quotes": (b"{'tx_id': 'tx_1'}\n", "Python dictionaries"),
    "cut off": (b'{"tx_id": "tx_1", "wal', "JSON that is broken or cut off"),
    "text sequence": (b"\x1e" + LINES.replace(b"\n{", b"\n\x1e{"), "a JSON text sequence"),
    "server-sent events": (b"data: " + json.dumps(LEDGER).encode() + b"\n\n", "server-sent events"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS"),
}


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """A warehouse with one order, and a folder."""
    bronze = Bronze(work=tmp_path)
    bronze.write("orders.jsonl", GOOD["orders"])
    bronze.load()
    return bronze


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_file_without_an_object_is_refused_with_what_it_looks_like(raw: Bronze, kind: str, packed: bool) -> None:
    bytes_, looks = WRONG[kind]
    path = raw.folder / f"transaction_ledger.jsonl{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(bytes_) if packed and kind != "gzip twice" else bytes_)
    before = raw.everything()
    report = raw.load()
    (problem,) = report.problems
    assert problem.startswith(str(path))
    assert f"it looks like {looks}" in problem
    assert problem.endswith("Nothing of it was loaded")
    assert sorted(file.outcome for file in report.files) == ["refused", "unchanged"]
    assert raw.everything() == before


@pytest.mark.parametrize(
    "bytes_",
    [
        b'{"error": {"code": 403, "message": "forbidden"}}\n',
        b'{"Message": "The security token included in the request is expired"}',
        b"{}\n{}\n",
        content([LEDGER | {"a": 1}]).replace(b"tx_id", b"txId"),
    ],
)
def test_an_object_that_is_no_line_of_the_table_is_refused(raw: Bronze, bytes_: bytes) -> None:
    """An error document in JSON has none of the required keys."""
    (raw.folder / "transaction_ledger.jsonl").write_bytes(bytes_)
    (problem,) = raw.load().problems
    assert "does not fit bronze.transaction_ledger_raw: no line has tx_id" in problem
    assert raw.sql("select count(*) from bronze.transaction_ledger_raw") == [(0,)]


@pytest.mark.parametrize("cut", [10, 40, 1_000])
def test_a_gzip_file_that_is_cut_off_is_named_as_such(raw: Bronze, cut: int) -> None:
    bytes_ = gzip.compress(content([LEDGER | {"n": n * 7919} for n in range(2_000)]))
    (raw.folder / "transaction_ledger.jsonl.gz").write_bytes(bytes_[:-cut])
    (problem,) = raw.load().problems
    assert "is a broken gzip file (" in problem


@pytest.mark.parametrize("bytes_", [b"", b"\n \n", b"\xef\xbb\xbf\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_empty_and_no_problem(raw: Bronze, bytes_: bytes) -> None:
    path = raw.folder / "transaction_ledger.jsonl"
    path.write_bytes(bytes_)
    report = raw.load()
    assert report.problems == []
    assert report.warnings == [f"{path} holds no line: nothing to load"]


@pytest.mark.parametrize(
    "first",
    [b"<html>", b"null", b"[", b"tx_id,wallet_id", b'{"tx_id": "cut', b"  [1, 2]", b"PK", b"\xff", b"{}{}"],
)
def test_one_object_makes_a_file_of_lines_whatever_its_first_line_is(raw: Bronze, first: bytes) -> None:
    """The other line is malformed and quarantined; a bracket alone is the beginning of a longer value."""
    (raw.folder / "transaction_ledger.jsonl").write_bytes(content([first, LEDGER]))
    (file,) = [file for file in raw.load().files if file.table == "transaction_ledger_raw"]
    expected = ("refused", 0, 0) if first == b"[" else ("loaded", 1, 1)
    assert (file.outcome, file.rows, file.malformed) == expected


def test_a_brace_alone_in_a_later_line_is_a_malformed_line(raw: Bronze) -> None:
    (raw.folder / "transaction_ledger.jsonl").write_bytes(content([LEDGER, b"{", b"}", b"["]))
    (file,) = [file for file in raw.load().files if file.table == "transaction_ledger_raw"]
    assert (file.outcome, file.rows, file.malformed) == ("loaded", 1, 3)


def test_the_other_files_are_loaded_and_the_command_fails(tmp_path: Path) -> None:
    plura = Plura(work=tmp_path, settings={})
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "transaction_ledger.jsonl").write_bytes(XML)
    (folder / "orders.jsonl").write_bytes(content([GOOD["orders"]]))
    outcome = plura("lake", "load", folder)
    assert outcome.code == 1
    assert outcome.error == (
        f"{folder}/transaction_ledger.jsonl has no JSON object in any line; it looks like an XML document."
        " Nothing of it was loaded"
    )
    assert "files: 1 loaded, 1 refused" in outcome.out


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["transaction_ledger.jsonl", "transaction_ledger/a.jsonl", "ledger.json"])
def test_what_is_no_regular_file_is_never_waited_for(raw: Bronze, name: str) -> None:
    """A pipe has no end until somebody writes into it."""
    path = raw.folder / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    report = raw.load()
    if name.endswith(".jsonl"):
        assert report.problems == [f"{path} cannot be read (it is not a regular file); nothing of it was loaded"]
    assert {file.outcome for file in report.files if file.path != path} == {"unchanged"}


@pytest.mark.parametrize("name", [b"a\xb0\xc5\xb7\xa1.jsonl", b"caf\xe9.jsonl"])
def test_a_name_that_is_not_utf_8_refuses_its_file_alone(raw: Bronze, name: bytes) -> None:
    """Archives of other systems have names in other encodings."""
    raw.write("products.jsonl", GOOD["products"])
    folder = raw.folder / "transaction_ledger"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(LINES)
    report = raw.load()
    (problem,) = report.problems
    assert "has a name that is not UTF-8: rename it; nothing of it was loaded" in problem
    problem.encode()
    assert report.count("loaded") == 1
