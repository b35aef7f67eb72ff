"""What the README shows of the HTTP API: its commands as they stand there, on a real `up`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tests.e2e.shell import run
from tests.running_up import RunningUp

_README = Path(__file__).parents[2] / "README.md"
_SHOWN_URL = "http://localhost:8000"
#: stands for the rest of a list
_REST = "…"
#: texts that are the same for every photograph, machine and moment
_FIXED_TEXTS = frozenset({"status", "model", "version", "state", "message", "error", "code"})
#: numbers of the moment, and of how partitions were dealt
_CHANGING = frozenset({"last_heard_s", "uptime_s", "partitions"})
#: processors and libraries round differently
_ABOUT_REL, _ABOUT_ABS = 0.03, 0.02

Json = dict[str, "Json"] | list["Json"] | str | float | bool | None


def examples() -> tuple[str, list[tuple[str, str]]]:
    """The block that sets the variables, and each command with the answer below it."""
    section = re.search(r"(?ms)^## As an HTTP caller\n(.*?)^## ", _README.read_text())
    assert section is not None
    blocks = re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", section[1])
    languages = [language for language, _ in blocks]
    assert languages == ["sh", *["sh", "json"] * (len(blocks) // 2)], "an answer to each command"
    texts = [text for _, text in blocks]
    return texts[0], list(zip(texts[1::2], texts[2::2], strict=True))


@pytest.fixture
def photographs(tmp_path: Path, shared: Path) -> Path:
    """A folder with what the README calls `photo.jpg` and `other.jpg`: one person, twice."""
    for name, photograph in (("photo.jpg", "img1.jpg"), ("other.jpg", "img2.jpg")):
        shutil.copy(shared / "faces" / "photos" / photograph, tmp_path / name)
    return tmp_path


@pytest.mark.timeout(240)
def test_every_command_is_answered_as_shown(up: RunningUp, photographs: Path) -> None:
    missing = [tool for tool in ("curl", "jq", "base64") if shutil.which(tool) is None]
    if missing:
        skip_or_fail(f"the README's commands need {', '.join(missing)}")
    variables, commands = examples()
    routes = set()
    for command, shown in commands:
        script = (variables + command).replace(_SHOWN_URL, up.url)
        answer = json.loads(run(script, photographs, up.key))
        expected = json.loads(shown.replace(_REST, f'"{_REST}"'))
        assert list(differences(expected, answer)) == [], command
        routes |= set(re.findall(r"\$api/([a-z-]+)", command))
    assert routes == {
        "health",
        "verify-face",
        "extract-embedding",
        "compare-faces",
        "batch-extract",
        "analyze-face-advanced",
    }


def differences(
    shown: Json, answer: Json, where: str = "$", *, like: bool = False
) -> Iterator[str]:
    """Where an answer is not the shown one: keys and their order, lengths of lists, types, numbers,
    and the texts that are always the same. `like`: numbers may differ.
    """
    if isinstance(shown, dict) and isinstance(answer, dict):
        if list(shown) != list(answer):
            yield f"{where}: {list(answer)} for {list(shown)}"
            return
        for name, value in shown.items():
            others = like or name in _CHANGING
            yield from differences(value, answer[name], f"{where}.{name}", like=others)
            if name in _FIXED_TEXTS and isinstance(value, str) and value != answer[name]:
                yield f"{where}.{name}: {answer[name]!r} for {value!r}"
    elif isinstance(shown, list) and isinstance(answer, list):
        yield from _list_differences(shown, answer, where, like=like)
    elif _kind(shown) is not _kind(answer) or not (like or _about(shown, answer)):
        yield f"{where}: {answer!r} for {shown!r}"


def _list_differences(
    shown: list[Json], answer: list[Json], where: str, *, like: bool
) -> Iterator[str]:
    """What `…` stands for has the shape of the last element that is shown."""
    open_ended = shown[-1:] == [_REST]
    elements = shown[:-1] if open_ended else shown
    if len(answer) < len(elements) if open_ended else len(answer) != len(elements):
        yield f"{where}: {len(answer)} elements"
        return
    for position, element in enumerate(answer):
        rest = position >= len(elements)
        yield from differences(
            elements[-1 if rest else position], element, f"{where}[{position}]", like=like or rest
        )


def _about(shown: Json, answer: Json) -> bool:
    """Whether numbers are the same but for their rounding; of anything else it says nothing."""
    if _kind(shown) is not float:
        return True
    return bool(answer == pytest.approx(shown, rel=_ABOUT_REL, abs=_ABOUT_ABS))


def _kind(value: Json) -> type:
    """JSON knows one kind of number, and a truth value is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float if is_number else type(value)


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": None}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.1}),
        ([1, "…"], [2, 3]),
        ({"code": "no_face"}, {"code": "not_an_image"}),
        ([1, 2], [1, 2, 3]),
        ([1, "…"], []),
        ([1, "…"], [1, 2, "3"]),
    ],
)
def test_another_answer_is_seen(shown: Json, answer: Json) -> None:
    assert list(differences(shown, answer))


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        ({"a": 1, "id": "x"}, {"a": 1.01, "id": "y"}),
        ({"uptime_s": 1}, {"uptime_s": 2.5}),
        ({"partitions": {"a": [1, "…"]}}, {"partitions": {"a": [3, 4]}}),
        ([1, "…"], [1, 4, 5]),
        ([[1, 2], "…"], [[1, 2], [3, 4]]),
    ],
)
def test_what_changes_from_run_to_run_may_differ(shown: Json, answer: Json) -> None:
    assert list(differences(shown, answer)) == []
