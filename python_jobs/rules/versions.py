"""Reads the rows of the rules: all fields of every version, or a message for each field that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from python_jobs.rules.catalog import COLUMNS, METRICS, Metric, Numbers
from python_jobs.rules.cells import (
    CALENDAR_START,
    CellError,
    check_characters,
    did_you_mean,
    listed,
    read_instant,
    read_limits,
    read_name,
    read_number,
    read_values,
    shown,
    trimmed,
)

Row = Mapping[str, str | None]
Read = TypeVar("Read")

_MOST_NAMED = 5
"""Faults that one line names; it counts the others."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a rule as the models read it.

    ``start`` (UTC) is None where the file names none. ``limits`` and ``values`` are what ``severity_map`` and
    ``allowed_values`` hold.
    """

    rule_id: str
    domain: str
    metric: str
    scope: str | None
    threshold: float | None
    severity_map: str | None
    allowed_values: str | None
    start: datetime | None
    comment: str | None
    limits: Mapping[str, float]
    values: tuple[str, ...]

    @property
    def valid_from(self) -> datetime:
        """The instant (UTC) from which the version counts."""
        return self.start or CALENDAR_START


@dataclass(frozen=True, kw_only=True)
class RuleReading:
    """The result: ``versions``, or the ``faults`` that stop the run, a line for each rule and field."""

    versions: tuple[Version, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """All faults in one line, None where there are none."""
        if not self.faults:
            return None
        named = "; ".join(self.faults[:_MOST_NAMED])
        more = f"; and {len(self.faults) - _MOST_NAMED} more" if len(self.faults) > _MOST_NAMED else ""
        return f"seeds/rules.csv cannot be read: {named}{more}"


def cell(text: str | None) -> str | None:
    """Return the text of a cell; blanks alone, and ``null``, are no text, as dbt reads its seeds."""
    return None if text is None or text.strip().lower() in {"", "null"} else text


def column_faults(columns: Sequence[str]) -> list[str]:
    """Return a message for each column that is missing, unknown or repeated."""
    separators = {";": "semicolons", "\t": "tabs", "|": "bars"}
    for separator, name in separators.items():
        if len(columns) == 1 and separator in columns[0]:
            return [f"the columns are separated by {name} (allowed: commas)"]
    if not set(columns) & set(COLUMNS):
        return [f"the first line does not name the columns (allowed: {listed(COLUMNS)})"]
    missing = [name for name in COLUMNS if name not in columns]
    faults = [f"without column {listed(missing)} (allowed: all of {listed(COLUMNS)})"] if missing else []
    faults += [
        f"column {shown(name)} is read by nothing (allowed: {listed(COLUMNS)}{did_you_mean(name, COLUMNS)})"
        for name in columns
        if name not in COLUMNS
    ]
    faults += [f"column {name} is there twice (allowed: once)" for name in COLUMNS if columns.count(name) > 1]
    return faults


def read_rules(rows: Sequence[Row]) -> RuleReading:
    """Read the rows of the rules.

    Args:
        rows: cells by column name, with all columns; rows without any text are passed over.
    """
    readers = [_RowReader(row=row) for row in rows if any(map(cell, row.values()))]
    versions = [version for reader in readers if (version := reader.read()) is not None]
    faults = [fault for reader in readers for fault in reader.faults]
    faults += _repeated(readers, versions)
    if not readers:
        faults.append("it has no rule (allowed: one row for each version of a rule)")
    return RuleReading(faults=tuple(faults)) if faults else RuleReading(versions=tuple(versions))


@dataclass(kw_only=True)
class _RowReader:
    """Reads a row and collects its faults."""

    row: Row
    faults: list[str] = field(default_factory=list)

    @property
    def rule_id(self) -> str | None:
        """Id as it is written, None for an empty cell."""
        return cell(self.row["rule_id"])

    @property
    def name(self) -> str:
        """The rule in messages."""
        if self.rule_id is not None:
            return f"rule {shown(trimmed(self.rule_id))[1:-1]}"
        place = "/".join(shown(text)[1:-1] for name in ("domain", "metric") if (text := cell(self.row[name])))
        return f"rule without id ({place or shown(str(next(filter(None, self.row.values()))))})"

    def read(self) -> Version | None:
        """The version, None where the row has a fault."""
        self._attempt("comment", check_characters)
        self._id()
        domain, metric = self._what()
        known = METRICS[domain][metric] if domain and metric else None
        scope = self._attempt("scope", lambda text: self._scope(text, known))
        threshold, limits, values = self._content(known) if known else (None, None, None)
        start = self._attempt("effective_start_ts", self._start)
        if not self.faults and domain and metric:
            return Version(
                rule_id=str(self.rule_id),
                domain=domain,
                metric=metric,
                scope=scope,
                threshold=threshold,
                severity_map=cell(self.row["severity_map"]),
                allowed_values=cell(self.row["allowed_values"]),
                start=start,
                comment=cell(self.row["comment"]),
                limits=limits or {},
                values=values or (),
            )
        return None

    def _attempt(self, column: str, read: Callable[[str], Read]) -> Read | None:
        """What is read from a cell, None from an empty one or one that cannot be read, which is a fault."""
        text = cell(self.row[column])
        if text is None:
            return None
        try:
            check_characters(text)
            return read(text)
        except CellError as error:
            self.faults.append(f"{self.name}: {column} {error}")
            return None

    def _missing(self, column: str, allowed: str) -> None:
        self.faults.append(f"{self.name}: {column} is empty (allowed: {allowed})")

    def _id(self) -> None:
        if self.rule_id is None:
            self._missing("rule_id", "an id that no other version has")
        self._attempt("rule_id", _unblanked)

    def _what(self) -> tuple[str | None, str | None]:
        """Domain and metric, None for what cannot be read."""
        for column, allowed in {"domain": listed(METRICS), "metric": "a metric of its domain"}.items():
            if cell(self.row[column]) is None:
                self._missing(column, allowed)
        domain = self._attempt("domain", lambda text: read_name(_unblanked(text), METRICS))
        metric = self._attempt("metric", lambda text: self._metric(_unblanked(text), domain))
        return domain, metric

    def _metric(self, text: str, domain: str | None) -> str | None:
        if domain is None:
            return None
        others = [name for name, metrics in METRICS.items() if text in metrics and name != domain]
        return read_name(
            text, METRICS[domain], f", in domain {domain}" + "".join(f"; {text} is in {o}" for o in others)
        )

    def _scope(self, text: str, known: Metric | None) -> str | None:
        return read_name(_unblanked(text), known.scopes) if known else None

    def _start(self, text: str) -> datetime:
        return read_instant(_unblanked(text))

    def _content(self, known: Metric) -> tuple[float | None, dict[str, float] | None, tuple[str, ...] | None]:
        """Threshold, limits and values: those that the metric reads must be there, the others must not."""
        threshold = limits = values = None
        if known.numbers is None:
            self._attempt("threshold", _refuse)
            self._attempt("severity_map", _refuse)
        else:
            threshold, limits = self._numbers(known, known.numbers)
        if known.values is None:
            self._attempt("allowed_values", _refuse)
        else:
            allowed = known.values
            values = self._attempt("allowed_values", lambda text: read_values(text, allowed))
            if self._is_empty("allowed_values"):
                self._missing("allowed_values", allowed.says)
        return threshold, limits, values

    def _numbers(self, known: Metric, numbers: Numbers) -> tuple[float | None, dict[str, float] | None]:
        """Threshold and limits, at least one of which must be there."""
        threshold = self._attempt("threshold", lambda text: read_number(_unblanked(text), numbers))
        if not known.severities:
            self._attempt("severity_map", _refuse)
            if self._is_empty("threshold"):
                self._missing("threshold", numbers.says)
            return threshold, None
        limits = self._attempt("severity_map", lambda text: read_limits(text, known.severities, numbers))
        if self._is_empty("threshold") and (self._is_empty("severity_map") or limits == {}):
            self._missing("threshold", f"{numbers.says}, or limits of {listed(known.severities)} in severity_map")
        return threshold, limits

    def _is_empty(self, column: str) -> bool:
        return cell(self.row[column]) is None


def _refuse(text: str) -> None:
    raise CellError(f"{shown(text)} is read by nothing for this metric", "empty")


def _unblanked(text: str) -> str:
    """The text, which must have no blanks around it."""
    if trimmed(text) != text:
        raise CellError(f"{shown(text)} has blanks around it", shown(trimmed(text)))
    return text


def _repeated(readers: Sequence[_RowReader], versions: Sequence[Version]) -> list[str]:
    """Lines for ids that are used twice, and for versions of one rule that start at the same instant."""
    faults = []
    ids: set[str] = set()
    for reader in readers:
        if reader.rule_id is not None and reader.rule_id in ids:
            faults.append(f"{reader.name}: rule_id is there twice (allowed: an id that no other version has)")
        ids.add(reader.rule_id or "")
    starts: dict[tuple[object, ...], str] = {}
    for version in versions:
        start = (version.domain, version.metric, version.scope, version.valid_from)
        if start in starts:
            rule = f"{version.domain}/{version.metric}" + (f" for {version.scope}" if version.scope else "")
            faults.append(
                f"rule {version.rule_id}: effective_start_ts {version.valid_from:%Y-%m-%d %H:%M:%S} UTC is also that of"
                f" rule {starts[start]} (allowed: one version of {rule} from an instant on)"
            )
        starts.setdefault(start, version.rule_id)
    return faults
