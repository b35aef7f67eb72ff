"""The files that the settings ask for, all of them on this machine before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.models import emotions, liveness, packs, synthetic
from stream.models.settings import SYNTHETIC, ModelSettings


@dataclass(frozen=True, slots=True)
class Weights:
    """`None` where the settings leave it out."""

    pack: Path
    """The folder of InsightFace's models."""
    emotion: Path | None
    liveness: Path | None


def ensure(settings: ModelSettings) -> Weights:
    """Find, write or download what is asked for. Raises `PackUnavailable`."""
    pack = packs.ensure(settings)
    engine = settings.emotion_engine
    if settings.model_pack == SYNTHETIC:
        emotion = None if engine == "off" else pack / synthetic.EMOTION_FILE
        addon = None if settings.liveness == "off" else pack / synthetic.LIVENESS_FILE
    else:
        emotion = None if engine == "off" else emotions.ensure(engine, settings.deepface_home)
        addon = None if settings.liveness == "off" else liveness.ensure(settings.model_root)
    return Weights(pack, emotion, addon)
