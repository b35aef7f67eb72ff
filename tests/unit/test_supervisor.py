"""Workers are started, started again when they die or hang, and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stream import supervisor as supervising
from stream.scraping import MetricsPortTaken
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor, WorkersFailed

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "_CHECK_S", 0.02)
    monkeypatch.setattr(supervising, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(supervising, "_LONGEST_PAUSE_S", 0.08)


class Stage:
    """Supervisors of stand-ins, and the stand-ins' diary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "diary"

    def supervisor(
        self, behave: str = "well", workers: int = 1, timeout_s: float = 30, embedded: bool = True
    ) -> Supervisor:
        settings = WorkerSettings(
            max_workers=workers,
            worker_timeout=timeout_s,
            kafka_embedded=embedded,
            blob_store_url=(self._folder / "blobs").as_uri(),
        )
        return Supervisor(settings, worker=self.worker(behave))

    def worker(self, behave: str) -> list[str]:
        return ["tests.stand_in_worker", "--diary", str(self.path), "--behave", behave]

    def count(self, what: str) -> int:
        return len(re.findall(f" {what}\\b", self.path.read_text())) if self.path.exists() else 0

    def alive(self) -> list[int]:
        """Stand-ins that run now, whoever started them."""
        diary = str(self.path)
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if diary in (process.info["cmdline"] or ())
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - another process has no event to wait for
                await asyncio.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def _pauses(caplog: pytest.LogCaptureFixture) -> list[object]:
    """Seconds before each new start, as the log tells them."""
    records = [r for r in caplog.records if "started again in" in r.getMessage()]
    return [record.args[-1] for record in records if isinstance(record.args, tuple)]


async def test_all_are_started_and_at_work_when_it_is_ready_and_stopped_at_the_end(
    stage: Stage,
) -> None:
    async with stage.supervisor(workers=2) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
        assert len(set(supervisor.pids)) == 2
        assert stage.count("started") == 2
        titles = [" ".join(psutil.Process(pid).cmdline()) for pid in supervisor.pids]
        for number, title in enumerate(titles):
            assert re.match(rf"tests\.stand_in_worker .*--id \S+-{number} ", title), title
        assert stage.count("terminated") == 0
    assert stage.count("terminated") == 2
    assert stage.count("started") == 2
    assert supervisor.pids == []
    assert len({line.split()[0] for line in stage.path.read_text().splitlines()}) == 2


async def test_a_worker_without_an_assignment_is_not_at_work_yet(stage: Stage) -> None:
    async with stage.supervisor("idle") as supervisor:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(supervisor.ready(), 0.3)
        assert stage.count("started") == 1


@pytest.mark.parametrize("embedded", [True, False])
async def test_an_instance_id_is_stable_and_given_on_kafka_alone(
    stage: Stage, embedded: bool
) -> None:
    seen = []
    async with stage.supervisor(embedded=embedded) as supervisor:
        for _ in range(2):
            await stage.until(lambda: len(supervisor.pids) == 1 and supervisor.pids[0] not in seen)
            await asyncio.wait_for(supervisor.ready(), 10)
            [pid] = supervisor.pids
            seen.append(pid)
            worker_id, _, *stable = stage.path.read_text().splitlines()[-1].split()
            assert stable == ([] if embedded else ["as", worker_id])
            os.kill(pid, signal.SIGKILL)
    assert len({line.split()[0] for line in stage.path.read_text().splitlines()}) == 1


@pytest.mark.parametrize("affinity", ["auto", "off"])
async def test_each_of_as_many_as_there_are_processors_has_one_of_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, affinity: str
) -> None:
    monkeypatch.setattr(supervising, "usable_processors", lambda: (4, 7))
    monkeypatch.setenv("CPU_AFFINITY", affinity)
    async with stage.supervisor(workers=2) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
    kept = sorted(re.findall(r"(\d) keeps to (.*)", stage.path.read_text()))
    assert kept == ([("0", "4"), ("1", "7")] if affinity == "auto" else [])


async def test_one_that_dies_again_and_again_is_started_after_pauses_that_grow(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor("7") as supervisor:
        with pytest.raises(WorkersFailed, match="does not start: exit code 7"):
            await asyncio.wait_for(supervisor.ready(), 10)
        await stage.until(lambda: stage.count("started") >= 6)
    assert "exit code 7; started again in" in caplog.text
    assert _pauses(caplog)[:5] == [0.02, 0.04, 0.08, 0.08, 0.08]


async def test_one_that_lived_well_is_started_again_after_the_first_pause(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_HEALTHY_S", 0.0)
    async with stage.supervisor("7"):
        await stage.until(lambda: stage.count("started") >= 4)
    assert set(_pauses(caplog)) == {0.02}


async def test_one_that_is_killed_comes_back_and_its_neighbour_is_left_alone(stage: Stage) -> None:
    async with stage.supervisor(workers=2) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
        first, second = supervisor.pids
        os.kill(first, signal.SIGKILL)
        await stage.until(lambda: stage.count("started") == 3)
        await asyncio.wait_for(supervisor.ready(), 10)
        assert first not in supervisor.pids
        assert second in supervisor.pids


async def test_deaths_of_workers_that_were_at_work_are_no_bad_start(stage: Stage) -> None:
    async with stage.supervisor("3,7,well") as supervisor:
        await stage.until(lambda: stage.count("started") == 3)
        for started in (4, 5, 6):
            await stage.until(lambda: bool(supervisor.pids))
            await asyncio.wait_for(supervisor.ready(), 10)
            os.kill(supervisor.pids[0], signal.SIGKILL)
            await stage.until(lambda at_least=started: stage.count("started") == at_least)  # type: ignore[misc]  # a default binds the loop's variable
        await asyncio.wait_for(supervisor.ready(), 10)


async def test_a_silent_one_is_killed_and_started_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor("silent,well", timeout_s=0.4) as supervisor:
        await stage.until(lambda: stage.count("started") == 2)
        await asyncio.wait_for(supervisor.ready(), 10)
    assert stage.count("terminated") == 1, "the silent one was killed, the other one told to stop"
    assert "is killed: silent for" in caplog.text


async def test_one_that_hangs_in_a_step_is_killed_and_its_successor_is_not_blamed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor("hangs,slow", timeout_s=5) as supervisor:
        await stage.until(lambda: stage.count("started") == 2)
        [pid] = supervisor.pids
        await asyncio.wait_for(supervisor.ready(), 10)
        assert supervisor.pids == [pid]
    assert stage.count("started") == 2
    assert caplog.text.count("one step of a computation takes") == 1


async def test_what_else_a_worker_writes_is_no_beat_and_does_no_harm(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with stage.supervisor("chatty", timeout_s=0.5) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
        [pid] = supervisor.pids
        await asyncio.sleep(0.7)
        assert supervisor.pids == [pid]
    assert "wrote: words of a library" in caplog.text


async def test_without_models_it_fails_at_once(stage: Stage) -> None:
    async with stage.supervisor("3", workers=2) as supervisor:
        with pytest.raises(WorkersFailed, match="models"):
            await asyncio.wait_for(supervisor.ready(), 10)
        assert stage.count("started") <= 4


async def test_its_last_words_are_the_reason_that_is_given(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor("damaged,well") as supervisor:
        with pytest.raises(WorkersFailed, match=r"exit code 3: a\.onnx is damaged"):
            await asyncio.wait_for(supervisor.ready(), 10)
        await stage.until(lambda: stage.count("started") == 2)
    assert "a.onnx is damaged; started again in" in caplog.text


async def test_one_that_does_not_stop_in_time_is_killed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor("stubborn", timeout_s=1) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
        [pid] = supervisor.pids
    assert "does not stop in time" in caplog.text
    assert not psutil.pid_exists(pid)
    assert stage.count("started") == 1


async def test_a_stop_between_two_starts_starts_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_FIRST_PAUSE_S", 60.0)
    async with stage.supervisor("7") as supervisor:
        await stage.until(lambda: stage.count("started") == 1 and not supervisor.pids)
    assert stage.count("started") == 1


async def test_a_stop_at_any_moment_of_a_start_leaves_nobody_behind(stage: Stage) -> None:
    for turns in range(12):
        supervisor = stage.supervisor(workers=2)
        async with supervisor:
            for _ in range(turns):
                await asyncio.sleep(0.001)
        assert supervisor.pids == []
    assert stage.alive() == []


async def test_workers_end_when_their_supervisor_is_killed(stage: Stage, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from stream.settings import WorkerSettings\n"
        "from stream.supervisor import Supervisor\n"
        "async def main():\n"
        "    settings = WorkerSettings(max_workers=2, blob_store_url=sys.argv[1])\n"
        "    async with Supervisor(settings, worker=sys.argv[2:]) as supervisor:\n"
        "        await supervisor.ready()\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    blobs = (tmp_path / "blobs").as_uri()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        blobs,
        *stage.worker("well"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    process.kill()
    await process.wait()
    killed_at = time.monotonic()
    await stage.until(lambda: stage.count("orphaned") == 2)
    assert time.monotonic() - killed_at < 2
    assert stage.count("terminated") == 0
    await stage.until(lambda: stage.alive() == [])


def _fork_server(stage: Stage, supervisor: Supervisor) -> psutil.Process:
    [server] = {pid for pid in stage.alive() if pid not in supervisor.pids}
    return psutil.Process(server)


async def test_workers_are_forked_anew_when_the_server_that_forks_them_was_killed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.supervisor(workers=2) as supervisor:
        await asyncio.wait_for(supervisor.ready(), 10)
        before = supervisor.pids
        _fork_server(stage, supervisor).kill()
        await stage.until(lambda: stage.count("started") == 4)
        await asyncio.wait_for(supervisor.ready(), 10)
        assert len(supervisor.pids) == 2
        assert not set(before) & set(stage.alive())
    assert stage.count("terminated") == 2
    assert caplog.text.count("what workers are forked from has died") == 1
    assert "died over" not in caplog.text, "an event was blamed"
    assert stage.alive() == []


async def test_a_worker_that_cannot_be_imported_is_a_bad_start(stage: Stage) -> None:
    settings = WorkerSettings(blob_store_url=stage.path.with_name("blobs").as_uri())
    async with Supervisor(settings, worker=["tests.nowhere"]) as supervisor:
        with pytest.raises(WorkersFailed, match="does not start: exit code 1"):
            await asyncio.wait_for(supervisor.ready(), 20)
        assert supervisor.pids == []


async def test_a_server_that_hangs_in_its_imports_is_killed(stage: Stage, tmp_path: Path) -> None:
    imported = tmp_path / "imported"
    (tmp_path / "endless.py").write_text(
        f"import time\nwith open({str(imported)!r}, 'a') as file: print(file=file)\ntime.sleep(60)"
    )
    settings = WorkerSettings(blob_store_url=(tmp_path / "blobs").as_uri(), worker_timeout=2)
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    async with Supervisor(settings, environ, worker=["endless"]):
        await stage.until(lambda: imported.exists() and imported.read_text() == "\n\n")


async def test_what_a_worker_raises_is_told_and_its_exit_code_is_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raising.py").write_text("def main():\n    raise LookupError('no such thing')")
    settings = WorkerSettings(blob_store_url=(tmp_path / "blobs").as_uri())
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    async with Supervisor(settings, environ, worker=["raising"]) as supervisor:
        with pytest.raises(WorkersFailed, match="exit code 1"):
            await asyncio.wait_for(supervisor.ready(), 10)
    assert "LookupError: no such thing" in capfd.readouterr().err


async def test_what_cannot_begin_leaves_nothing_behind(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = WorkerSettings(metrics_host="127.0.0.1", metrics_port=taken.getsockname()[1])
        with pytest.raises(MetricsPortTaken):
            await Supervisor(settings, worker=stage.worker("well")).__aenter__()
    assert stage.alive() == []
