"""The settings of commands that talk to a broker others run."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from cli.running import find, settings_of
from stream.io.access import check_access
from stream.io.kafka import KafkaSettings

Settings = TypeVar("Settings", bound=KafkaSettings)


def connected(kind: type[Settings], **given: Any) -> Settings:
    """Settings from the environment; where it names no broker, that of a running `up`.

    `given` wins over both. Raises pydantic's `ValidationError`, and `AccessRefused`.
    """
    settings = kind(**(settings_of(find(), os.environ) | given))
    check_access(settings)
    return settings
