"""The OpenAPI document with security and examples, and the templates of routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from plura.kit.http.problems import Problem


def install(app: FastAPI, *, examples: Mapping[str, Any], bearer: str) -> None:
    """Make ``app`` serve the complete document.

    ``examples`` has an example of each 200, by route template; ``bearer`` says which tokens are accepted.
    """

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
                bearer,
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's documented extension point


def templates(app: FastAPI) -> Callable[[str], str | None]:
    """Return a function that returns the route template of a path, None if no route matches."""
    known = [(context.path_regex, context.path_format) for context in iter_route_contexts(app.routes)]

    def route_of(path: str) -> str | None:
        return next((template for pattern, template in known if pattern.match(path)), None)

    return route_of


def _complete(document: dict[str, Any], examples: Mapping[str, Any], bearer: str) -> dict[str, Any]:
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
            "description": bearer,
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
