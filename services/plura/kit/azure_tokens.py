"""Sign-in by tokens of Microsoft Entra ID, with the package ``azure-identity`` of the extra ``azure``."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from plura.kit.errors import ServiceError


def azure_tokens(scope: str) -> Callable[[], str]:
    """Return a function that returns a valid token; the library caches and renews it.

    Raises:
        ServiceError: the package ``azure-identity`` is not installed.
    """
    try:
        identity = importlib.import_module("azure.identity")
    except ModuleNotFoundError:
        raise ServiceError(
            "sign-in with tokens needs the package azure-identity: install plura with its extra azure"
        ) from None
    credential = identity.DefaultAzureCredential()
    return lambda: str(credential.get_token(scope).token)
