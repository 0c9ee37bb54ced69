"""The command line as a user meets it: help, what is printed where, and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from plura.cli.main import app
from tests.commands import Plura
from tests.loads import GOOD, write

MOST_SHORT_HELP = 65


def commands(group: Any, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command and group below a group, by the words that call it."""
    found = {words: group}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*words, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.fixture
def plura(tmp_path: Path) -> Plura:
    """The command with an empty warehouse below the test's folder."""
    return Plura(work=tmp_path, settings={})


def test_the_commands_of_the_lake_exist() -> None:
    lake = {words[1] for words in COMMANDS if words[:1] == ("lake",) and len(words) > 1}
    assert lake >= {"generate", "load", "run", "report", "batches", "withdraw", "reinstate", "replace", "retention"}
    assert "schema" in lake
    assert ("demo",) in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_describes_itself_in_sentences(plura: Plura, words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    assert re.fullmatch(r"[A-Z].*\.", command.help, flags=re.DOTALL), command.help
    if words:
        assert re.fullmatch(r"[A-Z].*\.", command.short_help), command.short_help
        assert len(command.short_help) <= MOST_SHORT_HELP, "the list of commands cuts it"
    outcome = plura(*words, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: {' '.join(('plura', *words))} ")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_argument_and_option_has_help(plura: Plura, words: tuple[str, ...]) -> None:
    printed = " ".join(plura(*words, "--help").out.split())
    for parameter in COMMANDS[words].params:
        assert parameter.help, f"{words} {parameter.name}"
        assert re.fullmatch(r"[A-Za-z].*\.", parameter.help), f"{parameter.name}: {parameter.help}"
        names = parameter.opts if parameter.param_type_name == "option" else [parameter.name]
        assert all(name in printed for name in names)


@pytest.mark.parametrize("words", [(), ("lake",)], ids=["plura", "plura lake"])
def test_a_group_alone_prints_its_help(plura: Plura, words: tuple[str, ...]) -> None:
    outcome = plura(*words)
    assert (outcome.code, outcome.err) == (2, "")
    assert outcome.out == plura(*words, "--help").out


def test_a_load_prints_what_became_of_the_files_and_where_to_look(plura: Plura) -> None:
    folder = plura.work / "in [1]"
    write(folder / "orders.jsonl", [GOOD["orders"], GOOD["orders"]])
    write(folder / "products.jsonl", [])
    outcome = plura("lake", "load", folder)
    assert outcome.code == 0
    assert outcome.err == f"warning: {folder}/products.jsonl holds no line: nothing to load\n"
    first, second, third = outcome.out.splitlines()
    assert first == f"{folder}: 2 lines; files: 1 loaded, 1 empty"
    page = second.removeprefix("Data Docs of the batches: ")
    assert Path(page).is_file()
    assert third == "next: plura lake run --from 2026-02-01 --to 2026-02-01"
    again = plura("lake", "load", folder, "--no-validate", "--target", "duckdb")
    assert again.out.splitlines() == [f"{folder}: 0 lines; files: 1 loaded before, 1 empty"]
    write(folder / "order_items.jsonl", [GOOD["orders"]])
    refused = plura("lake", "load", folder, "--no-validate")
    assert refused.code == 1
    assert refused.out.splitlines() == [f"{folder}: 0 lines; files: 1 loaded before, 1 empty, 1 refused"]


def test_the_run_that_follows_is_named_also_where_a_file_was_refused(plura: Plura) -> None:
    write(plura.work / "in/orders.jsonl", [GOOD["orders"]])
    (plura.work / "in/products.jsonl").write_text("<Error><Code>AccessDenied</Code></Error>")
    outcome = plura("lake", "load", plura.work / "in", "--no-validate")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        f"{plura.work}/in: 1 lines; files: 1 loaded, 1 refused",
        "next: plura lake run --from 2026-02-01 --to 2026-02-01",
    ]
    assert outcome.err.startswith(f"error: {plura.work}/in/products.jsonl has no JSON object in any line")


def test_ids_of_batches_are_printed_whole_and_can_be_withdrawn(plura: Plura) -> None:
    name = f"orders/{'a-long-name-' * 12}.jsonl"
    write(plura.work / "in" / name, [GOOD["orders"]])
    assert plura("lake", "load", plura.work / "in", "--no-validate").code == 0
    header, row = plura("lake", "batches").out.splitlines()
    assert header.split("  ")[0] == "batch"
    batch_id, table, file, *_ = row.split()
    assert re.fullmatch(r"[0-9a-f]{16}", batch_id)
    assert (table, file) == ("orders_raw", name)
    outcome = plura("lake", "withdraw", batch_id[:12], "--reason", "wrong [day]")
    assert outcome.out.splitlines()[0] == f"batch {batch_id} (orders_raw, {name}) is withdrawn now"
    assert plura("lake", "withdraw", batch_id, "--reason", "again").error.endswith("is withdrawn already")
    assert plura("lake", "batches").out.splitlines()[1].rstrip().endswith("wrong [day]")
    assert plura("lake", "reinstate", batch_id, "--reason", "right day").code == 0
    assert " loaded " in plura("lake", "batches").out


def test_a_warehouse_without_batches_suggests_a_load(plura: Plura) -> None:
    write(plura.work / "in" / "orders.jsonl", [])
    plura("lake", "load", plura.work / "in", "--no-validate")
    assert plura("lake", "batches").out == "no batch was loaded yet: plura lake load DIR\n"


def test_the_extraction_instant_is_taken_as_utc_without_an_offset(plura: Plura) -> None:
    write(plura.work / "in" / "orders.jsonl", [GOOD["orders"]])
    load = ("lake", "load", plura.work / "in", "--no-validate", "--extracted-at")
    assert "1 loaded" in plura(*load, "2026-02-01T00:00:00").out.split("files: ")[1]
    assert "1 loaded before" in plura(*load, "2026-02-01T09:00:00+09:00").out
    assert "files: 1 loaded\n" in plura(*load, "2026-02-01T00:00:00+09:00").out


@pytest.mark.parametrize("name", ["transaction_ledger", "transaction_ledger_raw"])
def test_the_schema_of_a_source_is_printed_as_json(plura: Plura, name: str) -> None:
    schema = json.loads(plura("lake", "schema", name).out)
    assert schema["title"] == "transaction_ledger_raw"
    assert {"entry_type", "type", "tx_id"} <= schema["properties"].keys()
    assert "unknown source 'ledger': choose among user_wallets, " in plura("lake", "schema", "ledger").error


def test_the_installed_command_is_the_same(plura: Plura) -> None:
    outcome = plura.process("lake", "load", plura.work / "missing")
    assert outcome.code == 1
    assert outcome.error.startswith(f"{plura.work}/missing is not a folder: ")
    assert plura.process("lake", "wash").error == "No such command 'wash' (see plura lake --help)"
