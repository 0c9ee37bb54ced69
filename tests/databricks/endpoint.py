"""The local endpoint: a bounded TLS server on loopback that speaks the REST APIs the adapter uses.

The real dbt-databricks, databricks-sql-connector and databricks-sdk run against it unpatched. It serves the SQL
Statement Execution API (``statements``), workspace files and job runs (``jobs``), OAuth for service principals and the
few calls that the clients make besides. Every call needs the token, except the ones that come before it and the links
to results, whose names are random.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.databricks.certificate import write_certificate
from tests.databricks.dialect import Dialect
from tests.databricks.jobs import SERVICE_PRINCIPAL, Jobs
from tests.databricks.statements import ApiError, Statements

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HOST = "localhost"
PORT = 443
"""The connector asks for feature flags on the default port, whatever the profile says."""

BASE = f"https://{HOST}"
HTTP_PATH = "/sql/1.0/warehouses/0123456789abcdef"
LARGEST_BODY = 32 * 1024 * 1024
IDLE_SECONDS = 60

Body = dict[str, Any]
Route = tuple[str, re.Pattern[str], Callable[..., Body | bytes]]


@dataclass(kw_only=True)
class Endpoint:
    """A workspace with one SQL warehouse and one catalog.

    ``requests`` lists every call as method and path without its query.
    """

    dialect: Dialect
    statements: Statements
    jobs: Jobs
    token: str
    client_secret: str
    certificate: Path
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which clients find the workspace and trust its certificate."""
        return {
            "DATABRICKS_HOST": HOST,
            "DATABRICKS_HTTP_PATH": HTTP_PATH,
            "DATABRICKS_TOKEN": self.token,
            "PLURA_DATABRICKS_CATALOG": self.dialect.catalog,
            "PLURA_DATABRICKS_CA_FILE": str(self.certificate),
            "SSL_CERT_FILE": str(self.certificate),
            "REQUESTS_CA_BUNDLE": str(self.certificate),
        }

    def answer(self, method: str, path: str, query: Body, body: Body, headers: Any) -> Body | bytes:
        """Answer one call.

        Raises:
            ApiError: the call is refused.
        """
        self.requests.append((method, path))
        for name, pattern, route in self._open_routes:
            if name == method and (match := pattern.fullmatch(path)):
                return route(*match.groups(), body=body, query=query, headers=headers)
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise ApiError(401, "UNAUTHENTICATED", "Credential was not sent or is not valid.")
        for name, pattern, route in self._routes:
            if name == method and (match := pattern.fullmatch(path)):
                return route(*match.groups(), body=body, query=query, headers=headers)
        raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")

    @property
    def _open_routes(self) -> list[Route]:
        return [
            _route("GET", r"/\.well-known/databricks-config", lambda **_: {"oidc_endpoint": f"{BASE}/oidc"}),
            _route("GET", r"/oidc/\.well-known/oauth-authorization-server", lambda **_: _oauth_addresses()),
            _route("POST", r"/oidc/v1/token", lambda headers, **_: self._oauth_token(headers)),
            _route("GET", r"/results/([^/]+)/(\d+)", lambda name, n, **_: self.statements.chunk(name, int(n))),
        ]

    @property
    def _routes(self) -> list[Route]:
        sql, jobs = self.statements, self.jobs
        runs = r"/api/2\.\d/jobs/runs"
        return [
            _route("POST", r"/api/2.0/sql/sessions", lambda body, **_: sql.open_session(body)),
            _route("DELETE", r"/api/2.0/sql/sessions/([^/]+)", lambda name, **_: sql.close_session(name)),
            _route("POST", r"/api/2.0/sql/statements", lambda body, **_: sql.execute(body)),
            _route("GET", r"/api/2.0/sql/statements/([^/]+)", lambda name, **_: sql.state(name, seconds=5)),
            _route("DELETE", r"/api/2.0/sql/statements/([^/]+)", lambda name, **_: sql.forget(name)),
            _route("POST", r"/api/2.0/sql/statements/([^/]+)/cancel", lambda name, **_: sql.forget(name)),
            _route(
                "GET",
                r"/api/2.0/sql/statements/([^/]+)/result/chunks/(\d+)",
                lambda name, number, **_: sql.links(name, int(number)),
            ),
            _route("GET", r"/api/2.0/connector-service/feature-flags/.*", lambda **_: {}),
            _route("POST", r"/telemetry(-ext)?", lambda *_, **__: {}),
            _route("GET", r"/api/2.0/preview/scim/v2/Me", lambda **_: {"id": "1", "userName": SERVICE_PRINCIPAL}),
            _route("POST", r"/api/2.0/workspace/mkdirs", lambda body, **_: jobs.make_folder(body)),
            _route("POST", r"/api/2.0/workspace/import", lambda body, **_: jobs.import_notebook(body)),
            _route("POST", rf"{runs}/submit", lambda body, **_: jobs.submit(body)),
            _route("GET", rf"{runs}/get", lambda query, **_: jobs.state(int(query["run_id"]))),
            _route("GET", rf"{runs}/get-output", lambda query, **_: jobs.output(int(query["run_id"]))),
            _route("PATCH", r"/api/2.0/permissions/(.+)", lambda path, body, **_: jobs.set_permissions(path, body)),
        ]

    def _oauth_token(self, headers: Any) -> Body:
        """The token, for the client id of the service principal and its secret."""
        wanted = base64.b64encode(f"{SERVICE_PRINCIPAL}:{self.client_secret}".encode()).decode()
        if headers.get("Authorization") != f"Basic {wanted}":
            raise ApiError(401, "invalid_client", "Client authentication failed")
        return {"access_token": self.token, "token_type": "Bearer", "expires_in": 3600}


def _oauth_addresses() -> Body:
    return {"authorization_endpoint": f"{BASE}/oidc/v1/authorize", "token_endpoint": f"{BASE}/oidc/v1/token"}


def _route(method: str, pattern: str, route: Callable[..., Body | bytes]) -> Route:
    return method, re.compile(pattern), route


class _Handler(BaseHTTPRequestHandler):
    """Reads a call, lets the endpoint answer it, and writes the answer."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    endpoint: Endpoint

    def _serve(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        size = int(self.headers.get("Content-Length") or 0)
        if size > LARGEST_BODY:
            self.close_connection = True
            self._write(413, {"error_code": "REQUEST_TOO_LARGE", "message": f"{size} bytes"})
            return
        text = self.rfile.read(size)
        is_json = text and "json" in (self.headers.get("Content-Type") or "json")
        try:
            body = json.loads(text) if is_json else {}
            answer = self.endpoint.answer(self.command, address.path, query, body, self.headers)
        except ApiError as error:
            self._write(error.status, error.body)
        else:
            self._write(200, answer)

    def _write(self, status: int, answer: Body | bytes) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def running_endpoint(
    spark: SparkSession, work: Path, *, token: str, secret: str, catalog: str = "plura"
) -> Iterator[Endpoint]:
    """Serve the workspace on loopback while the block runs.

    Args:
        spark: the session whose session catalog stands for ``catalog``.
        work: folder for the certificate.
        catalog: name of the one catalog.
        token: what clients have to send.
        secret: the OAuth secret of the service principal.

    Raises:
        OSError: the port cannot be had.
    """
    certificate, key = write_certificate(work)
    dialect = Dialect(catalog=catalog)
    endpoint = Endpoint(
        dialect=dialect,
        statements=Statements(spark=spark, dialect=dialect, base=BASE),
        jobs=Jobs(spark=spark, dialect=dialect),
        token=token,
        client_secret=secret,
        certificate=certificate,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = _Server(("127.0.0.1", PORT), type("Handler", (_Handler,), {"endpoint": endpoint}))
    # the handshake belongs to the thread of the connection: a client that is slow to shake hands stops nobody else
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        endpoint.jobs.stop()
        endpoint.statements.stop()
