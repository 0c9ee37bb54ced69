"""Responses of lookups for OpenAPI, each with an example."""

from __future__ import annotations

from plura.kit.http.errors import ApiError, ForbiddenError, InvalidRequestError, UnauthorizedError
from plura.kit.http.responses import Responses, responses
from plura.tx.api.errors import LookupUnavailableError

_DESCRIPTIONS = {
    401: "The token is missing or not valid.",
    403: "The token carries none of the roles.",
    404: "Nothing has this id.",
    422: "A parameter is not valid.",
    503: "The lookup could not be made and recorded, or tokens cannot be verified now.",
}


def lookup_responses(*more: ApiError) -> Responses:
    """Return the responses of a lookup: 200, the errors of every lookup, and ``more``."""
    invalid = InvalidRequestError(
        errors=[
            {
                "type": "less_than_equal",
                "loc": ["query", "limit"],
                "msg": "Input should be less than or equal to 100",
                "input": "101",
            }
        ]
    )
    errors = (UnauthorizedError(), ForbiddenError(), *more, invalid, LookupUnavailableError())
    return responses(errors, _DESCRIPTIONS, success="Found.")
