"""Results of the lake's benchmark as a page of Markdown tables."""

from __future__ import annotations

from bench.record import Results
from bench.tables import count, hundredths, table, tenths, times, verdict, where

MOST_OF_FLOOR = 2.0
MOST_SECONDS = 60.0
MOST_GIB = 4.0
MOST_OF_DAY_2 = 1.3

SMALL_DAY = 1_000_000
"""Entries up to which the targets for seconds and memory hold."""

_TITLES = {"1m": "1 day × 1 M ledger entries", "10m": "1 day × 10 M ledger entries"}

_INTRODUCTION = """# Speed and memory of the lake

Written by `make bench-lake ARGS=--write`; `make bench-lake` only prints the tables. `ARGS='--only 1m'` (or `10m`,
`history`, `spark-1m`, `spark-10m`) measures a part, `--scratch DIR` names the folder for data and warehouses. The
machine should do nothing else meanwhile.

- Data are clean days of `plura lake generate --seed 7`: 200,000 wallets, three payment orders and three commerce
  orders for ten ledger entries, and an extract of every wallet at both ends of the day.
- Every step is a process of its own, as a user or a scheduler starts it; wall time and peak memory are those of the
  process, from its start to its end.
- The **floor** is [bench/floor_lake.sql](../../bench/floor_lake.sql): a hand-written script that computes the same
  figures of the guardrail, the same five Silver tables and the same nine Gold tables of the day from the same Bronze
  tables with the same engine settings, in the simplest direct way. It has no merges, no state, no rules in tables, no
  quarantine, no change log and no tests. A test (`tests/integration/test_floor_equals_lake.py`) shows that both give
  the same rows.
- **Model time** is the sum of dbt's execution times of all models. Tests, seeds and snapshots, and starting and parsing
  are shown beside it. What dbt takes for its nodes even without rows (compiling, contracts, statements on the catalog)
  is measured on a day of 200 entries; it is part of the model time and shown as `fixed`.
- What the models do beyond the floor: each row that is looked at is judged against rules in tables, compared with the
  Silver row of its key and ranked among its rivals (so that any order of files gives the same tables); changes are
  logged for the days they touch; tables are merged by key, so that a rerun changes no row.
"""

_DAY = """## {title}

{where}

{entries} entries, {wallets} wallets, {orders} payment orders; {lines} lines in all. Run and floor: {turns}.

{steps}
The whole run: {run_s} s = models {model_s} s + data tests {tests_s} s + seeds and snapshot {other_s} s + starting
Python, parsing and the end of the run {rest_s} s ({nodes} nodes). The rules, the views over Bronze and the state
tables, which belong to no pipeline, are {shared_s} s of the models. The process of the floor took {floor_s} s and
{floor_gib} GiB.{validation}

{targets}"""

_VALIDATION = """ Checking the files with Great Expectations and writing Data Docs adds {more_s} s to the load, whose
peak is then {peak_gib} GiB."""

_HISTORY = """## The cost of a day after a long history

{where}

{wallets} wallets and {entries} entries a day. The deliveries of the day are loaded, then `plura lake run --watch` at
half past midnight computes all that is due: tiles since the last run, the day, and earlier days that its rows touch.
Medians of three runs from the same warehouse.

{days}
{targets}
Backfill: {backfill_days} days that were never computed are one run over sets, not a loop over days: {run_s} s
({model_s} s of models, peak {peak_gib} GiB), that is {a_day_s} s a day. Loading their {files} files took {load_s} s.
"""


_SPARK = """## Spark + Delta Lake: 1 day × {size} ledger entries

{where}

The same {entries} entries ({lines} lines) as above, by the same two commands with `--target spark`, in a session on the
cores of this machine with {memory} of memory. Model time without rows (`fixed`) is Spark's for planning, compiling and
committing some {nodes} nodes: on a day of 200 entries.

{steps}
Load: {load_s} s, of it {fixed_load_s} s to start the session and create Bronze. Run: {run_s} s = models {model_s} s +
seeds and snapshot {other_s} s + data tests {tests_s} s + starting, parsing and the end of the run {rest_s} s; {cpu_s} s
of processor time over all processes. The tasks of the load held a core for {load_core_s} s, those of the run for
{core_s} s; the rest is the driver's. Shuffled in the run: {shuffle} bytes for an entry, spilled {spilled}.
On the disk, for an entry: Bronze {bronze} bytes, Silver {silver}, Gold {gold} ({files} data files).
"""


def render(results: Results) -> str:
    """Return the page."""
    parts = [_INTRODUCTION, *(_day(results[size], title) for size, title in _TITLES.items() if size in results)]
    if "history" in results:
        parts.append(_history(results["history"]))
    parts += [_spark(results[f"spark-{size}"], results.get(size)) for size in _TITLES if f"spark-{size}" in results]
    return "\n".join(parts)


def _day(day: Results, title: str) -> str:
    run = day["run"]
    validation = ""
    if "validated_load" in day:
        validation = _VALIDATION.format(
            more_s=tenths(day["validated_load"]["wall_s"] - day["load"]["wall_s"]),
            peak_gib=hundredths(day["validated_load"]["peak_gib"]),
        )
    return _DAY.format(
        title=title,
        where=where(day),
        entries=count(day["entries"]),
        wallets=count(day["wallets"]),
        orders=count(day["orders"]),
        lines=count(day["lines"]),
        turns=f"medians of {day['repeats']} turns" if day["repeats"] > 1 else "one turn",
        steps=_steps(day),
        run_s=tenths(run["wall_s"]),
        model_s=tenths(run["model_s"]),
        tests_s=tenths(run["tests_s"]),
        other_s=tenths(run["other_s"]),
        rest_s=tenths(run["wall_s"] - run["model_s"] - run["tests_s"] - run["other_s"]),
        nodes=run["nodes"],
        shared_s=tenths(run["models"]["shared"]),
        floor_s=tenths(day["floor"]["wall_s"]),
        floor_gib=hundredths(day["floor"]["peak_gib"]),
        validation=validation,
        targets=table(["target on 2 cores", "measured", "verdict"], _day_targets(day)),
    )


def _steps(day: Results) -> str:
    run, fixed, sections = day["run"], day["fixed"], day["floor"]["sections"]
    floor_s = sum(sections.values())
    pipelines = [
        [
            name,
            *_job(day["rows"][name], day["jobs"][name]),
            tenths(run["models"][name]),
            tenths(fixed["models"][name]),
            tenths(seconds),
            times(run["models"][name] / seconds),
        ]
        for name, seconds in sections.items()
    ]
    whole = [
        "whole run",
        *_job(day["lines"], run),
        tenths(run["model_s"]),
        tenths(fixed["model_s"]),
        tenths(floor_s),
        times(run["model_s"] / floor_s),
    ]
    heads = ["step", "rows read", "wall s", "rows/s", "peak GiB", "models s", "of it fixed s", "floor s", "of floor"]
    load = ["load", *_job(day["rows"]["load"], day["load"]), "", "", "", ""]
    return table(heads, [load, *pipelines, whole])


def _day_targets(day: Results) -> list[list[str]]:
    run, load, fixed_s = day["run"], day["load"], day["fixed"]["model_s"]
    floor_s = sum(day["floor"]["sections"].values())
    ratio, net = run["model_s"] / floor_s, (run["model_s"] - fixed_s) / floor_s
    why = f"{tenths(fixed_s)} s are dbt's for {run['nodes']} nodes without rows; without them {times(net)}"
    targets = [[f"model time ≤ {MOST_OF_FLOOR:.0f} × the floor", times(ratio), verdict(ratio <= MOST_OF_FLOOR, why)]]
    if day["entries"] <= SMALL_DAY:
        both = load["wall_s"] + run["wall_s"]
        peak = max(load["peak_gib"], run["peak_gib"])
        why = "the table shows the step that takes most"
        targets += [
            [
                f"load and run ≤ {MOST_SECONDS:.0f} s, dbt included",
                f"{tenths(both)} s ({tenths(load['wall_s'])} + {tenths(run['wall_s'])})",
                verdict(both <= MOST_SECONDS, why),
            ],
            [f"peak memory ≤ {MOST_GIB:.0f} GiB", f"{hundredths(peak)} GiB", verdict(peak <= MOST_GIB, why)],
        ]
    return targets


def _history(history: Results) -> str:
    days, backfill = history["days"], history["backfill"]
    first, (name, last) = days["2"], list(days.items())[-1]
    rows = [
        [
            number,
            tenths(day["wall_s"]),
            tenths(day["model_s"]),
            tenths(day["cpu_s"]),
            hundredths(day["peak_gib"]),
            count(day["file_mib"]),
            times(day["wall_s"] / first["wall_s"]),
            times(day["model_s"] / first["model_s"]),
        ]
        for number, day in days.items()
    ]
    ratio = last["wall_s"] / first["wall_s"]
    why = "references and order links are looked up in the whole history"
    target = [f"day {name} ≤ {MOST_OF_DAY_2} × day 2", times(ratio), verdict(ratio <= MOST_OF_DAY_2, why)]
    heads = ["day", "wall s", "models s", "CPU s", "peak GiB", "warehouse MiB", "wall of day 2", "models of day 2"]
    return _HISTORY.format(
        where=where(history),
        wallets=count(history["wallets"]),
        entries=count(history["entries_per_day"]),
        days=table(heads, rows),
        targets=table(["target on 2 cores", "measured", "verdict"], [target]),
        backfill_days=backfill["days"],
        run_s=tenths(backfill["run_s"]),
        model_s=tenths(backfill["model_s"]),
        peak_gib=hundredths(backfill["peak_gib"]),
        a_day_s=f"{backfill['run_s'] / backfill['days']:.2f}",
        files=count(backfill["files"]),
        load_s=tenths(backfill["load_s"]),
    )


def _spark(day: Results, on_duckdb: Results | None) -> str:
    run, fixed, disk = day["run"], day["fixed"], day["disk"]
    rows = []
    for name in ("guardrail", "silver", "controls", "analytics"):
        seconds, net = run["models"][name], run["models"][name] - fixed["models"][name]
        duckdb_s = on_duckdb["run"]["models"][name] if on_duckdb else None
        rows.append(
            [
                name,
                count(day["rows"][name]),
                tenths(seconds),
                tenths(fixed["models"][name]),
                count(round(day["rows"][name] / net, -3)) if net > 0 else "",
                tenths(duckdb_s) if duckdb_s else "",
                times(seconds / duckdb_s) if duckdb_s else "",
            ]
        )
    heads = ["step", "rows read", "models s", "of it fixed s", "rows/s beyond fixed", "DuckDB models s", "of DuckDB"]
    return _SPARK.format(
        size=f"{day['entries'] // SMALL_DAY} M",
        where=where(day),
        entries=count(day["entries"]),
        lines=count(day["lines"]),
        memory=day["memory"],
        nodes=run["nodes"],
        steps=table(heads, rows),
        load_s=tenths(day["load"]["wall_s"]),
        fixed_load_s=tenths(day["fixed_load_s"]),
        run_s=tenths(run["wall_s"]),
        model_s=tenths(run["model_s"]),
        other_s=tenths(run["other_s"]),
        tests_s=tenths(run["tests_s"]),
        rest_s=tenths(run["wall_s"] - run["model_s"] - run["tests_s"] - run["other_s"]),
        cpu_s=count(run["cpu_s"]),
        load_core_s=count(day["load"]["tasks"]["core_s"]),
        core_s=count(run["tasks"]["core_s"]),
        shuffle=count(run["tasks"]["shuffled_bytes"] / day["entries"]),
        spilled=count(run["tasks"]["spilled_bytes"] / day["entries"]),
        files=count(sum(layer["files"] for layer in disk.values())),
        **{layer: count(disk[layer]["bytes"] / day["entries"]) for layer in ("bronze", "silver", "gold")},
    )


def _job(rows: int, figures: Results) -> list[str]:
    """Cells of a process: rows read, seconds, rows a second and peak memory."""
    rate = count(round(rows / figures["wall_s"], -3))
    return [count(rows), tenths(figures["wall_s"]), rate, hundredths(figures["peak_gib"])]
