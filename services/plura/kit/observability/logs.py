"""Logs as JSON, one object per line, so that collectors need no parsing rules."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from plura.kit.observability.correlation import correlation_id

_FIELDS = "plura_fields"
_REPEAT_SECONDS = 60.0
_MOST_REMEMBERED = 500

LINES_PER_SECOND = 10
"""Most lines of an event per second; further lines are counted."""


class JsonFormatter(logging.Formatter):
    """Formats a record as ``{"time", "level", "logger", "event", "correlation_id", …fields}``.

    ``event`` is the static text of the call; variable parts are fields: ``extra=fields(name=value)``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            "correlation_id": correlation_id.get(),
        }
        line.update(getattr(record, _FIELDS, {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class KafkaRepeats(logging.Filter):
    """Passes a line of the Kafka client once a minute: the client repeats some lines ten times a second."""

    def __init__(self) -> None:
        """Start with no line seen."""
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        if not record.name.startswith("kafka"):
            return True
        line, now = (record.name, record.getMessage()), time.monotonic()
        if now - self._passed.get(line, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._passed) >= _MOST_REMEMBERED:
            self._passed.clear()
        self._passed[line] = now
        return True


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes at most ``LINES_PER_SECOND`` lines per event and second, then the number of omitted lines.

    Strangers can cause some events at any rate, for example with bytes that are not HTTP, and must not be able to fill
    the disk. An event is a logger with a static text. DEBUG is not limited: whoever enables it needs every line. Lines
    of the Kafka client, which strangers cannot cause, are limited by ``KafkaRepeats``.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._second = int(clock())
        self._seen: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write or count ``record``."""
        if int(self._clock()) != self._second:
            self._end_second()
        if record.levelno > logging.DEBUG and not record.name.startswith("kafka"):
            event = record.name, str(record.msg)
            self._seen[event] += 1
            if self._seen[event] > LINES_PER_SECOND:
                return
        super().emit(record)

    def close(self) -> None:
        """Write the numbers of omitted lines, and close."""
        self._end_second()
        super().close()

    def _end_second(self) -> None:
        """Write the omitted lines of the second, and start the next."""
        seen, self._seen = self._seen, Counter()
        self._second = int(self._clock())
        for (name, text), times in seen.items():
            if times > LINES_PER_SECOND:
                left_out = {"event": text, "lines": times - LINES_PER_SECOND}
                record = logging.LogRecord(name, logging.WARNING, "", 0, "lines left out", None, None)
                setattr(record, _FIELDS, {"correlation_id": None, "left_out": left_out})
                super().emit(record)


def fields(**values: Any) -> Mapping[str, dict[str, Any]]:
    """Return the argument ``extra`` of a log call that adds ``values`` to its line."""
    return {_FIELDS: values}


def configure_logs(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` as JSON, limited per second; an unknown level counts as INFO.

    The Kafka client logs from WARNING on, unless the level is DEBUG: it logs each connection and each attempt, dozens
    of lines per second while a broker is unavailable, and our lines would be lost among them.
    """
    handler = BoundedHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    known = logging.getLevelNamesMapping().get(level.strip().upper(), logging.INFO)
    if known > logging.DEBUG:
        handler.addFilter(KafkaRepeats())
    logging.basicConfig(handlers=[handler], level=known, force=True)
    logging.getLogger("kafka").setLevel(known if known <= logging.DEBUG else max(known, logging.WARNING))
