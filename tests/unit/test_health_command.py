"""`facestream health` says by its exit code what a container's health check is to know."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from stream.metrics import Load, Scraped, WorkerMetrics, merged


@contextmanager
def answering(answers: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """The port of a server that knows these paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield str(server.server_address[1])
        finally:
            server.shutdown()


def health(*words: str, **environ: str) -> Result:
    return CliRunner(env={"HOST": None, "METRICS_HOST": None, **environ}).invoke(
        cli, ["health", *words]
    )


def worker(*, loaded: bool) -> str:
    metrics = WorkerMetrics()
    if loaded:
        metrics.models_loaded(1.5)
    return metrics.exposed(Load()).decode()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", ""])
def test_an_edge_that_answers_is_well_and_is_ready_when_it_says_so(host: str) -> None:
    answers = {"/api/v1/health": (200, b"{}"), "/api/v1/ready": (503, b"{}")}
    with answering(answers) as port:
        assert health("edge", PORT=port, HOST=host).exit_code == 0
        unready = health("edge", "--ready", PORT=port, HOST=host)
        assert unready.exit_code == 1
        assert unready.output.strip().endswith("/api/v1/ready answers 503")
        answers["/api/v1/ready"] = (200, b"{}")
        assert health("edge", "--ready", PORT=port, HOST=host).exit_code == 0


@pytest.mark.parametrize("what", ["edge", "worker"])
def test_who_does_not_listen_is_not_well(what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = health(what, "--port", str(port))
    assert found.exit_code == 1
    assert "Connection refused" in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("workers", "well", "ready"),
    [
        ((), False, False),
        ((True,), True, True),
        ((True, True), True, True),
        ((True, None), False, False),
        ((True, False), True, False),
    ],
    ids=["none yet", "one", "two", "one is dead", "one loads its models still"],
)
def test_workers_are_well_when_all_answer_and_ready_when_all_have_models(
    workers: tuple[bool | None, ...], *, well: bool, ready: bool
) -> None:
    text = merged(
        Scraped(f"w-{n}", 1, None if loaded is None else worker(loaded=loaded))
        for n, loaded in enumerate(workers)
    )
    with answering({"/metrics": (200, text)}) as port:
        assert (health("worker", METRICS_PORT=port).exit_code == 0) is well
        assert (health("worker", "--ready", METRICS_PORT=port).exit_code == 0) is ready


def test_workers_without_a_port_for_metrics_cannot_be_asked() -> None:
    assert health("worker").exit_code == 2


def test_it_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from cli.main import cli\n"
        "cli(['health', 'worker', '--port', '1'], standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Unwell" in done.stderr
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"numpy", "cv2", "faust", "aiohttp", "pydantic", "confluent_kafka"}
