"""What a billion ledger entries a day need on a cluster, worked out from the measured day on Spark as a page."""

from __future__ import annotations

from dataclasses import dataclass

from bench.record import Results
from bench.tables import count, hundredths, table, tenths, where

ENTRIES = 1_000_000_000
"""Ledger entries of the day that is sized."""

BUSY = 0.7
"""Share of the cores that do work while a step runs: the last tasks of a stage, and what the driver does, leave the
others idle."""

PEAK = 3.0
"""Entries of the busiest ten minutes, as a multiple of the average."""

PARTITION_BYTES = 128 << 20
"""Bytes of a shuffle partition and of a data file."""

PRICE = 0.10
"""Assumed price of a core for an hour, in US dollars, with what the platform takes for itself."""

TILES = 144
"""Runs of the guardrail a day."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step and the time it has.

    ``window_s`` are the seconds from its start to the moment its result is needed, and ``share`` is the part of the
    day's entries that it works on in that time.
    """

    name: str
    window_s: float
    share: float
    when: str


STEPS = (
    Step(name="load", window_s=600, share=PEAK / TILES, when="all day, no more than 10 min behind"),
    Step(name="guardrail", window_s=300, share=PEAK / TILES, when="every 10 min, done in 5"),
    Step(name="silver", window_s=1200, share=1, when="00:00, done at 00:20"),
    Step(name="controls", window_s=900, share=1, when="00:20, done at 00:35"),
    Step(name="analytics", window_s=3600, share=1, when="00:35, done in an hour"),
)

_PAGE = """# Sizing a cluster for a billion entries a day

Written by `make bench-lake ARGS=--write` from what the [benchmark](benchmarks/lake.md) measured on Spark. No cluster
took part: one machine with {cores} cores did one day of {measured} entries, and the rest of this page is arithmetic
on it. Use it to order the first cluster, then measure there and put the figures in its place.

{where}

## What an entry costs

An entry brings its share of orders and of wallets with it: {lines} lines and {wallets} wallets for {measured}
entries. Seconds are those beyond what the same step takes for a day of 200 entries; a core-second is one core kept
for a second.

{costs}
Load is `plura lake load` from files. A million entries are {core_s} core-seconds in all. The run shuffles {shuffle}
bytes for an entry, {largest} of them in its largest stage, and spills {spilled} to disk. For an entry Bronze keeps
{bronze} bytes, Silver {silver} and Gold {gold}.

## Cores

    cores = core-seconds for an entry × entries / ((window − fixed) × {busy})

`fixed` is the time of the step without rows, which more cores do not shorten; {busy} is the share of the cores that
are busy on the average, an assumption. The busiest ten minutes are taken as {peak} times the average.

{sizes}
The steps of the night follow each other, so the night needs the largest of their figures, not the sum. Silver takes
in whatever arrived since its last run: run hourly by day, its midnight run has a twenty-fourth of the rows to do, and
the night is sized by the controls.

## Partitions, files and memory

| for {entries} entries | figure |
| --- | ---: |
| shuffled by one whole run | {shuffle_tb} TB |
| largest stage | {largest_gb} GB |
| `PLURA_SPARK_PARTITIONS` (`spark.sql.shuffle.partitions`), 128 MiB each | {partitions} |
| Bronze for a day | {bronze_gb} GB, {bronze_files} files of 128 MiB |
| Silver for a day | {silver_gb} GB, {silver_files} files |
| Gold for a day | {gold_gb} GB, {gold_files} files |
| all layers for 30 days | {month_tb} TB |

- With adaptive execution, which is Spark's default, too many partitions are merged and too few are not split: take
  the figure rather too high.
- A stream that commits every minute writes small files. Let `optimizeWrite` and `autoCompact` (Databricks) or a
  nightly `OPTIMIZE` of Bronze bring them to 128 MiB.
- Memory: a task that sorts or joins a partition of 128 MiB needs some four times that as objects. 4 GiB for a core
  leave room for it, for the broadcast tables and for Arrow; the driver plans some {nodes} nodes one after the other
  and needs 8 GiB. The measured session had {memory} for {cores} cores.

## Cost

A day takes {core_hours} core-hours at {busy} busy. At {price} US dollars for a core-hour, an assumption, that is
{cost} dollars a day, and {cost_per_million} dollars for a million entries; storage of 30 days comes on top. A cluster
that stays up between the steps costs its cores for the whole day: give the night a job cluster of its own, and the
stream and the guardrail a small one that stays.

## What does not follow from these figures

- **Fixed time.** The {fixed_s} s for planning, compiling and committing some {nodes} nodes were measured on this
  machine, in a session that had just started and had to compile its own code as well. They grow with the number of
  files in a table's log, not with its rows; a faster driver, or a session that stays up, shortens them.
- **Skew.** The entries of a wallet meet in one task where they are joined with its balances
  (`int_wallet_day_positions`), so a treasury wallet that takes part in every tenth payment makes a task of {skew}
  entries. Adaptive execution splits skewed joins, but none whose result is grouped by the same key. Look at the
  longest task of that model first.
- **Network and object storage.** All was read from and written to a local disk, and nothing was shuffled between
  machines. A node with 10 Gbit/s moves 1.2 GB/s: the shuffle of the night must fit into that beside the work.
- **Wallets.** There are {entries_per_wallet} entries for a wallet here. With fewer, the snapshots of balances weigh
  more for an entry.
- **History.** The cost of a day after a year was measured on DuckDB only ([benchmark](benchmarks/lake.md)). There the
  day grows by less than a fifth.
- **Concurrency.** Guardrail and Silver share the cluster for some minutes at midnight; add their cores.
"""


def render_sizing(day: Results) -> str:
    """Return the page for the measured day."""
    entries, run, fixed, cores = day["entries"], day["run"], day["fixed"], int(day["machine"]["cores"])
    beyond = {"load": day["load"]["wall_s"] - day["fixed_load_s"]} | {
        step.name: run["models"][step.name] - fixed["models"][step.name] for step in STEPS[1:]
    }
    standing = {"load": day["fixed_load_s"]} | fixed["models"]
    per_entry = {name: seconds * cores / entries for name, seconds in beyond.items()}
    sizes = [
        [
            step.name,
            step.when,
            count(ENTRIES * step.share),
            tenths(standing[step.name]),
            count(_cores(step, per_entry[step.name], standing[step.name])),
        ]
        for step in STEPS
    ]
    costs = [
        [name, tenths(seconds), tenths(per_entry[name] * 1e6), count(entries / seconds / cores)]
        for name, seconds in beyond.items()
    ]
    tasks, disk = run["tasks"], {layer: found["bytes"] / entries for layer, found in day["disk"].items()}
    core_s = sum(per_entry.values())
    core_hours = core_s * ENTRIES / 3600 / BUSY
    scale = ENTRIES / entries
    return _PAGE.format(
        where=where(day),
        cores=cores,
        measured=count(entries),
        lines=count(day["lines"]),
        wallets=count(day["wallets"]),
        costs=table(["step", "seconds beyond fixed", "core-seconds for 1 M entries", "entries/s by a core"], costs),
        core_s=tenths(core_s * 1e6),
        shuffle=count(tasks["shuffled_bytes"] / entries),
        largest=count(tasks["largest_stage_bytes"] / entries),
        spilled=count(tasks["spilled_bytes"] / entries),
        busy=BUSY,
        peak=f"{PEAK:.0f}",
        sizes=table(["step", "when", "entries", "fixed s", "cores"], sizes),
        entries=count(ENTRIES),
        shuffle_tb=tenths(tasks["shuffled_bytes"] * scale / 1e12),
        largest_gb=count(tasks["largest_stage_bytes"] * scale / 1e9),
        partitions=count(tasks["largest_stage_bytes"] * scale / PARTITION_BYTES),
        **{layer: count(size) for layer, size in disk.items()},
        **{f"{layer}_gb": count(size * ENTRIES / 1e9) for layer, size in disk.items()},
        **{f"{layer}_files": count(size * ENTRIES / PARTITION_BYTES) for layer, size in disk.items()},
        month_tb=tenths(sum(disk.values()) * ENTRIES * 30 / 1e12),
        nodes=run["nodes"],
        memory=day["memory"],
        core_hours=count(core_hours),
        price=hundredths(PRICE),
        cost=count(core_hours * PRICE),
        cost_per_million=hundredths(core_hours * PRICE / ENTRIES * 1e6),
        fixed_s=count(fixed["wall_s"]),
        skew=count(ENTRIES / 10),
        entries_per_wallet=count(entries / day["wallets"]),
    )


def _cores(step: Step, core_s: float, fixed_s: float) -> float:
    """Cores that finish a step in its window."""
    return core_s * ENTRIES * step.share / ((step.window_s - fixed_s) * BUSY)
