"""Whether the service can answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Freshness(BaseModel):
    """How far the stored data of a topic are behind; an idle source is not behind, a dead consumer is."""

    topic: str
    freshness_seconds: float
    polled_at: datetime = Field(description="When the consumer last asked the broker.")


class Readiness(BaseModel):
    """What answers depend on. Freshness is told and never makes the service unready: old data can be looked up."""

    status: Literal["ready", "not_ready"]
    database: bool
    recording: bool = Field(description="Lookups can be recorded; one that cannot is not answered.")
    migrations: bool = Field(description="The schema has all migrations of this version; later ones may follow.")
    identity: bool = Field(description="The keys of the identity provider are known.")
    freshness: list[Freshness]
