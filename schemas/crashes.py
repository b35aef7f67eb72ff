"""A worker's death, as supervisors tell each other on `face.crashes`. Internal to the stream."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CrashReport(BaseModel):
    """One death of a worker, and one event that was in native code then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: str = Field(description="of the event")
    partition: int = Field(description="of the event")
    offset: int = Field(description="of the event")
    worker: str = Field(description="the dead worker's id")
    exit_code: int | None = Field(
        description="negative: the signal's number; `null`: it died with its supervisor"
    )
    at_ms: int = Field(description="epoch milliseconds")
