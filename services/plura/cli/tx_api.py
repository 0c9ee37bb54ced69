"""``plura tx api``: the admin API of the transaction lookup service."""

from __future__ import annotations

from typing import Annotated

import typer

from plura.cli.console import say
from plura.cli.service_options import database
from plura.kit.service_settings import read_settings


def api(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free port.", min=0, max=65_535)] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts requests from other machines.")
    ] = "127.0.0.1",
) -> None:
    """Serve the admin API: look up transactions, orders and wallets by id; each lookup is recorded.

    Settings: PLURA_DATABASE_URL (unset: an embedded PostgreSQL). PLURA_AUTH_ISSUER, PLURA_AUTH_AUDIENCE and
    PLURA_AUTH_JWKS_URL name the identity provider; PLURA_AUTH_MODE=disabled needs none, on a developer's machine only.
    PLURA_APP_ENV is local, dev or prod; prod hides the pages of the API's documentation. PLURA_TRUSTED_PROXIES lists
    addresses whose X-Forwarded-For is trusted.

    The pages under /console are served if people can sign in: PLURA_CONSOLE_CLIENT_ID, PLURA_CONSOLE_CLIENT_SECRET,
    PLURA_CONSOLE_AUTHORIZE_URL, PLURA_CONSOLE_TOKEN_URL, PLURA_CONSOLE_SCOPE, PLURA_CONSOLE_URL (where browsers find
    the service) and PLURA_CONSOLE_SESSION_KEY. PLURA_OTLP_ENDPOINT names a collector that metrics are pushed to.

    SIGTERM and Ctrl-C stop it after the running requests.
    """
    from plura.kit.auth.settings import AuthSettings
    from plura.kit.auth.sign_in import SignInSettings
    from plura.kit.http.server import listen, serve
    from plura.kit.http.settings import ApiSettings
    from plura.kit.observability.logs import configure_logs
    from plura.kit.observability.otlp import OtlpSettings
    from plura.tx.api.app import create_app

    settings, auth = read_settings(ApiSettings), read_settings(AuthSettings)
    app = create_app(settings, auth, database(), read_settings(SignInSettings), read_settings(OtlpSettings))
    configure_logs(settings.log_level)
    listening = listen(host, port)
    say(f"listening on http://{host}:{listening.getsockname()[1]}")
    serve(app, listening)
