"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from stream.processors import usable_processors

_CPUINFO = Path("/proc/cpuinfo")
#: of what a number depends on, by the name under which it is installed
_LIBRARIES = (
    "facestream",
    "insightface",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "numpy",
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
)


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str | None
    #: that this process may use
    cores: int
    system: str
    python: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """A library that is not installed as a package has no version here."""
    return Machine(
        cpu=_cpu_model(),
        cores=_usable_cores(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        versions={name: version for name in _LIBRARIES if (version := _version(name))},
    )


def _cpu_model() -> str | None:
    """As Linux names it, else as Python does; None where neither knows."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or None


def _usable_cores() -> int:
    return len(usable_processors()) or os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
