"""One side over another: of rates of the same round, so that a slow round leaves it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.batches import percentile
from benchmarks.cells import Cell, SideName
from benchmarks.comparison import Measured, Round
from benchmarks.spread import Spread, spread
from schemas.topics import Operation


@dataclass(frozen=True, slots=True)
class OperationRatios:
    """Of images a second, of one operation on one set. None where a side was left out."""

    photographs: str
    operation: Operation
    #: all at once on both sides
    stream_to_loop: Spread | None
    #: the stream with all at once, over the afternoon at whatever number of callers it did best
    stream_to_afternoon: Spread | None
    most_callers: int | None
    #: both with the most callers
    edge_to_stream: Spread | None
    #: the edge with the most callers, over the stream with all at once
    edge_to_whole_stream: Spread | None
    #: milliseconds of the median image: one caller at the edge, one process of the loop
    edge_p50_ms: float | None
    direct_p50_ms: float | None
    edge_to_direct_p50: float | None


def ratios_of(rounds: Sequence[Round]) -> Iterator[OperationRatios]:
    """In the order in which they were measured."""
    pairs = dict.fromkeys((cell.photographs, cell.operation) for one in rounds for cell in one)
    for photographs, operation in pairs:
        yield _ratios(rounds, photographs, operation)


def _ratios(rounds: Sequence[Round], photographs: str, operation: Operation) -> OperationRatios:
    def cell(side: SideName, callers: int | None) -> Cell:
        return Cell(photographs, operation, side, callers)

    def callers_of(side: SideName) -> list[int]:
        ours = (cell(side, one.callers) for one in rounds[0] if one.side == side)
        return sorted({one.callers for one in ours if one.callers is not None})

    loop, stream = cell("loop", None), cell("stream", None)
    most = max(callers_of("edge"), default=None)
    edge = cell("edge", most)
    afternoons = [cell("afternoon", callers) for callers in callers_of("afternoon")]
    best = max(afternoons, key=lambda one: _middle_rate(rounds, one), default=None)
    edge_ms, direct_ms = _p50_ms(rounds, cell("edge", 1)), _p50_ms(rounds, cell("loop", 1))
    return OperationRatios(
        photographs=photographs,
        operation=operation,
        stream_to_loop=_over(rounds, stream, loop),
        stream_to_afternoon=None if best is None else _over(rounds, stream, best),
        most_callers=most,
        edge_to_stream=None if most is None else _over(rounds, edge, cell("stream", most)),
        edge_to_whole_stream=None if most is None else _over(rounds, edge, stream),
        edge_p50_ms=edge_ms,
        direct_p50_ms=direct_ms,
        edge_to_direct_p50=edge_ms / direct_ms if edge_ms and direct_ms else None,
    )


def _rate(one: Round, cell: Cell) -> float | None:
    measured = one.get(cell)
    return None if measured is None else measured.run.images_per_s


def _middle_rate(rounds: Sequence[Round], cell: Cell) -> float:
    """Of the rounds that have it; one at least."""
    return median(rate for one in rounds if (rate := _rate(one, cell)) is not None)


def _over(rounds: Sequence[Round], upper: Cell, lower: Cell) -> Spread | None:
    """Of the rounds that have both."""
    return _spread(rounds, lambda one: _quotient(_rate(one, upper), _rate(one, lower)))


def _quotient(upper: float | None, lower: float | None) -> float | None:
    return None if upper is None or lower is None else upper / lower


def _spread(rounds: Sequence[Round], value: Callable[[Round], float | None]) -> Spread | None:
    values = [found for one in rounds if (found := value(one)) is not None]
    return spread(values) if values else None


def _p50_ms(rounds: Sequence[Round], cell: Cell) -> float | None:
    measured: list[Measured] = [one[cell] for one in rounds if cell in one]
    waits_ms = [wait for one in measured for wait in one.run.waits_ms]
    return percentile(waits_ms, 50) if waits_ms else None
