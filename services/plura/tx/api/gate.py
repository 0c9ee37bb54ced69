"""The gate before every lookup: it says what the request is about, who asks, and whether that is allowed."""

from __future__ import annotations

from fastapi import Request

from plura.kit.auth.authenticators import Authenticator
from plura.kit.auth.errors import KeysUnavailableError, UnauthenticatedError
from plura.kit.auth.principal import ADMIN_AUDIT, ADMIN_READ, Principal
from plura.tx.api.errors import ForbiddenError, InvalidRequestError, UnauthorizedError, UnavailableError
from plura.tx.api.visit import LONGEST_QUERY, Subject, Visit, visit_of

READERS = (ADMIN_READ, ADMIN_AUDIT)
AUDITORS = (ADMIN_AUDIT,)


class Gate:
    """A dependency of routes. It runs before parameters are looked at: strangers learn nothing about them."""

    def __init__(self, subject: Subject, *, roles: tuple[str, ...] = READERS) -> None:
        self._subject = subject
        self._roles = roles

    async def __call__(self, request: Request) -> Visit:
        """Return the visit with its principal.

        Raises:
            UnauthorizedError: nobody could be identified.
            ForbiddenError: the caller holds none of the roles.
            InvalidRequestError: the query is too long to be read.
            UnavailableError: tokens cannot be judged now.
        """
        visit = visit_of(request)
        subject = visit.subject = self._subject
        if subject.parameter is not None:
            visit.resource_id = request.path_params.get(subject.parameter) or request.query_params.get(
                subject.parameter
            )
        try:
            visit.principal = await self._identified(request, visit)
        except UnauthenticatedError as error:
            raise UnauthorizedError(str(error), headers={"WWW-Authenticate": challenge(error)}) from None
        except KeysUnavailableError as error:
            raise UnavailableError(str(error)) from None
        if not visit.principal.has_any(*self._roles):
            raise ForbiddenError
        if visit.query_is_too_long:
            too_long = {"type": "too_long", "loc": ["query"], "msg": f"a query has at most {LONGEST_QUERY} bytes"}
            raise InvalidRequestError(errors=[too_long])
        return visit

    async def _identified(self, request: Request, visit: Visit) -> Principal:
        authenticator: Authenticator = request.app.state.services.authenticator
        return await authenticator.authenticate(visit.headers)


def challenge(error: UnauthenticatedError) -> str:
    """Return how the caller may identify itself, in the words of RFC 6750."""
    return 'Bearer realm="plura"' + (f', error="{error.challenge}"' if error.challenge else "")
