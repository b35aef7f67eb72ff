"""A worker's death, as supervisors tell each other on `face.crashes`. Internal to the stream."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CrashReport(BaseModel):
    """One death of a worker, and one event that was in native code then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: str
    partition: int
    offset: int
    worker: str
    exit_code: int | None = Field(description="negative: the signal's number")
    at_ms: int = Field(description="epoch milliseconds")
