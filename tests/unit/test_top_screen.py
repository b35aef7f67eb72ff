"""The screen of `top`: everything fits into 80 columns, and what is not known is –."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from cli.main import cli
from cli.top_figures import (
    Figures,
    LaneFigures,
    OperationFigures,
    RejectedFigures,
    StageFigures,
    WorkerFigures,
)
from cli.top_screen import ranges, screen
from cli.top_views import drawn, windows

WORKER = WorkerFigures(
    id="host-1a2b3c4d-0",
    host="host",
    state="running",
    message=None,
    pack="buffalo_l",
    partitions={"bulk": [0, 2, 4, 6], "interactive": [0, 1, 2, 3]},
    in_flight=16,
    settled=1042,
    settled_per_second=32.08,
    heard_s=1.2,
)
NOTHING = Figures(
    at="2026-02-03T04:05:06.789+00:00",
    broker="kafka:9092",
    topic_prefix="face.",
    consumer_group="facestream",
    trouble=None,
    window_s=0,
    workers=None,
    in_flight=None,
    images_per_second=None,
    lanes={"bulk": LaneFigures(), "interactive": LaneFigures()},
    operations={},
    stages={},
    rejected=RejectedFigures(),
)
FIGURES = replace(
    NOTHING,
    window_s=10,
    workers=[WORKER, replace(WORKER, id="host-1a2b3c4d-1", heard_s=47)],
    in_flight=16,
    images_per_second=64.12,
    lanes={"bulk": LaneFigures(12345, 10, 64), "interactive": LaneFigures(0, 0.25, 0.25)},
    operations={
        "detect": OperationFigures(0, {"ok": 0, "no_face": 0, "failed": 0}),
        "embed": OperationFigures(64.12, {"ok": 630, "no_face": 8, "failed": 3}),
        "analyze": OperationFigures(0, {"ok": 0, "no_face": 0, "failed": 0}),
    },
    stages={"queue": StageFigures(641, 4012.4, 8514), "detect": StageFigures(638, 8.123, 21.94)},
    rejected=RejectedFigures(12, {"image_not_found": 2, "damaged_image": 1}),
)
#: as large as anything may become
LARGEST = replace(
    FIGURES,
    broker=",".join(f"broker-{n}.kafka.example.com:9092" for n in range(5)),
    trouble="no broker answers at " + "a-long-name." * 20,
    workers=[
        replace(
            WORKER,
            id=f"facestream-worker-7d9c6b8f5d-x2x4z-{n}\x1b[2J",
            partitions={"bulk": list(range(0, 900, 2)), "interactive": list(range(0, 900, 3))},
            in_flight=10_000,
            settled=2_123_456_789,
            settled_per_second=12345.6,
            heard_s=299,
        )
        for n in range(40)
    ],
    images_per_second=123456.7,
    lanes={
        "bulk": LaneFigures(2_123_456_789, 99999, 123456),
        "interactive": LaneFigures(2_123_456_789, 99999, 123456),
    },
    operations={
        operation: OperationFigures(
            123456.7, {"ok": 9_999_999, "no_face": 9_999_999, "failed": 9_999_999}
        )
        for operation in ("detect", "embed", "analyze")
    },
    stages={
        stage: StageFigures(9_999_999, 600_000, 9_999_999)
        for stage in ("queue", "fetch", "decode", "detect", "embed", "analyze")
    },
    rejected=RejectedFigures(9_999_999, {f"reason_{'x' * 33}{n}": 9_999_999 for n in range(9)}),
)


def lines(figures: Figures, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, highlight=False)
    with console.capture() as captured:
        console.print(screen(figures, width, height, "q quits"))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_every_figure_has_its_place() -> None:
    shown = lines(FIGURES)
    assert shown[0].startswith("facestream top  kafka:9092  face.*  group facestream")
    assert shown[1] == (
        "64.1 images/s · 16 in flight · 2 workers · 12,345 behind, drained in 3 min 49 s"
    )
    text = "\n".join(shown)
    assert "host-1a2b3c4d-0 running  0-3          0,2,4,6" in text
    assert "bulk          12,345    10.0    64.0" in text
    assert "interactive        0     0.2     0.2" in text
    assert "embed       64.1     630       8       3" in text
    assert "queue          4,012   8,514     641" in text
    assert "detect          8.12    21.9     638" in text
    assert "image_not_found                        2" in text
    assert "12 on the topic" in text
    assert shown[-1] == "q quits"


@pytest.mark.parametrize("figures", [NOTHING, FIGURES, LARGEST], ids=["nothing", "usual", "most"])
@pytest.mark.parametrize("width", [40, 80, 81, 120, 200])
def test_no_line_is_wider_than_the_terminal(figures: Figures, width: int) -> None:
    assert max(cell_len(line) for line in lines(figures, width)) <= width


def test_at_80_columns_no_number_is_cut() -> None:
    text = "\n".join(lines(replace(LARGEST, trouble=None, broker="kafka:9092")))
    workers, tables = text.split("lane  ")
    assert workers.count("10,000    2,123M 12,346  299 s") == 4
    assert tables.count("   2,123M  99,999 123,456") == 2
    assert tables.count("123,457  10.00M  10.00M  10.00M") == 3
    assert tables.count("10 min 167 min  10.00M") == 6
    assert "on the topic" in tables
    assert "\x1b" not in text, "a worker's name is nothing that a terminal obeys"


def test_what_is_not_known_is_a_dash_and_no_zero() -> None:
    text = "\n".join(lines(NOTHING))
    assert "– images/s · – in flight · – workers · – behind" in text
    below_the_title = text.partition("\n")[2].replace("p50", "").replace("p95", "")
    assert not any(character.isdigit() for character in below_the_title)


def test_24_lines_hold_it_all_and_workers_beyond_them_are_counted() -> None:
    many = replace(FIGURES, workers=[replace(WORKER, id=f"w-{n}") for n in range(40)])
    shown = lines(many)
    assert len(shown) <= 24
    assert "… and 36 more" in shown
    assert len(lines(many, height=100)) == len(shown) + 35


def test_that_no_worker_is_heard_is_said_and_so_is_trouble() -> None:
    assert "no worker is heard" in lines(replace(FIGURES, workers=[]))
    assert lines(replace(FIGURES, trouble="no broker answers"))[-1] == "no broker answers"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], "–"), ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2, 3, 8], "0-3,8"), ([1, 3, 4, 5], "1,3-5")],
)
def test_partitions_that_follow_each_other_are_a_range(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_the_drawing_is_whole_and_asks_no_other_host(tmp_path: Path) -> None:
    path = tmp_path / "top.svg"
    drawn(FIGURES, path)
    picture = path.read_text()
    assert picture.startswith("<svg")
    assert "host-1a2b3c4d-0" in picture
    assert "url(" not in picture.replace("url(#", "")


@pytest.mark.parametrize("arguments", [[], ["--svg", "a.svg"], ["--window", "0"]])
def test_what_cannot_be_shown_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["top", *arguments]).exit_code == 2


def test_without_a_broker_once_is_a_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.top_views._GIVE_UP_S", 0.2)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(cli, ["top", "--once"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: no broker answers at 127.0.0.1:1 (")
    assert len(done.output.splitlines()) == 1


def test_without_a_broker_json_lines_say_so_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    told = list(islice(windows(0.2, lambda: False, patient=True), 2))
    assert [(figures.workers, figures.in_flight) for figures in told] == [(None, None)] * 2
    assert (told[-1].trouble or "").startswith("no broker answers at 127.0.0.1:1 (")
