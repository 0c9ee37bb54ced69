"""The file of the rules: what is not CSV of these columns stops the run, harmless forms are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_jobs import pipelines
from python_jobs.rules.catalog import COLUMNS
from tests.rule_files import DEFAULT, read, row

ROW = row("ledger/drift_abs", threshold="1")
LAST_LINE = DEFAULT.count("\n") + 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (DEFAULT.replace(",", ";"), "separated by semicolons (allowed: commas)"),
        (DEFAULT.replace(",", "\t"), "separated by tabs (allowed: commas)"),
        (DEFAULT.replace("threshold", "treshold", 1), "column 'treshold' is read by nothing"),
        (DEFAULT.replace("threshold", "Threshold", 1), "did you mean threshold?"),
        (DEFAULT.replace("threshold", " threshold", 1), "did you mean threshold?"),
        (DEFAULT.replace("rule_id", "id", 1), "without column rule_id"),
        (DEFAULT.replace("comment", "comment,owner", 1), "column 'owner' is read by nothing"),
        (DEFAULT.replace("comment", "comment,", 1), "column '' is read by nothing"),
        (DEFAULT.replace("comment", "comment,comment", 1), "column comment is there twice (allowed: once)"),
        (DEFAULT.replace(",comment", "", 1), "without column comment"),
        (DEFAULT.split("\n", 1)[1], "the first line does not name the columns"),
        ("", "the first line does not name the columns"),
        ("[]", "the first line does not name the columns"),
        (DEFAULT.split("\n", 1)[0], "it has no rule"),
        (DEFAULT.encode("utf-16"), "UTF-16"),
        (DEFAULT.encode("utf-16-be"), "zero bytes"),
        (DEFAULT.encode("utf-32"), "UTF-16"),
        (DEFAULT.encode() + "odd,ledger,drift_abs,,1,,,,없음\n".encode("cp949"), f"line {LAST_LINE} is not UTF-8"),
        (DEFAULT + ROW.replace(",1,", ",0,5,"), f"line {LAST_LINE} (rule odd) has 10 fields (allowed: 9)"),
        (DEFAULT + ROW.replace(",,1,", ",1,"), f"line {LAST_LINE} (rule odd) has 8 fields (allowed: 9)"),
        (DEFAULT + "odd", f"line {LAST_LINE} (rule odd) has 1 fields (allowed: 9)"),
        (DEFAULT + ",,,,,,,,,\n", f"line {LAST_LINE} has 10 fields (allowed: 9)"),
        (DEFAULT + " \n", f"line {LAST_LINE} has 1 fields (allowed: 9)"),
        (DEFAULT + "# a comment\n", f"line {LAST_LINE} (rule # a comment) has 1 fields"),
        (DEFAULT + ROW.rstrip("\n") + '"open\n' + ROW, "line"),
        (DEFAULT + ROW.rstrip("\n") + '"closed" too soon\n', "line"),
        (DEFAULT + 'odd,ledger,drift_abs,,1,{"crit": 1, "warn": 0},,,\n', "has 10 fields"),
        (DEFAULT + 'odd,ledger,drift_abs,,1,"{"crit": 1}",,,\n', "quotes doubled and closed"),
        (DEFAULT + ROW.replace("odd", "o\x00d"), "zero bytes"),
    ],
)
def test_a_file_that_is_no_csv_of_these_columns(tmp_path: Path, content: str | bytes, named: str) -> None:
    found = read(content, tmp_path).problem
    assert found is not None
    assert found.isprintable()
    assert named in found
    assert "allowed: " in found


@pytest.mark.parametrize(
    "content",
    [
        DEFAULT.encode("utf-8-sig"),
        DEFAULT.replace("\n", "\r\n").encode(),
        DEFAULT.replace("\n", "\r").encode(),
        DEFAULT.rstrip("\n").encode(),
        (DEFAULT + "\n\n,,,,,,,,\n").encode(),
        (",".join(reversed(COLUMNS)) + '\n"Columns turned.",,,,1,,drift_abs,ledger,odd\n').encode(),
    ],
    ids=["byte order mark", "Windows", "old Mac", "no last line end", "empty lines", "columns in another order"],
)
def test_harmless_forms_of_the_file_are_read(tmp_path: Path, content: bytes) -> None:
    reading = read(content, tmp_path)
    assert reading.problem is None
    assert {version.comment for version in reading.versions} & {"Columns turned.", "Any drift is a mismatch."}


def test_a_file_of_mistakes_still_gives_one_line(tmp_path: Path) -> None:
    """A spreadsheet that wrote every instant anew: the first ones are named, the others counted."""
    rules = DEFAULT.count("1970-01-01 00:00:00")
    found = read(DEFAULT.replace("1970-01-01 00:00:00", "1970-01-01 0:00"), tmp_path).problem
    assert found is not None
    assert found.count("rule ") == 5
    assert found.endswith(f"; and {rules - 5} more")


def test_a_run_reads_the_file_before_dbt_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt ends in a stack trace on a file that is not UTF-8."""
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: pytest.fail("dbt was started"))
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "rules.csv").write_bytes(DEFAULT.encode("utf-16"))
    result = pipelines.run_pipelines(pipelines.RunRequest(project_dir=tmp_path, warehouse=tmp_path / "plura.duckdb"))
    assert result.problems == ("seeds/rules.csv cannot be read: it is written in UTF-16 (allowed: CSV in UTF-8)",)
    assert not (tmp_path / "plura.duckdb").exists()
