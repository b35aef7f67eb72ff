"""A fork server may be started before it is known what its workers shall be told."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from stream.forked import ForkedWorkers, ForkServerProcess


async def test_a_worker_is_told_what_the_environment_became_since_the_server_started(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "telling.py").write_text(
        "import os\ndef main():\n    raise LookupError(os.environ['BEFORE'] + os.environ['AFTER'])"
    )
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "BEFORE": "1, ", "AFTER": "2"}
    with closing(ForkServerProcess(environ, worker=["telling"])) as server:
        workers = ForkedWorkers(["telling"], environ | {"AFTER": "3"}, None, server)
        process = await workers.fork([], 10)
        assert await process.wait() == 1
        process.close()
        await workers.close()
        assert server.process.returncode == 0
    assert "LookupError: 1, 3" in capfd.readouterr().err


def test_a_server_that_is_not_needed_after_all_is_ended(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time; time.sleep(60)")
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    with closing(ForkServerProcess(environ, worker=["endless"])) as server:
        assert server.process.poll() is None
    assert server.process.returncode == -signal.SIGKILL
