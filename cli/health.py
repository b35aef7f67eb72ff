"""`facestream health`: whether this host's edge or workers are well, for who starts them again.

Runs every few seconds beside them: it reads one address and imports nothing heavy.
"""

from __future__ import annotations

from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import click

_TIMEOUT_S = 5.0
#: addresses to listen at that are none to ask
_ANY = {"", "0.0.0.0", "::"}  # noqa: S104 - nothing listens here


class Unwell(click.ClickException):
    """Exit code 1; the message is one line for the log of health checks."""


@click.group("health")
def command() -> None:
    """Ask this host's edge or workers how they are. Exits with 0 or 1."""


@command.command("edge")
@click.option("--host", envvar="HOST", default="", help="else HOST")
@click.option("--port", envvar="PORT", type=int, default=8000, help="else PORT, else 8000")
@click.option("--ready", is_flag=True, help="Also whether a request would be answered now.")
def edge(host: str, port: int, *, ready: bool) -> None:
    """Whether the edge answers."""
    _read(host, port, "/api/v1/ready" if ready else "/api/v1/health")


@command.command("worker")
@click.option("--host", envvar="METRICS_HOST", default="", help="else METRICS_HOST")
@click.option("--port", envvar="METRICS_PORT", type=int, required=True, help="else METRICS_PORT")
@click.option("--ready", is_flag=True, help="Also whether all have loaded their models.")
def worker(host: str, port: int, *, ready: bool) -> None:
    """Whether all worker processes answer: METRICS_PORT must be set."""
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(_read(host, port, "/metrics")):
        values[family.name] = [sample.value for sample in family.samples]
    up = values.get("facestream_worker_up", [])
    loaded = sum(seconds > 0 for seconds in values.get("facestream_model_load_seconds", []))
    if not up or not all(up):
        raise Unwell(f"{sum(map(int, up))} of {len(up)} workers answer")
    if ready and loaded < len(up):
        raise Unwell(f"{loaded} of {len(up)} workers have loaded their models")


def _read(host: str, port: int, path: str) -> str:
    """What it answers. Raises `Unwell` for anything but a 200."""
    asked = "127.0.0.1" if host in _ANY else host
    url = f"http://{f'[{asked}]' if ':' in asked else asked}:{port}{path}"
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            text: str = answer.read().decode()
            return text
    except HTTPError as error:
        error.close()
        raise Unwell(f"{url} answers {error.code}") from None
    except URLError as error:
        raise Unwell(f"{url}: {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise Unwell(f"{url}: {error}") from None
