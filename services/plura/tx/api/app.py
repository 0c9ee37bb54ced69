"""The application: routes, services, and error responses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response

from plura.kit.auth.authenticators import Authenticator, BearerAuthenticator, NoAuthenticator
from plura.kit.auth.keys import JwksKeys
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.sign_in import SignIn, SignInSettings
from plura.kit.auth.tokens import TokenVerifier
from plura.kit.database import Database
from plura.kit.http.audit_context import audit_context_of
from plura.kit.http.denied_requests import DeniedRequestAudit
from plura.kit.http.errors import ApiError, InvalidRequestError, SessionEndedError, StatusError, UnavailableError
from plura.kit.http.middleware import RequestMiddleware
from plura.kit.http.openapi import install, templates
from plura.kit.http.problems import problem
from plura.kit.http.settings import ApiSettings
from plura.kit.observability.metrics import ApiMetrics, DatabaseMetrics
from plura.kit.observability.otlp import MetricsPusher, OtlpSettings
from plura.kit.queries import read_queries
from plura.kit.statements import Statements
from plura.tx.api import openapi
from plura.tx.api.audit import endpoints as audit
from plura.tx.api.audit import schemas as audit_schemas
from plura.tx.api.audit.service import AuditService
from plura.tx.api.console import endpoints as console
from plura.tx.api.console.ended_sessions import EndedSessions
from plura.tx.api.console.middleware import PagesMiddleware
from plura.tx.api.errors import LookupUnavailableError
from plura.tx.api.health import endpoints as health
from plura.tx.api.health.service import HealthService
from plura.tx.api.order import endpoints as order
from plura.tx.api.order import schemas as order_schemas
from plura.tx.api.order.service import OrderService
from plura.tx.api.search import endpoints as search
from plura.tx.api.search import schemas as search_schemas
from plura.tx.api.search.service import SearchService
from plura.tx.api.services import Services
from plura.tx.api.tx import endpoints as tx
from plura.tx.api.tx import schemas as tx_schemas
from plura.tx.api.tx.service import TxService
from plura.tx.api.wallet import endpoints as wallet
from plura.tx.api.wallet import schemas as wallet_schemas
from plura.tx.api.wallet.service import WalletService
from plura.tx.db import API_ROLE

_LOG = logging.getLogger(__name__)

SERVICE = "tx-lookup-service"
"""Name of the service for collectors of metrics."""
STATEMENT_TIMEOUT_MS = 3_000
"""Longest statement of a lookup: an administrator waits for it, and a longer one is a defect."""
_PLANNER = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
}
"""Lookups read a few rows in the order of an index. With outdated statistics the planner takes an id with 150,000
entries for an id with a few, reads them all and sorts them. Without these methods only the index order is left, which
is right for both.
"""
_DENIED_RESULTS = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 422: "INVALID"}
"""Result of a denied request in the audit, by status."""
_LONGEST_INPUT = 200
_EXAMPLES = {
    "/admin/tx/{tx_id}": tx_schemas.EXAMPLE,
    "/admin/payment-orders/{order_id}": order_schemas.EXAMPLE,
    "/admin/wallets/{wallet_id}/tx": wallet_schemas.EXAMPLE,
    "/admin/search": search_schemas.EXAMPLE,
    "/admin/audit": audit_schemas.EXAMPLE,
}


def create_app(
    settings: ApiSettings,
    auth: AuthSettings,
    database: Database,
    sign_in: SignInSettings | None = None,
    otlp: OtlpSettings | None = None,
) -> FastAPI:
    """Return the application. It opens its connections at startup and closes them at shutdown.

    The console is served if people can sign in to it, or if authentication is disabled.
    """
    registry = CollectorRegistry()
    serves_docs = settings.app_env != "prod"
    app = FastAPI(
        title="Backoffice Admin API",
        version="0.1.0",
        description=openapi.DESCRIPTION,
        lifespan=_lifespan(settings, auth, database, registry, sign_in or SignInSettings(), otlp or OtlpSettings()),
        docs_url="/docs" if serves_docs else None,
        redoc_url="/redoc" if serves_docs else None,
        openapi_url="/openapi.json" if serves_docs else None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for resource in (tx, order, wallet, search, audit, health):
        app.include_router(resource.router)
    if auth.auth_mode == "disabled" or (sign_in is not None and sign_in.is_enabled):
        app.include_router(console.router, include_in_schema=False)
        app.add_middleware(PagesMiddleware)
    install(app, examples=_EXAMPLES, bearer=openapi.BEARER)
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_middleware(
        RequestMiddleware,
        trusted=settings.trusted_proxies,
        masked=settings.masked_keys,
        metrics=ApiMetrics(registry),
        route_of=templates(app),
        is_secure=sign_in is not None and sign_in.is_secure,
    )
    return app


def _lifespan(
    settings: ApiSettings,
    auth: AuthSettings,
    database: Database,
    registry: CollectorRegistry,
    sign_in: SignInSettings,
    otlp: OtlpSettings,
) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics = DatabaseMetrics(registry)
        pool = database.async_pool("plura-tx-api", API_ROLE, _PLANNER, db_statement_timeout_ms=STATEMENT_TIMEOUT_MS)
        statements = Statements(
            pool,
            metrics,
            read_queries("plura.tx.db", "lookups.sql"),
            role=API_ROLE,
            repeats=True,  # an audit row may be written twice, but it is never missing
            slow_ms=database.settings.db_slow_query_ms,
            unavailable=LookupUnavailableError,
        )
        async with AsyncExitStack() as stack:
            await pool.open()
            stack.push_async_callback(pool.close)
            verifier = await _verifier(auth, stack)
            authenticator: Authenticator = NoAuthenticator() if verifier is None else BearerAuthenticator(verifier)

            async def write_audit_row(row: dict[str, Any]) -> None:
                await statements.run("record", "admin_audit_logs", row)

            pusher = MetricsPusher(otlp, registry, SERVICE)
            pusher.start()
            stack.push_async_callback(asyncio.to_thread, pusher.close)
            denied_requests = DeniedRequestAudit(write_audit_row, per_second=settings.audit_refusals_per_second)
            health_service = HealthService(statements, authenticator, pool=pool, registry=registry, metrics=metrics)
            for worker in (denied_requests, health_service):
                await worker.start()
                stack.push_async_callback(worker.close)
            app.state.services = Services(
                authenticator=authenticator,
                sign_in=(
                    SignIn(sign_in, verifier, callback=console.CALLBACK) if verifier and sign_in.is_enabled else None
                ),
                sessions=EndedSessions(statements),
                denied_requests=denied_requests,
                tx=TxService(statements),
                order=OrderService(statements),
                wallet=WalletService(statements),
                search=SearchService(statements),
                audit=AuditService(statements),
                health=health_service,
            )
            yield

    return lifespan


async def _verifier(auth: AuthSettings, stack: AsyncExitStack) -> TokenVerifier | None:
    """Return the verifier of tokens, None if authentication is disabled."""
    if auth.auth_mode == "disabled":
        _LOG.warning("authentication is disabled")
        return None
    keys = JwksKeys(auth.auth_jwks_url, auth.auth_algorithm)
    await keys.start()
    stack.push_async_callback(keys.close)
    return TokenVerifier(auth, keys)


async def _answer_api_error(request: Request, error: Exception) -> Response:
    """Answer an error of the API. A denied lookup is recorded first; if that fails, the answer is 503."""
    assert isinstance(error, ApiError)
    context = audit_context_of(request)
    if isinstance(error, SessionEndedError):
        context.end_session()
    if context.subject is not None and (result := _DENIED_RESULTS.get(error.status_code)):
        services: Services = request.app.state.services
        try:
            await services.denied_requests.record(context, status_code=error.status_code, result=result)
        except SessionEndedError as ended:
            return await _answer_api_error(request, ended)
        except UnavailableError as unavailable:
            error = unavailable
    return (context.answer_error or problem)(error, context.correlation_id)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [_shortened(details) for details in error.errors()]
    return await _answer_api_error(request, InvalidRequestError(errors=errors))


def _shortened(error: dict[str, Any]) -> dict[str, Any]:
    """Return an error of the framework without its URL, and with at most ``_LONGEST_INPUT`` characters of the input."""
    short = {name: value for name, value in error.items() if name in ("type", "loc", "msg", "input")}
    short["loc"] = list(short["loc"])
    if isinstance(short.get("input"), str):
        short["input"] = short["input"][:_LONGEST_INPUT]
    if isinstance(limits := error.get("ctx"), dict):
        short["ctx"] = {name: value if isinstance(value, int | float) else str(value) for name, value in limits.items()}
    return short


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    context = audit_context_of(request)
    answered = StatusError(error.status_code, str(error.detail), error.headers)
    return (context.answer_error or problem)(answered, context.correlation_id)
