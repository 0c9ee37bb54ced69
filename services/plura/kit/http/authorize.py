"""Authentication and authorization of requests, before their parameters are validated."""

from __future__ import annotations

from fastapi import Request

from plura.kit.auth.authenticators import Authenticator
from plura.kit.auth.errors import KeysUnavailableError, UnauthenticatedError
from plura.kit.auth.principal import Principal
from plura.kit.http.audit_context import LONGEST_QUERY, AuditContext, Subject, audit_context_of
from plura.kit.http.errors import ForbiddenError, InvalidRequestError, UnauthorizedError, UnavailableError


class Authorize:
    """A dependency of routes. It runs before parameters are validated, so that strangers learn nothing about them."""

    def __init__(self, subject: Subject, *, roles: tuple[str, ...]) -> None:
        self._subject = subject
        self._roles = roles

    async def __call__(self, request: Request) -> AuditContext:
        """Return the request's audit context with subject and principal.

        Raises:
            UnauthorizedError: the caller is not identified.
            ForbiddenError: the caller holds none of the roles.
            InvalidRequestError: the query is too long.
            UnavailableError: tokens cannot be verified now.
        """
        context = audit_context_of(request)
        subject = context.subject = self._subject
        if subject.parameter is not None:
            context.resource_id = request.path_params.get(subject.parameter) or request.query_params.get(
                subject.parameter
            )
        try:
            context.principal = await self._authenticate(request, context)
        except UnauthenticatedError as error:
            raise UnauthorizedError(str(error), headers={"WWW-Authenticate": challenge(error)}) from None
        except KeysUnavailableError as error:
            raise UnavailableError(str(error)) from None
        if not context.principal.has_any(*self._roles):
            raise ForbiddenError
        if context.query_is_too_long:
            too_long = {"type": "too_long", "loc": ["query"], "msg": f"a query has at most {LONGEST_QUERY} bytes"}
            raise InvalidRequestError(errors=[too_long])
        return context

    async def _authenticate(self, request: Request, context: AuditContext) -> Principal:
        authenticator: Authenticator = request.app.state.services.authenticator
        return await authenticator.authenticate(context.headers)


def challenge(error: UnauthenticatedError) -> str:
    """Return the value of ``WWW-Authenticate`` (RFC 6750)."""
    return 'Bearer realm="plura"' + (f', error="{error.challenge}"' if error.challenge else "")
