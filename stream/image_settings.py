"""What images may be read, apart from what reads them: a supervisor needs no decoder."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream.io.sources import Sources


class ImageSettings(BaseSettings):
    """What images may be read, how large, and for how long one may take."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    #: the allow-list: comma-separated prefixes. Empty: inline data and the blob store only
    image_sources: str = ""
    max_image_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    max_image_pixels: int = Field(default=50_000_000, gt=0)
    #: in all, for one attempt
    fetch_timeout_s: float = Field(default=10.0, gt=0)
    fetch_connect_timeout_s: float = Field(default=3.0, gt=0)
    max_redirects: int = Field(default=5, ge=0)

    @field_validator("image_sources")
    @classmethod
    def _check_image_sources(cls, text: str) -> str:
        Sources.parse(text)
        return text
