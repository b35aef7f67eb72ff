"""Errors with a known cause → one line that says it, and an exit code."""

from __future__ import annotations

import sys
from typing import Any

import click

DID_NOT_WORK = 1
ASKED_WRONGLY = 2

#: whose message says all there is to say; by name, so that nothing heavy is imported to compare
_CLEAR = {
    "benchmarks.batches": ("BenchmarkFailed",),
    "benchmarks.document": ("UnreadableDocument",),
    "benchmarks.plot": ("MatplotlibMissing",),
    "benchmarks.processes": ("PsutilMissing",),
    "cli.edge_process": ("EdgeFailed",),
    "cli.following": ("BrokerAway", "TopicMissing"),
    "cli.parquet": ("ParquetMissing",),
    "schemas.errors": ("FacestreamError",),
    "stream.embedded": ("EmbeddedBrokerFailed",),
    "stream.io.access": ("AccessRefused",),
    "stream.io.blobs": ("BlobStoreError",),
    "stream.io.producer": ("MessageTooLarge", "SendFailed"),
    "stream.io.topic_admin": ("TopicsFailed",),
    "stream.models.download": ("PackUnavailable",),
    "stream.scraping": ("MetricsPortTaken",),
    "stream.supervisor": ("WorkersFailed",),
}


class Failure(click.ClickException):
    """A line for standard error, and the exit code."""

    def __init__(self, message: str, exit_code: int = DID_NOT_WORK) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explain(error: Exception) -> Failure | None:
    """The line for an error; None where the cause is not known and a traceback is of more use."""
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return None
    if _is(error, "pydantic_core", ("ValidationError",)):
        return Failure(f"settings: {_settings_line(error)}", ASKED_WRONGLY)
    if _is(error, "confluent_kafka", ("KafkaException",)):
        return Failure(f"Kafka: {_kafka_line(error)}")
    if any(_is(error, module, names) for module, names in _CLEAR.items()):
        return Failure(str(error))
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return Failure(str(error))
    return None


def _is(error: Exception, module: str, names: tuple[str, ...]) -> bool:
    loaded = sys.modules.get(module)  # an error's class cannot come from a module that is not
    return loaded is not None and isinstance(error, tuple(getattr(loaded, name) for name in names))


def _settings_line(error: Any) -> str:
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part).upper() for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return "; ".join(lines)


def _kafka_line(error: Any) -> str:
    reason = error.args[0] if error.args else error
    text: str = reason.str() if hasattr(reason, "str") else str(reason)
    return text
