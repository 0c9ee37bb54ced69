"""The name of the environment (``PLURA_ENV``), on which depends what is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping

ENVIRONMENTS = ("local", "dev", "prod")


def environment_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the value of ``PLURA_ENV``; ``local`` where it is not set.

    Raises:
        ValueError: it is not exactly one of ``ENVIRONMENTS``: it cannot be known whether production was meant.
    """
    name = environ.get("PLURA_ENV", ENVIRONMENTS[0])
    if name not in ENVIRONMENTS:
        raise ValueError(f"PLURA_ENV is {name!r}: it must be one of {', '.join(ENVIRONMENTS)}, or not set")
    return name
