"""The published OpenAPI document."""

from __future__ import annotations

import json
import sys

DESCRIPTION = """Look up a transaction, a payment order or a wallet by its id.

Every lookup is recorded: who, what, when, from where, and the result. Amounts are KRW as strings with two decimals,
times are UTC. Errors are problem details (RFC 9457); every response has `X-Correlation-ID`. Lists are paged: send
`next_cursor` back as `cursor`.
"""
BEARER = "A token of the identity provider with the role ADMIN_READ or ADMIN_AUDIT."
"""How callers authenticate."""


def main() -> None:
    """Print the published document."""
    from pydantic import SecretStr

    from plura.kit.auth.settings import AuthSettings
    from plura.kit.database import Database, DatabaseSettings
    from plura.kit.http.settings import ApiSettings
    from plura.tx.api.app import create_app

    nowhere = Database(DatabaseSettings(database_url=SecretStr("postgresql://nowhere")))
    app = create_app(ApiSettings(), AuthSettings(auth_mode="disabled"), nowhere)
    sys.stdout.write(json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
