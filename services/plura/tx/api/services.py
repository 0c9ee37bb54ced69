"""Services of the application, created once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from plura.kit.auth.authenticators import Authenticator
from plura.kit.auth.sign_in import SignIn
from plura.kit.http.denied_requests import DeniedRequestAudit
from plura.tx.api.audit.service import AuditService
from plura.tx.api.console.ended_sessions import EndedSessions
from plura.tx.api.health.service import HealthService
from plura.tx.api.order.service import OrderService
from plura.tx.api.search.service import SearchService
from plura.tx.api.tx.service import TxService
from plura.tx.api.wallet.service import WalletService


@dataclass(frozen=True, kw_only=True)
class Services:
    """One service per resource, and what authenticates and audits requests."""

    authenticator: Authenticator
    sign_in: SignIn | None
    sessions: EndedSessions
    denied_requests: DeniedRequestAudit
    tx: TxService
    order: OrderService
    wallet: WalletService
    search: SearchService
    audit: AuditService
    health: HealthService


def services_of(request: Request) -> Services:
    """Return the services of the application that serves ``request``.

    Routes call it directly: as a dependency of the framework it would take a tenth of the time of a request.
    """
    return cast("Services", request.app.state.services)
