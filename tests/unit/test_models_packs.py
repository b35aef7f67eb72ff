"""Where packs are looked for, and what a download must be."""

from __future__ import annotations

import hashlib
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError

import pytest

from stream.models import download, emotions, liveness, packs, weights
from stream.models.download import PackUnavailable
from stream.models.settings import ModelSettings


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without weights and without a network."""

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise URLError("no route to host")

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(packs, "SHARED_MODELS", tmp_path / "shared")
    monkeypatch.setattr(emotions, "SHARED_MODELS", tmp_path / "shared")
    monkeypatch.setattr(liveness, "SHARED_MODELS", tmp_path / "shared")
    monkeypatch.setattr(download, "urlopen", refuse)


def _place(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "det_500m.onnx").write_bytes(b"x")
    return folder


def test_without_weights_and_network_one_sentence_names_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(PackUnavailable) as unavailable:
        packs.ensure(ModelSettings(model_pack="buffalo_s"))
    message = str(unavailable.value)
    assert "no route to host" in message
    assert "MODEL_ROOT" in message
    assert str(tmp_path / "home/.insightface/models/buffalo_s") in message
    assert "MODEL_PACK=synthetic" in message
    assert not (tmp_path / "home/.insightface/models/buffalo_s").exists()


def test_without_emotion_weights_one_sentence_names_the_ways_out() -> None:
    with pytest.raises(PackUnavailable, match=r"DEEPFACE_HOME.*EMOTION_ENGINE=off"):
        emotions.ensure("onnx", None)


def test_without_the_liveness_addon_one_sentence_names_the_ways_out(tmp_path: Path) -> None:
    _place(tmp_path / "root/models/buffalo_s")
    settings = ModelSettings(
        model_root=tmp_path / "root",
        model_pack="buffalo_s",
        emotion_engine="off",
        liveness="observe",
    )
    with pytest.raises(PackUnavailable) as unavailable:
        weights.ensure(settings)
    message = str(unavailable.value)
    assert "no route to host" in message
    assert "MODEL_ROOT to a folder that holds addons/liveness.onnx" in message
    assert str(tmp_path / "home/.insightface/addons/liveness.onnx") in message
    assert "LIVENESS=off" in message


def test_the_liveness_addon_is_looked_for_only_where_it_is_switched_on(tmp_path: Path) -> None:
    pack = _place(tmp_path / "root/models/buffalo_s")
    settings = ModelSettings(
        model_root=tmp_path / "root", model_pack="buffalo_s", emotion_engine="off"
    )
    assert weights.ensure(settings) == weights.Weights(pack, None, None)
    addon = tmp_path / "root/addons/liveness.onnx"
    addon.parent.mkdir()
    addon.write_bytes(b"net")
    assert weights.ensure(settings).liveness is None
    observing = settings.model_copy(update={"liveness": "observe"})
    assert weights.ensure(observing).liveness == addon


def test_a_downloaded_addon_with_other_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"something else")
    monkeypatch.setattr(download, "urlopen", lambda url, timeout: _open(other))
    with pytest.raises(PackUnavailable, match=r"liveness\.onnx has the SHA-256"):
        liveness.ensure(None)
    assert liveness.find(None) is None


@pytest.mark.parametrize("inside", ["models/buffalo_s", "buffalo_s"])
def test_a_pack_is_found_in_the_root_that_is_set(tmp_path: Path, inside: str) -> None:
    placed = _place(tmp_path / "root" / inside)
    settings = ModelSettings(model_pack="buffalo_s", model_root=tmp_path / "root")
    assert packs.ensure(settings) == placed


def test_the_shared_folder_comes_before_the_home(tmp_path: Path) -> None:
    home = _place(tmp_path / "home/.insightface/models/buffalo_s")
    assert packs.find("buffalo_s", None) == home
    shared = _place(tmp_path / "shared/insightface/models/buffalo_s")
    assert packs.find("buffalo_s", None) == shared


def test_an_empty_folder_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "home/.insightface/models/buffalo_s").mkdir(parents=True)
    assert packs.find("buffalo_s", None) is None


@pytest.mark.parametrize("name", ["../secrets", "", "a/b", ".hidden"])
def test_a_pack_name_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="model_pack"):
        ModelSettings(model_pack=name)


def test_a_file_is_named_by_its_stem_and_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "det.onnx"
    path.write_bytes(b"weights")
    assert packs.identity(path) == f"det@{hashlib.sha256(b'weights').hexdigest()[:8]}"


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.onnx", content)
    return path


def test_a_download_is_unpacked_flat_and_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _zip(tmp_path / "a.zip", **{"../inner/model": b"net"})
    monkeypatch.setattr(download, "urlopen", lambda url, timeout: _open(archive))
    target = packs.ensure(ModelSettings(model_pack="some_pack"))
    assert target == tmp_path / "home/.insightface/models/some_pack"
    assert [path.name for path in target.iterdir()] == ["model.onnx"]


def test_a_download_that_is_cut_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _zip(tmp_path / "a.zip", model=b"net" * 1000)
    archive.write_bytes(archive.read_bytes()[:-100])
    monkeypatch.setattr(download, "urlopen", lambda url, timeout: _open(archive))
    with pytest.raises(PackUnavailable, match="damaged"):
        packs.ensure(ModelSettings(model_pack="some_pack"))
    left = [path.name for path in (tmp_path / "home/.insightface/models").iterdir()]
    assert left == [".some_pack.lock"]


def _open(path: Path) -> object:
    return urllib.request.build_opener(urllib.request.FileHandler).open(path.as_uri())


def test_an_official_file_name_with_other_bytes_is_refused(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", det_10g=b"something else")
    with pytest.raises(PackUnavailable, match=r"det_10g\.onnx has the SHA-256"):
        download.unpack(archive, tmp_path / "out")


def test_an_archive_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackUnavailable, match="holds no"):
        download.unpack(_zip(tmp_path / "a.zip"), tmp_path / "out")


def test_without_tensorflow_one_sentence_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DEEPFACE_BACKEND_ENGINE", "DEEPFACE_HOME", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")  # so that they are put back
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(PackUnavailable, match=r"facestream\[tensorflow\].*onnx"):
        emotions.load_tensorflow(tmp_path / ".deepface/weights/emotion.h5", 1)
