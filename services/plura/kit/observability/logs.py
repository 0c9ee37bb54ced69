"""Logs as JSON, one object a line, so that a collector needs no pattern to read them."""

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
"""Lines of one event in a second; further ones are counted."""


class JsonFormatter(logging.Formatter):
    """Formats a record as ``{"time", "level", "logger", "event", "correlation_id", …fields}``.

    ``event`` is the static text of the call; what varies is in fields, given by ``extra=fields(name=value)``.
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
    """Lets a line of the Kafka client pass once a minute: it repeats some ten times a second."""

    def __init__(self) -> None:
        """Begin with no line seen."""
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be written."""
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
    """Writes at most ``LINES_PER_SECOND`` lines of one event in a second, and then how many were left out.

    Anybody can cause some events as often as the line carries requests, like the one of bytes that are not HTTP, and
    must not fill the disk with them. An event is a logger with a static text. DEBUG is written whole: who asks for it
    wants every line. The Kafka client, which no stranger reaches, has ``KafkaRepeats``.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._second = int(clock())
        self._seen: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``, or count it."""
        if int(self._clock()) != self._second:
            self._turn()
        if record.levelno > logging.DEBUG and not record.name.startswith("kafka"):
            event = record.name, str(record.msg)
            self._seen[event] += 1
            if self._seen[event] > LINES_PER_SECOND:
                return
        super().emit(record)

    def close(self) -> None:
        """Write what was left out, and end."""
        self._turn()
        super().close()

    def _turn(self) -> None:
        """End a second."""
        seen, self._seen = self._seen, Counter()
        self._second = int(self._clock())
        for (name, text), times in seen.items():
            if times > LINES_PER_SECOND:
                left_out = {"event": text, "lines": times - LINES_PER_SECOND}
                record = logging.LogRecord(name, logging.WARNING, "", 0, "lines left out", None, None)
                setattr(record, _FIELDS, {"correlation_id": None, "left_out": left_out})
                super().emit(record)


def fields(**values: Any) -> Mapping[str, dict[str, Any]]:
    """Return what ``extra`` of a log call takes to add ``values`` to its line."""
    return {_FIELDS: values}


def configure_logs(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` as JSON, a bounded number a second; an unknown level counts as INFO.

    The Kafka client is heard from WARNING on unless the level is DEBUG: it tells of each connection and each try,
    dozens of lines a second while a broker is unavailable, and ours would be lost among them.
    """
    handler = BoundedHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    known = logging.getLevelNamesMapping().get(level.strip().upper(), logging.INFO)
    if known > logging.DEBUG:
        handler.addFilter(KafkaRepeats())
    logging.basicConfig(handlers=[handler], level=known, force=True)
    logging.getLogger("kafka").setLevel(known if known <= logging.DEBUG else max(known, logging.WARNING))
