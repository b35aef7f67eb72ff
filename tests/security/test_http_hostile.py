"""Hostile bytes against a running edge: each is refused once, quickly, in the contract's words.

Nothing of them, no key, no path and no traceback is in any answer or line of its log, with `DEBUG`
as without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import http_edge
from tests.brokers import on_embedded
from tests.fake_worker import FakeWorker
from tests.raw_http import Exchange, exchange
from tests.running_edge import RunningEdge, running_edge
from tests.security.hostile_http import HARMLESS, HOSTILE, KEY, MARK, SLOW, Hostile

_LIMITS = {"UPLOAD_TIMEOUT_S": "1.5", "MAX_IMAGE_BYTES": "100000", "MAX_BODY_BYTES": "100000"}
#: a refusal that takes longer would let few callers hold up many
_QUICKLY_S = 5.0
_PAUSE_S = 0.1
_PROJECT = Path(http_edge.__file__).parents[1]


@dataclass
class Scene:
    """What came back for each case, and what the edge wrote."""

    folder: Path
    harmless: list[tuple[str, Exchange]] = field(default_factory=list)
    hostile: dict[str, Exchange] = field(default_factory=dict)
    slow: dict[str, Exchange] = field(default_factory=dict)
    log: str = ""


async def _play(folder: Path, debug: bool) -> Scene:
    scene = Scene(folder)
    with on_embedded(2) as broker:
        async with (
            FakeWorker(broker),
            running_edge(broker, folder, KEY, DEBUG=str(debug).lower(), **_LIMITS) as edge,
        ):
            await _play_harmless(scene, edge)
            for name, case in HOSTILE.items():
                scene.hostile[name] = await exchange(
                    edge.address, [case.data], until_closed=_closes(case), timeout_s=_QUICKLY_S
                )
            slow = await asyncio.gather(
                *(
                    exchange(edge.address, pieces, pause_s=_PAUSE_S, until_closed=False)
                    for pieces in SLOW.values()
                )
            )
            scene.slow = dict(zip(SLOW, slow, strict=True))
            await _play_harmless(scene, edge)
            scene.log = edge.log.read_text()
    return scene


async def _play_harmless(scene: Scene, edge: RunningEdge) -> None:
    for name, data in HARMLESS.items():
        scene.harmless.append((name, await exchange(edge.address, [data], until_closed=False)))


def _closes(case: Hostile) -> bool:
    return case.code == "not_http"


@pytest.fixture(scope="module", params=[False, True], ids=["", "DEBUG"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return asyncio.run(_play(tmp_path_factory.mktemp("edge"), request.param))


def test_what_is_no_harm_is_answered_before_and_after_all_of_it(scene: Scene) -> None:
    statuses = [(name, answer.status) for name, answer in scene.harmless]
    assert statuses == [(name, 200) for name in HARMLESS] * 2


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_once_and_in_the_contracts_words(scene: Scene, name: str) -> None:
    case, answer = HOSTILE[name], scene.hostile[name]
    assert answer.status in case.statuses
    assert answer.answers == 1, "a second answer is one to smuggled bytes"
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json) == ["face_detected", "error", "code", "request_id"]
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    if case.code != "*":
        assert answer.json["code"] == case.code
    if _closes(case):
        assert answer.closed


@pytest.mark.parametrize("name", SLOW)
def test_who_sends_a_byte_at_a_time_is_told_that_the_time_is_up(scene: Scene, name: str) -> None:
    answer = scene.slow[name]
    assert (answer.status, answer.json["code"]) == (408, "upload_timed_out")


def test_every_answer_is_a_line_of_the_log(scene: Scene) -> None:
    answers = [*scene.hostile.values(), *scene.slow.values()]
    for answer in answers:
        assert scene.log.count(answer.json["request_id"]) == 1


def _secrets(scene: Scene) -> Iterator[str]:
    yield from (KEY, MARK)
    yield from ("Traceback", 'File "', ".py", "Error(", "aiohttp")
    yield from (str(scene.folder), str(_PROJECT), "/blobs", "/etc/passwd")


def test_no_key_path_traceback_or_quotation_is_in_an_answer(scene: Scene) -> None:
    answers = [answer for _, answer in scene.harmless]
    answers += [*scene.hostile.values(), *scene.slow.values()]
    text = b"".join(answer.received for answer in answers).decode()
    assert [secret for secret in _secrets(scene) if secret in text] == []


def test_no_key_path_traceback_or_quotation_is_in_the_log(scene: Scene) -> None:
    assert scene.log.count('"status":200') == 2 * len(HARMLESS)
    assert [secret for secret in _secrets(scene) if secret in scene.log] == []
