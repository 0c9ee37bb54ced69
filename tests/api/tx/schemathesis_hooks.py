"""What the OpenAPI schema cannot say: only the service makes cursors, and a range ends after it begins."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Take invented cursors away and turn ranges the right way round."""
    del context, kwargs
    query: dict[str, Any] = case.query or {}
    query.pop("cursor", None)
    start, end = query.get("from"), query.get("to")
    if isinstance(start, str) and isinstance(end, str) and start > end:
        query["from"], query["to"] = end, start
