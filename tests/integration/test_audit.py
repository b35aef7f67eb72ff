"""`.ci/audit`: what is known to be vulnerable fails the check, a service that is away does not."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).parents[2] / ".ci" / "audit"


@contextmanager
def vulnerabilities(package: str | None) -> Iterator[tuple[str, list[str]]]:
    """A service that knows one vulnerable package; its URL, and what it was asked about."""
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            name = json.loads(self.rfile.read(length))["package"]["name"]
            asked.append(name)
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": []}]
            known: dict[str, Any] = {"id": "TEST-1", "summary": "bad", "affected": affected}
            answer = json.dumps({"vulns": [known]} if name == package else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_SCRIPT],
        env=os.environ | {"OSV_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_vulnerable_dependency_fails_the_check_and_is_named() -> None:
    with vulnerabilities("orjson") as (url, _):
        done = audit(url)
    assert done.returncode != 0
    assert "orjson" in done.stdout
    assert "TEST-1" in done.stdout


def test_everything_that_a_user_installs_is_asked_about() -> None:
    with vulnerabilities(None) as (url, asked):
        done = audit(url)
    assert done.returncode == 0, done.stderr
    assert {"aiohttp", "confluent-kafka", "tensorflow-cpu", "pyarrow", "yarl"} <= set(asked)


def test_where_the_service_is_away_the_check_says_so_and_goes_on() -> None:
    with vulnerabilities(None) as (url, _):
        pass
    done = audit(url)
    assert done.returncode == 0
    assert "not audited" in done.stdout
