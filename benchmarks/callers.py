"""Callers: each asks, waits for its answer, and asks again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """Answers and what was waited for each, in milliseconds, in the order of the paths."""

    elapsed_s: float
    answers: tuple[T, ...]
    waits_ms: tuple[float, ...]


async def ask_all(
    paths: Sequence[Path], callers: int, ask: Callable[[Path], Awaitable[T]]
) -> Answered[T]:
    """Ask for each path, with as many requests under way as there are callers, until the end."""
    answers: dict[int, T] = {}
    waits_ms = [0.0] * len(paths)
    following = iter(range(len(paths)))

    async def call() -> None:
        for number in following:
            asked_at = time.perf_counter()
            answers[number] = await ask(paths[number])
            waits_ms[number] = (time.perf_counter() - asked_at) * 1000

    began_at = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return Answered(
        elapsed_s=time.perf_counter() - began_at,
        answers=tuple(answers[number] for number in range(len(paths))),
        waits_ms=tuple(waits_ms),
    )
