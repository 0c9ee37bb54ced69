"""Liveness and readiness in responses."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Freshness(BaseModel):
    """How far the stored data of a topic lag; an idle source does not lag, a dead consumer does."""

    topic: str
    freshness_seconds: float
    polled_at: datetime = Field(description="When the consumer last polled the broker.")


class Readiness(BaseModel):
    """State of the dependencies. Freshness never makes the service unready: old data can be looked up."""

    status: Literal["ready", "not_ready"]
    database: bool
    recording: bool = Field(description="Lookups can be recorded; a lookup that cannot be recorded is not answered.")
    migrations: bool = Field(description="The schema has all migrations of this version; later ones may follow.")
    identity: bool = Field(description="The keys of the identity provider are available.")
    freshness: list[Freshness]
