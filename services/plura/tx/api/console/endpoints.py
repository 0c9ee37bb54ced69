"""The pages under ``/console``, without scripts. Other sites cannot make lookups in the name of a reader."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from plura.kit.auth.errors import KeysUnavailableError, UnauthenticatedError
from plura.kit.auth.sign_in import SignIn
from plura.kit.http.audit_context import AuditContext, audit_context_of
from plura.kit.http.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    SessionEndedError,
    UnavailableError,
)
from plura.kit.http.parameters import Cursor, in_utc, is_too_fine, lacks_plus
from plura.tx.api.audit import endpoints as audit
from plura.tx.api.authorize import AUDITORS, READERS
from plura.tx.api.console.errors import SignInFailedError
from plura.tx.api.console.pages import page, path_of, static
from plura.tx.api.console.pasted import LONGEST_PASTED, PastedField, searched
from plura.tx.api.console.reader import reader_of
from plura.tx.api.console.session import (
    LOGIN,
    SESSION,
    START,
    AuthorizePage,
    cookie_of,
    forget,
    keep_login,
    keep_session,
    name_of,
    own_page,
    session_of,
)
from plura.tx.api.order import endpoints as order
from plura.tx.api.parameters import OrderId, TxId, WalletId
from plura.tx.api.search import endpoints as search
from plura.tx.api.services import Services, services_of
from plura.tx.api.tx import endpoints as tx
from plura.tx.api.wallet import endpoints as wallet
from python_jobs.instants import KST_ZONE

CALLBACK = "/console/callback"
ROWS = 50
_LONGEST_FORM = 4096
_LONGEST_TIME = 40

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"])
@router.get("/console/")
async def start() -> Response:
    """Redirect to the console."""
    return RedirectResponse(START, status_code=303)


@router.get(START)
async def home(request: Request) -> Response:
    """Show the search, or the sign-in page."""
    services, context, reader = services_of(request), audit_context_of(request), reader_of(request)
    session = session_of(services, context)
    if session is not None:
        try:
            await services.sessions.require_open(session)
        except SessionEndedError:
            reader = reader.signed_out()
    return page("sign_in" if reader.can_sign_in else "home", reader)


@router.get("/console/style.css")
async def style_sheet() -> Response:
    """Return the style sheet of the pages."""
    return static("style.css")


@router.get("/console/icon.svg")
async def icon() -> Response:
    """Return the icon of the pages."""
    return static("icon.svg")


@router.get("/console/login")
async def login(request: Request, following: str = START) -> Response:
    """Send the reader to the identity provider."""
    services = services_of(request)
    sign_in = _require_sign_in(services)
    where, sealed = sign_in.begin(own_page(following))
    answer = RedirectResponse(where, status_code=303)
    keep_login(answer, sign_in.settings, sealed)
    return answer


@router.get(CALLBACK)
async def callback(request: Request, code: str = "", state: str = "") -> Response:
    """Receive the reader from the identity provider, and start the session."""
    services = services_of(request)
    context = audit_context_of(request)
    sign_in = _require_sign_in(services)
    sealed = cookie_of(context, name_of(LOGIN, sign_in.settings))
    try:
        session, seconds, following = await sign_in.finish(code=code, state=state, cookie=sealed)
    except UnauthenticatedError as error:
        raise SignInFailedError(str(error)) from None
    except KeysUnavailableError as error:
        raise UnavailableError(str(error)) from None
    # a page instead of a redirect: browsers may not send a new cookie in a redirect chain from the provider
    answer = page("signed_in", reader_of(request), following=following)
    keep_session(answer, sign_in.settings, session, seconds)
    forget(answer, sign_in.settings, LOGIN)
    return answer


@router.post("/console/logout")
async def logout(request: Request) -> Response:
    """End the session, in this browser and for every copy of its cookie, if the CSRF token is valid."""
    services = services_of(request)
    context = audit_context_of(request)
    sign_in = _require_sign_in(services)
    session = session_of(services, context)
    csrf = parse_qs((await _form(request)).decode("utf-8", "replace")).get("csrf", [""])[0]
    if session is None or not secrets.compare_digest(session.csrf.encode(), csrf.encode()):
        raise ForbiddenError
    await services.sessions.end(session)
    answer = RedirectResponse(START, status_code=303)
    forget(answer, sign_in.settings, SESSION)
    return answer


@router.get("/console/search")
async def find(
    context: Annotated[AuditContext, Depends(AuthorizePage(search.SUBJECT, roles=READERS))],
    request: Request,
    q: Annotated[str, Query(max_length=LONGEST_PASTED)] = "",
) -> Response:
    """Open the page of a pasted id, or show a choice if several objects have it."""
    services = services_of(request)
    ids = searched(q)
    for id_ in ids:
        found = await services.search.find(context, query=id_)
        hits = [(hit.resource_type, path_of(hit.resource_type, id_)) for hit in found.results]
        if len(hits) == 1:
            return RedirectResponse(hits[0][1], status_code=303)
        if hits:
            return page("choice", reader_of(request), query=id_, hits=hits)
    return page("nothing", reader_of(request), query=ids[0])


@router.get("/console/tx/{tx_id:text}")
async def show_tx(
    tx_id: TxId, context: Annotated[AuditContext, Depends(AuthorizePage(tx.SUBJECT, roles=READERS))], request: Request
) -> Response:
    """Show a transaction."""
    entry = await services_of(request).tx.entry(context)
    return page("tx", reader_of(request), query=tx_id, entry=entry)


@router.get("/console/payment-orders/{order_id:text}")
async def show_order(
    order_id: OrderId,
    context: Annotated[AuditContext, Depends(AuthorizePage(order.SUBJECT, roles=READERS))],
    request: Request,
    cursor: Cursor = None,
) -> Response:
    """Show a payment order and its entries."""
    found = await services_of(request).order.look_up(context, limit=ROWS, cursor=cursor)
    return page("order", reader_of(request), query=order_id, found=found, cursor=cursor)


@router.get("/console/wallets/{wallet_id:text}")
async def show_wallet(
    wallet_id: WalletId,
    context: Annotated[AuditContext, Depends(AuthorizePage(wallet.SUBJECT, roles=READERS))],
    request: Request,
    start: str = "",
    end: str = "",
    cursor: Cursor = None,
) -> Response:
    """Show the entries of a wallet."""
    found = await services_of(request).wallet.page(
        context, wallet_id=wallet_id, start=_kst(start, "start"), end=_kst(end, "end"), limit=ROWS, cursor=cursor
    )
    reader = reader_of(request)
    return page(
        "wallet", reader, query=wallet_id, wallet_id=wallet_id, found=found, start=start, end=end, cursor=cursor
    )


@router.get("/console/audit")
async def show_audit(
    context: Annotated[AuditContext, Depends(AuthorizePage(audit.SUBJECT, roles=AUDITORS))],
    request: Request,
    actor_id: PastedField = "",
    resource_id: PastedField = "",
    cursor: Cursor = None,
) -> Response:
    """Show who looked up what."""
    found = await services_of(request).audit.find(
        context,
        actor_id=actor_id or None,
        resource_id=resource_id or None,
        start=None,
        end=None,
        limit=ROWS,
        cursor=cursor,
    )
    return page("audit", reader_of(request), found=found, actor_id=actor_id, resource_id=resource_id, cursor=cursor)


def _require_sign_in(services: Services) -> SignIn:
    if services.sign_in is None:
        raise NotFoundError
    return services.sign_in


def _kst(text: str, name: str) -> datetime | None:
    """Read a time of a form, in KST unless it has a zone."""
    if not text:
        return None
    error: dict[str, Any] = {"type": "datetime", "loc": ["query", name], "msg": "not a time"}
    if len(text) > _LONGEST_TIME or is_too_fine(text):
        raise InvalidRequestError(errors=[error])
    try:
        read = datetime.fromisoformat(text)
        return in_utc(read if read.tzinfo else read.replace(tzinfo=KST_ZONE))
    except ValueError:
        if lacks_plus(text):
            error |= {"type": "lost_plus", "msg": "not a time: the + before an offset is written %2B in a query"}
        raise InvalidRequestError(errors=[error]) from None


async def _form(request: Request) -> bytes:
    """Return the body of a form, at most ``_LONGEST_FORM`` bytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise InvalidRequestError
    return body
