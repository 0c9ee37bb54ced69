"""The OpenAPI document with security and examples, and the templates of routes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from plura.tx.api.problems import Problem

DESCRIPTION = """Look up a transaction, a payment order or a wallet by its id.

Every lookup is recorded: who, what, when, from where, and the result. Amounts are KRW as strings with two decimals,
times are UTC. Errors are problem details (RFC 9457); every response has `X-Correlation-ID`. Lists are paged: send
`next_cursor` back as `cursor`.
"""


def install(app: FastAPI, examples: Mapping[str, Any]) -> None:
    """Make ``app`` serve the complete document; ``examples`` has an example of each 200, by route template."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                ),
                examples,
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's documented extension point


def templates(app: FastAPI) -> Callable[[str], str | None]:
    """Return a function that returns the route template of a path, None if no route matches."""
    known = [(context.path_regex, context.path_format) for context in iter_route_contexts(app.routes)]

    def route_of(path: str) -> str | None:
        return next((template for pattern, template in known if pattern.match(path)), None)

    return route_of


def _complete(document: dict[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the identity provider with the role ADMIN_READ or ADMIN_AUDIT.",
        }
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            if path in examples:
                operation["security"] = [{"bearer": []}]
                operation["responses"]["200"]["content"]["application/json"]["example"] = examples[path]
    return document


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without null: an optional parameter is left out, never null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if not kinds:
        return schema
    return {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}


def main() -> None:
    """Print the published document."""
    from pydantic import SecretStr

    from plura.kit.auth.settings import AuthSettings
    from plura.kit.database import Database, DatabaseSettings
    from plura.tx.api.app import create_app
    from plura.tx.api.settings import ApiSettings

    nowhere = Database(DatabaseSettings(database_url=SecretStr("postgresql://nowhere")))
    app = create_app(ApiSettings(), AuthSettings(auth_mode="disabled"), nowhere)
    sys.stdout.write(json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
