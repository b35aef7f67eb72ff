"""Everything that an edge is told, in one frozen object."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from schemas.requests import MAX_DATA_BYTES
from stream.io.blobs import BlobSettings
from stream.io.kafka import KafkaSettings

Seconds = Annotated[float, Field(gt=0)]

#: what can stand behind `Bearer` in a header, but for the comma that parts several keys
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")


class EdgeSettings(KafkaSettings, BlobSettings):
    """The environment's names are the fields' names in capitals. `API_KEY` must be there."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a key that is refused may be a key elsewhere
        protected_namespaces=(),
    )

    api_key: SecretStr = Field(description="one key, or several with commas: any of them is let in")
    host: str = "0.0.0.0"  # noqa: S104 - as the service that it replaces: it runs in containers
    port: int = Field(default=8000, ge=0, le=65535, description="0: any that is free")
    debug: bool = False
    cors_origins: str = "http://localhost:3000"

    request_timeout_s: Seconds = Field(default=30, description="a caller's longest wait: then 504")
    max_in_flight: int = Field(default=64, ge=1, description="images that wait for their answer")
    rate_limit_per_minute: int = Field(default=0, ge=0, description="of a key; 0: no limit")
    upload_places: int = Field(default=256, ge=1, description="bodies that are received at once")
    upload_timeout_s: Seconds = Field(default=30, description="for a head, and for a body")
    max_body_bytes: int = Field(default=64 * 1024 * 1024, gt=0, description="of a JSON body")
    max_image_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    inline_limit_bytes: int = Field(
        default=64 * 1024, ge=0, le=MAX_DATA_BYTES, description="larger ones go by the blob store"
    )
    live_listeners: int = Field(
        default=8, ge=0, description="who follow results live at once; 0: nobody may"
    )

    heartbeat_interval_s: Seconds = Field(default=2, description="between two words of a worker")
    worker_stalled_s: Seconds = Field(
        default=90,
        description="a worker that has work and settles nothing so long is no reason to be ready; "
        "one slow download alone may take EVENT_TIMEOUT_S",
    )
    model_pack: str = Field(default="buffalo_l", description="the one that workers are to have")

    @field_validator("api_key")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        keys = _parts(value.get_secret_value())
        if not keys:
            raise ValueError("names no key; the edge does not start without one")
        if not all(_KEY.fullmatch(key) for key in keys):
            raise ValueError("a key has only visible ASCII characters, without spaces")
        return value

    @model_validator(mode="after")
    def _blobs_outlive_their_requests(self) -> EdgeSettings:
        if self.blob_ttl_s < 2 * self.request_timeout_s:
            raise ValueError(
                f"BLOB_TTL_S is {self.blob_ttl_s:g}: a blob must outlive its request, which may "
                f"be delivered twice; at least twice REQUEST_TIMEOUT_S ({self.request_timeout_s:g})"
            )
        return self

    @cached_property
    def keys(self) -> tuple[SecretStr, ...]:
        """The keys that are let in; several, so that they can be rotated."""
        return tuple(SecretStr(key) for key in _parts(self.api_key.get_secret_value()))

    @cached_property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call the edge; `*` may be among them."""
        return tuple(_parts(self.cors_origins))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
