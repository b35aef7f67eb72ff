"""What is on this machine: packs, their files, and on what terms they may be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.models import emotions, insightface_pack, liveness, packs, synthetic
from stream.models.download import OFFICIAL_SHA256, PackUnavailable
from stream.models.sessions import CPU, chain
from stream.models.settings import SYNTHETIC, ModelSettings

INSIGHTFACE_LICENCE = "non-commercial research only"
DEEPFACE_LICENCE = "MIT"
SYNTHETIC_LICENCE = "Apache-2.0"
EMOTION_TASK = "emotion"
LIVENESS_TASK = "liveness"


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    task: str
    size_bytes: int
    sha256: str
    official: bool | None
    """Whether the bytes are the published ones; `None` where that is not known."""


@dataclass(frozen=True, slots=True)
class FoundPack:
    name: str
    path: Path
    licence: str
    in_use: bool
    """Whether these settings take it."""
    files: tuple[ModelFile, ...]


def found(settings: ModelSettings) -> list[FoundPack]:
    """Every pack on this machine, in the order in which they are looked for, then the emotion
    weights and the addon, then the pack that is written here. Reads each file once; downloads
    nothing."""
    chosen = packs.find(settings.model_pack, settings.model_root)
    listed = [
        _pack(path.name, path, INSIGHTFACE_LICENCE, in_use=path == chosen)
        for path in _folders(settings.model_root)
    ]
    listed += [*_deepface(settings), *_addons(settings)]
    try:
        written = synthetic.ensure()
    except PackUnavailable:
        return listed
    in_use = settings.model_pack == SYNTHETIC
    return [*listed, _pack(SYNTHETIC, written, SYNTHETIC_LICENCE, in_use=in_use)]


def _folders(model_root: Path | None) -> list[Path]:
    seen: dict[Path, Path] = {}
    for folder in packs.folders(model_root):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_dir() and any(path.glob("*.onnx")):
                seen.setdefault(path.resolve(), path)
    return list(seen.values())


def _pack(name: str, path: Path, licence: str, *, in_use: bool) -> FoundPack:
    tasks = {
        Path(model.model_file).name: task
        for task, model in insightface_pack.load(path, 1, chain(CPU)).items()
    }
    if name == SYNTHETIC:
        tasks |= {
            synthetic.EMOTION_FILE: EMOTION_TASK,
            synthetic.LIVENESS_FILE: LIVENESS_TASK,
        }
    files = tuple(
        _file(file, tasks.get(file.name, "not used"), published=name != SYNTHETIC)
        for file in sorted(path.glob("*.onnx"))
    )
    return FoundPack(name, path, licence, in_use, files)


def _deepface(settings: ModelSettings) -> list[FoundPack]:
    files = {
        engine: emotions.weights(engine, settings.deepface_home)
        for engine in emotions.ENGINES
        if emotions.weights(engine, settings.deepface_home).is_file()
    }
    if not files:
        return []
    in_use = settings.emotion_engine in files and settings.model_pack != SYNTHETIC
    return [
        FoundPack(
            "deepface",
            next(iter(files.values())).parent,
            DEEPFACE_LICENCE,
            in_use,
            tuple(_file(path, EMOTION_TASK, published=True) for path in files.values()),
        )
    ]


def _addons(settings: ModelSettings) -> list[FoundPack]:
    path = liveness.find(settings.model_root)
    if path is None:
        return []
    in_use = settings.liveness != "off" and settings.model_pack != SYNTHETIC
    file = _file(path, LIVENESS_TASK, published=True)
    return [FoundPack("addons", path.parent, INSIGHTFACE_LICENCE, in_use, (file,))]


def _file(path: Path, task: str, *, published: bool) -> ModelFile:
    digest = packs.sha256(path)
    official = OFFICIAL_SHA256.get(path.name) if published else None
    return ModelFile(
        name=path.name,
        task=task,
        size_bytes=path.stat().st_size,
        sha256=digest,
        official=None if official is None else digest == official,
    )
