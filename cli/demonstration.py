"""What `facestream demo` does, from the broker's start to the pictures."""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.drawing import annotate, footer
from cli.failures import Failure
from cli.following import Follower
from cli.photographs import Photograph, find
from cli.publishing import NoResults, Order, PublishSettings, publish_and_follow
from cli.tables import SYNTHETIC, SYNTHETIC_NOTICE, Row, rows
from cli.watching import progress
from schemas.results import Result
from stream.decoding import decode
from stream.embedded import EmbeddedBroker
from stream.io.kafka import KafkaSettings
from stream.models import emotions
from stream.models.download import PackUnavailable
from stream.models.packs import ensure
from stream.models.settings import ModelSettings
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor, WorkersFailed

DEFAULT_PACK = "buffalo_s"  # less than half the download of buffalo_l
#: photographs that come with what is installed anyway: the package and the file in it
PHOTOGRAPHS = (
    ("insightface", "data/images/t1.jpg"),
    ("insightface", "data/images/Tom_Hanks_54745.png"),
    ("skimage", "data/astronaut.png"),
)
_RESULT_TIMEOUT_S = 60.0
_MOST_OUTSTANDING = 16
_MOST_FACES_SHOWN = 20
_LOG_LINES_SHOWN = 20
_UNCUT_WIDTH = 160
_COLUMNS = ("conf.", "age", "gender", "emotion", "ms")


def run(out: Path, workers: int, environ: Mapping[str, str]) -> int:
    """Show the demo; returns how many photographs have no good result.

    Raises `Failure` when the workers do not start or do not answer, `EmbeddedBrokerFailed`,
    `OSError`.
    """
    began_at = time.monotonic()
    console = Console(highlight=False)
    paths = photographs()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facestream-")))
        changes = {"MAX_WORKERS": str(workers), "BLOB_STORE_URL": str(scratch / "blobs")}
        changes |= _models(console, environ)
        broker = stack.enter_context(EmbeddedBroker())  # its log says what it is
        changes |= {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "KAFKA_EMBEDDED": "true"}
        results = asyncio.run(_results(paths, environ, changes, scratch / "workers.log", console))
    # Where nobody reads along, a line is as long as it is.
    console.print(_table(paths, results), width=None if console.is_terminal else _UNCUT_WIDTH)
    for path in paths:
        if path.name in results:
            _draw(path, results[path.name], out)
    console.print(
        f"{len(results)} of {len(paths)} results, the annotated pictures in {out}/, "
        f"{time.monotonic() - began_at:.1f} s in all"
    )
    good = [result for result in results.values() if result.status != "failed"]
    return len(paths) - len(good)


def photographs() -> list[Path]:
    """Files of installed packages; the packages are not imported."""
    paths = []
    for package, name in PHOTOGRAPHS:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        paths.append(Path(found.origin).parent / name)
    return paths


def _models(console: Console, environ: Mapping[str, str]) -> dict[str, str]:
    """What the workers are told of models: those that can be had."""
    pack = environ.get("MODEL_PACK") or DEFAULT_PACK
    settings = ModelSettings(model_pack=pack)
    told = {"MODEL_PACK": pack}
    try:
        ensure(settings)
    except PackUnavailable as error:
        console.print(str(error), style="yellow")
        told["MODEL_PACK"] = SYNTHETIC
        ensure(settings.model_copy(update={"model_pack": SYNTHETIC}))
    if told["MODEL_PACK"] == SYNTHETIC:
        console.print(SYNTHETIC_NOTICE, style="bold magenta")
    elif settings.emotion_engine != "off":
        try:
            emotions.ensure(settings.emotion_engine, settings.deepface_home)
        except PackUnavailable as error:
            console.print(f"{error} The demo leaves emotions out.", style="yellow")
            told["EMOTION_ENGINE"] = "off"
    return told


async def _results(
    paths: list[Path],
    environ: Mapping[str, str],
    changes: dict[str, str],
    log: Path,
    console: Console,
) -> dict[str, Result]:
    """By the photographs' names."""
    # What the environment says of another cluster is not meant for this broker.
    kafka: dict[str, Any] = {
        name: field.get_default() for name, field in KafkaSettings.model_fields.items()
    }
    given = kafka | {name.lower(): value for name, value in changes.items()}
    inherited = {name: value for name, value in environ.items() if name.lower() not in kafka}
    settings = PublishSettings(**given)
    order = Order("analyze")
    with (
        log.open("wb") as log_file,
        Follower(settings, settings.topics.result(order.operation)) as follower,
    ):
        supervisor = Supervisor(WorkerSettings(**given), inherited | changes, log=log_file)
        try:
            async with supervisor:
                with console.status(f"{changes['MAX_WORKERS']} workers load their models"):
                    await supervisor.ready()
                console.print(f"{changes['MAX_WORKERS']} workers are at work", style="dim")
                with Collected(len(paths), console) as collected:
                    await publish_and_follow(
                        settings,
                        order,
                        find(str(path) for path in paths),
                        collected,
                        follower,
                        most_outstanding=_MOST_OUTSTANDING,
                        timeout_s=_RESULT_TIMEOUT_S,
                        to_the_end=True,
                    )
                return collected.results
        except (WorkersFailed, NoResults) as error:
            raise Failure(f"{error}. The workers' log ends with:\n{_tail(log)}") from None


class Collected:
    """Keeps the results and shows a bar while they come."""

    def __init__(self, total: int, console: Console) -> None:
        self.results: dict[str, Result] = {}
        self._total = total
        self._bar = progress(console)

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("results", total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def published(self, photograph: Photograph) -> None:
        """Nothing to show: its result will be."""

    def refused(self, photograph: Photograph, reason: str) -> None:
        raise Failure(f"{photograph.name}: {reason}")

    def settled(self, name: str, result: Result) -> None:
        self.results[name] = result
        self._bar.advance(self._task)


def _table(paths: list[Path], results: Mapping[str, Result]) -> Table:
    """A line for each face, the image's own cells in the first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("image", no_wrap=True)
    table.add_column("faces", justify="right")
    for title in _COLUMNS:
        justify = "left" if title in ("gender", "emotion") else "right"
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # one of two literals
    table.add_column("", overflow="fold")
    for path in paths:
        if path.name in results:
            for row in rows(path.name, results[path.name], _MOST_FACES_SHOWN):
                table.add_row(*_cells(row))
        else:
            table.add_row(path.name, "", *("" for _ in _COLUMNS), "no result")
    return table


def _cells(row: Row) -> list[Text]:
    said = row.error or ("no face found" if row.status == "no_face" else "")
    note = Text(f"{SYNTHETIC} ", "magenta") if row.note else Text()  # above the table, in full
    cells = [row.cells.get(title, "") for title in ("faces", *_COLUMNS)]
    return [*map(Text, (row.name, *cells)), note + said]


def _draw(path: Path, result: Result, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    image = decode(path.read_bytes(), WorkerSettings.model_fields["max_image_pixels"].default)
    picture = annotate(image, result, footer(path.name, result))
    if not cv2.imwrite(str(out / path.name), picture):
        raise OSError(f"{out / path.name} could not be written")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:])
