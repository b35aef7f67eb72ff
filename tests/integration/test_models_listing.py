"""`facestream models` tells what is here and on what terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from insightface.addons import ADDON_CATALOG
from insightface.utils import storage

from cli.models import command
from stream.models import download, liveness, synthetic_graphs


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _listed() -> dict[str, Any]:
    run = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    assert run.exit_code == 0
    return {pack["name"]: pack for pack in orjson.loads(run.stdout)}


def test_the_synthetic_pack_has_a_file_for_every_task_and_is_free() -> None:
    pack = _listed()["synthetic"]
    assert pack["licence"] == "Apache-2.0"
    assert {file["task"] for file in pack["files"]} == {
        "detection",
        "recognition",
        "genderage",
        "landmark_2d_106",
        "landmark_3d_68",
        "emotion",
        "liveness",
    }


def test_real_packs_are_listed_with_task_hash_and_licence(shared: Path) -> None:
    packs = _listed()
    assert packs["deepface"]["licence"] == "MIT"
    pack = packs["buffalo_s"]
    assert pack["licence"] == "non-commercial research only"
    files = {file["name"]: file for file in pack["files"]}
    assert files["det_500m.onnx"]["task"] == "detection"
    assert files["det_500m.onnx"]["sha256"].startswith("5e4447f5")
    assert files["det_500m.onnx"]["official"] is True


def test_the_table_says_what_is_in_use_and_what_is_missing(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_PACK", "buffalo_s")
    assert "● buffalo_s" in CliRunner().invoke(command).stdout
    monkeypatch.setenv("MODEL_PACK", "nowhere")
    assert "nowhere is asked for and not here" in CliRunner().invoke(command).stdout


def test_packs_are_downloaded_from_where_insightface_takes_them() -> None:
    assert storage.model_zoo_download_url("") == download.INSIGHTFACE_RELEASES


def test_the_addon_is_the_one_that_insightface_takes() -> None:
    addon = ADDON_CATALOG["liveness"]
    assert addon.url == liveness.URL
    assert addon.filename == liveness.FILE
    assert addon.sha256 == download.OFFICIAL_SHA256[liveness.FILE]


def test_an_addon_of_other_bytes_is_listed_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "addons" / liveness.FILE
    file.parent.mkdir()
    synthetic_graphs.liveness(file)
    monkeypatch.setenv("MODEL_ROOT", str(tmp_path))
    monkeypatch.setenv("MODEL_PACK", "buffalo_s")
    assert _listed()["addons"]["in_use"] is False
    monkeypatch.setenv("LIVENESS", "observe")
    addons = _listed()["addons"]
    assert addons["in_use"] is True
    assert addons["licence"] == "non-commercial research only"
    assert [(file["task"], file["official"]) for file in addons["files"]] == [("liveness", False)]


def test_what_is_asked_for_and_not_here_is_downloaded_before_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(_name: str, target: Path) -> None:
        target.mkdir(parents=True)
        synthetic_graphs.detector(target / "det.onnx")

    monkeypatch.setattr(download, "pack", pack)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_PACK", "elsewhere")
    monkeypatch.setenv("EMOTION_ENGINE", "off")
    assert "elsewhere" not in _listed()
    run = CliRunner().invoke(command, ["--download", "--json"], catch_exceptions=False)
    (found,) = (pack for pack in orjson.loads(run.stdout) if pack["name"] == "elsewhere")
    assert found["in_use"] is True
    assert found["path"] == str(tmp_path / ".insightface/models/elsewhere")
