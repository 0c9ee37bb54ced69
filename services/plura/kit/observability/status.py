"""The HTTP server of a process without an API of its own: /healthz, /readyz, /metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry

from plura.kit.errors import ServiceError
from plura.kit.observability.metrics import CONTENT_TYPE, exposition

Checks = Callable[[], dict[str, bool]]
"""Returns the names of the checks, each with its result."""


class StatusServer:
    """Serves in its own thread until it is closed."""

    def __init__(self, host: str, port: int, *, registry: CollectorRegistry, lives: Checks, ready: Checks) -> None:
        """Open the port; 0 takes a free one.

        Raises:
            ServiceError: the port is taken.
        """

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                answers = {"/healthz": lives, "/readyz": ready}
                if self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE, exposition(registry))
                elif self.path in answers:
                    found = answers[self.path]()
                    is_ok = all(found.values())
                    body = {"status": "ok" if is_ok else "unavailable", **found}
                    self._answer(200 if is_ok else 503, "application/json", json.dumps(body).encode())
                else:
                    self._answer(404, "application/json", b'{"status": "not found"}')

            do_HEAD = do_GET  # noqa: N815 - the name that the library calls

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Write no log line for a probe."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise ServiceError(f"PLURA_METRICS_PORT {port} cannot be opened: {error.strerror}") from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
