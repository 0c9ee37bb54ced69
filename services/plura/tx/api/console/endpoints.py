"""The pages under ``/console``. None needs a script; no other site can make a lookup in its reader's name."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from plura.kit.auth.errors import KeysUnavailableError, UnauthenticatedError
from plura.kit.auth.sign_in import SignIn
from plura.tx.api.audit import endpoints as audit
from plura.tx.api.console.pages import KST, error_page, page, style
from plura.tx.api.console.session import (
    LOGIN,
    SESSION,
    START,
    PageGate,
    cookie_of,
    forget,
    keep_login,
    keep_session,
    name_of,
    own_page,
    session_of,
    who,
)
from plura.tx.api.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    SessionEndedError,
    UnauthorizedError,
    UnavailableError,
)
from plura.tx.api.gate import AUDITORS
from plura.tx.api.order import endpoints as order
from plura.tx.api.parameters import AnyId, Cursor, FormField, OrderId, TxId, WalletId, in_utc, lacks_plus
from plura.tx.api.search import endpoints as search
from plura.tx.api.services import Services, services_of
from plura.tx.api.tx import endpoints as tx
from plura.tx.api.visit import Visit, visit_of
from plura.tx.api.wallet import endpoints as wallet

CALLBACK = "/console/callback"
ROWS = 50
_LONGEST_FORM = 4096

router = APIRouter()

_PATHS = {"TX": "/console/tx/", "PAYMENT_ORDER": "/console/payment-orders/", "WALLET": "/console/wallets/"}


@router.get("/console")
async def home(request: Request) -> Response:
    """Show the search, or the way to sign in."""
    services = services_of(request)
    visit = visit_of(request)
    visit.tell_error = error_page
    if services.sign_in is not None and not await _is_signed_in(services, visit):
        return page(
            "message",
            title="Transaction lookup",
            text="Sign in to look up transactions, orders and wallets. Every lookup is recorded.",
            lines=[],
            correlation_id=None,
            sign_in_for=START,
            refresh=None,
        )
    return page("home", **who(services, visit))


@router.get("/console/style.css")
async def style_sheet() -> Response:
    """Tell how pages look."""
    return style()


@router.get("/console/login")
async def login(request: Request, following: str = START) -> Response:
    """Send the reader to the identity provider."""
    services = services_of(request)
    sign_in = _required(services)
    where, sealed = sign_in.begin(own_page(following))
    answer = RedirectResponse(where, status_code=303)
    keep_login(answer, sign_in.settings, sealed)
    return answer


@router.get(CALLBACK)
async def callback(request: Request, code: str = "", state: str = "") -> Response:
    """Take the reader back from the identity provider."""
    services = services_of(request)
    visit = visit_of(request)
    visit.tell_error = error_page
    sign_in = _required(services)
    sealed = cookie_of(visit, name_of(LOGIN, sign_in.settings))
    try:
        session, seconds, following = await sign_in.finish(code=code, state=state, cookie=sealed)
    except UnauthenticatedError as error:
        raise UnauthorizedError(str(error)) from None
    except KeysUnavailableError as error:
        raise UnavailableError(str(error)) from None
    answer = page(
        "message",
        title="Signed in",
        text="You are signed in.",
        lines=[],
        correlation_id=None,
        sign_in_for=None,
        refresh=following,
    )
    keep_session(answer, sign_in.settings, session, seconds)
    forget(answer, sign_in.settings, LOGIN)
    return answer


@router.post("/console/logout")
async def logout(request: Request) -> Response:
    """End the session in this browser and wherever else its cookie may be, if the form is ours."""
    services = services_of(request)
    visit = visit_of(request)
    visit.tell_error = error_page
    sign_in = _required(services)
    session = session_of(services, visit)
    given = parse_qs((await _form(request)).decode("utf-8", "replace")).get("csrf", [""])[0]
    if session is None or not secrets.compare_digest(session.csrf.encode(), given.encode()):
        raise ForbiddenError
    await services.sessions.end(session)
    answer = RedirectResponse(START, status_code=303)
    forget(answer, sign_in.settings, SESSION)
    return answer


@router.get("/console/search")
async def find(q: AnyId, visit: Annotated[Visit, Depends(PageGate(search.SUBJECT))], request: Request) -> Response:
    """Go to what an id names, or show the choice."""
    services = services_of(request)
    found = await services.search.find(visit, query=q)
    hits = [(hit.resource_type, _PATHS[hit.resource_type] + quote(hit.id, safe="")) for hit in found.results]
    if len(hits) == 1:
        return RedirectResponse(hits[0][1], status_code=303)
    return page("search", **who(services, visit), query=q, hits=hits)


@router.get("/console/tx/{tx_id:text}")
async def show_tx(tx_id: TxId, visit: Annotated[Visit, Depends(PageGate(tx.SUBJECT))], request: Request) -> Response:
    """Show a transaction."""
    services = services_of(request)
    return page("tx", **who(services, visit), query=tx_id, tx=await services.tx.find(visit))


@router.get("/console/payment-orders/{order_id:text}")
async def show_order(
    order_id: OrderId,
    visit: Annotated[Visit, Depends(PageGate(order.SUBJECT))],
    request: Request,
    cursor: Cursor = None,
) -> Response:
    """Show a payment order and its entries."""
    services = services_of(request)
    found = await services.order.find(visit, limit=ROWS, cursor=cursor)
    return page("order", **who(services, visit), query=order_id, found=found)


@router.get("/console/wallets/{wallet_id:text}")
async def show_wallet(
    wallet_id: WalletId,
    visit: Annotated[Visit, Depends(PageGate(wallet.SUBJECT))],
    request: Request,
    start: str = "",
    end: str = "",
    cursor: Cursor = None,
) -> Response:
    """Show the entries of a wallet."""
    services = services_of(request)
    found = await services.wallet.find(
        visit, wallet_id=wallet_id, start=_kst(start, "start"), end=_kst(end, "end"), limit=ROWS, cursor=cursor
    )
    return page("wallet", **who(services, visit), query=wallet_id, found=found, start=start, end=end)


@router.get("/console/audit")
async def show_audit(
    visit: Annotated[Visit, Depends(PageGate(audit.SUBJECT, roles=AUDITORS))],
    request: Request,
    actor_id: FormField = "",
    resource_id: FormField = "",
    cursor: Cursor = None,
) -> Response:
    """Show who looked at what."""
    services = services_of(request)
    found = await services.audit.find(
        visit,
        actor_id=actor_id or None,
        resource_id=resource_id or None,
        start=None,
        end=None,
        limit=ROWS,
        cursor=cursor,
    )
    return page("audit", **who(services, visit), found=found, actor_id=actor_id, resource_id=resource_id)


async def _is_signed_in(services: Services, visit: Visit) -> bool:
    session = session_of(services, visit)
    if session is None:
        return False
    try:
        await services.sessions.require_open(session)
    except SessionEndedError:
        return False
    return True


def _required(services: Services) -> SignIn:
    if services.sign_in is None:
        raise NotFoundError
    return services.sign_in


def _kst(text: str, name: str) -> datetime | None:
    """Read a time of a form, KST unless it names a zone."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        return in_utc(read if read.tzinfo else read.replace(tzinfo=KST))
    except ValueError:
        hint = ": the + before an offset is written %2B in a query" if lacks_plus(text) else ""
        error: dict[str, Any] = {"type": "datetime", "loc": ["query", name], "msg": f"not a time{hint}"}
        raise InvalidRequestError(errors=[error]) from None


async def _form(request: Request) -> bytes:
    """Return the body of a form, at most so much of it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise InvalidRequestError
    return body
