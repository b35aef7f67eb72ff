"""Results as aligned lines: one for each as it comes, however many there will be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console
from rich.text import Text

from schemas.results import Face, Result

SYNTHETIC = "synthetic"
SYNTHETIC_NOTICE = "synthetic pack: the stream is real, the faces are not"

_STYLES = {"ok": "green", "no_face": "yellow", "failed": "red", "unsent": "red"}
_LEAST_NAME = 16
#: where nobody reads along, nothing is cut: the columns only begin alike
_UNCUT_NAME = 40
#: heading and width of what stands right of the image's name; numbers to the right
_COLUMNS = (
    ("status", 7),
    ("faces", 5),
    ("conf.", 5),
    ("age", 3),
    ("gender", 6),
    ("emotion", 8),
    ("ms", 7),
)
_RIGHT = frozenset({"faces", "conf.", "age", "ms"})
_GAP = "  "
_REST = sum(width + len(_GAP) for _, width in _COLUMNS)


@dataclass(frozen=True, slots=True)
class Row:
    """A line: the cells by their headings; `note` stands behind them, an error in their place."""

    name: str
    status: str
    cells: dict[str, str]
    error: str | None = None
    note: str | None = None


def rows(name: str, result: Result, most_faces: int = 1) -> Iterator[Row]:
    """The lines of a result: the first with the image's own cells, one for each further face."""
    note = SYNTHETIC_NOTICE if result.model and result.model.pack == SYNTHETIC else None
    shown = result.faces[:most_faces]
    own = {"faces": str(len(result.faces)), "ms": f"{milliseconds(result):.1f}"}
    if result.error is not None:
        message = f"{result.error.code}: {result.error.message}"
        yield Row(name, result.status, {}, error=message, note=note)
        return
    first = _face_cells(shown[0]) if shown else {}
    yield Row(name, result.status, own | first, note=note)
    for face in shown[1:]:
        yield Row("", "", _face_cells(face), note=note)


def unsent(name: str, reason: str) -> Row:
    """The line of a photograph that was not published."""
    return Row(name, "unsent", {}, error=reason)


def milliseconds(result: Result) -> float:
    """What the worker spent on it, waiting in the queue left out."""
    return sum(ms for stage, ms in result.timings_ms.items() if stage != "queue")


class Lines:
    """Prints rows below a heading, as wide as the console is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cut = console.is_terminal
        wide = console.width - _REST
        self._name_width = max(_LEAST_NAME, min(wide, 60)) if self._cut else _UNCUT_NAME
        self._begun = False

    def show(self, row: Row) -> None:
        if not self._begun:
            self._begun = True
            heading = {title: title for title, _ in _COLUMNS}
            self._print(Text(self._line("image", heading), style="bold"))
        line = Text(self._name(row.name))
        if row.error is not None:
            line.append(_GAP + set_cell_size(row.status, _COLUMNS[0][1]), _STYLES[row.status])
            line.append(_GAP + row.error)
        else:
            rest = self._line("", row.cells | {"status": row.status})[self._name_width :]
            status = len(_GAP) + _COLUMNS[0][1]
            line.append(rest[:status], _STYLES.get(row.status, ""))
            line.append(rest[status:])
        if row.note is not None:
            line.append(_GAP + row.note, "magenta")
        self._print(line)

    def _line(self, name: str, cells: dict[str, str]) -> str:
        parts = [self._name(name)]
        for title, width in _COLUMNS:
            cell = cells.get(title, "")
            parts.append(cell.rjust(width) if title in _RIGHT else cell.ljust(width))
        return _GAP.join(parts)

    def _name(self, name: str) -> str:
        """Padded; where it is too long its end is kept, for there the files differ."""
        width = self._name_width
        if cell_len(name) <= width or not self._cut:
            return name + " " * (width - cell_len(name))
        kept = chop_cells(name[::-1], width - 1)[0][::-1]
        return set_cell_size(f"…{kept}", width)

    def _print(self, line: Text) -> None:
        if not self._cut:
            line.rstrip()
        # A line that is longer than the terminal is wide goes on in the next, whole.
        self._console.print(line, soft_wrap=True)


def _face_cells(face: Face) -> dict[str, str]:
    cells = {"conf.": f"{face.confidence:.2f}"}
    analysis = face.analysis
    if analysis is None:
        return cells
    if analysis.age is not None:
        cells["age"] = str(analysis.age)
    if analysis.gender is not None:
        cells["gender"] = analysis.gender
    if analysis.expression is not None:
        cells["emotion"] = analysis.expression.dominant
    return cells
