"""Imports point one way, as the layout says: read from the source, so that no import is missed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "stream", "http_edge", "cli", "benchmarks")

#: who → what of ours it may import; the longest name that fits counts
ALLOWED = {
    "schemas": ("schemas",),
    "stream": ("schemas", "stream"),
    "stream.io": ("schemas", "stream.io"),
    "stream.vision": ("schemas", "stream.vision"),
    "stream.models": ("schemas", "stream.models", "stream.vision", "stream.numbers"),
    "stream.analysis": ("schemas", "stream.models", "stream.vision", "stream.numbers"),
    "stream.pipeline": (
        "schemas",
        "stream.analysis",
        "stream.models",
        "stream.vision",
        "stream.numbers",
        "stream.photograph",
    ),
    "http_edge": ("schemas", "stream.io", "http_edge"),
    "benchmarks": ("schemas", "stream", "benchmarks"),
    "cli": ("schemas", "stream", "http_edge", "benchmarks", "cli"),
}
#: what the pure functions on arrays are made of
VISION_LIBRARIES = {"numpy", "cv2"}


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, *, at_run_time: bool = False) -> set[str]:
    """Names of the modules that `name` imports; at run time: without `if TYPE_CHECKING`."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    return {target for node in _nodes(tree, at_run_time) for target in _targets(node)}


def _nodes(tree: ast.AST, at_run_time: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        typing_only = (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        )
        if not (at_run_time and typing_only):
            yield node
            yield from _nodes(node, at_run_time)


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "absolute imports only: they can be searched for"
        assert node.module is not None
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in MODULES else node.module


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def rule_of(name: str) -> tuple[str, ...]:
    return ALLOWED[max((rule for rule in ALLOWED if within(name, rule)), key=len)]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_place_allows(name: str) -> None:
    ours = {target for target in imports(name) if target.split(".")[0] in PACKAGES}
    wrong = {t for t in ours if not any(within(t, package) for package in rule_of(name))}
    assert not wrong, f"{name} must not import {sorted(wrong)}"


@pytest.mark.parametrize("name", [name for name in MODULES if within(name, "stream.vision")])
def test_vision_is_numpy_and_opencv_only(name: str) -> None:
    roots = {target.split(".")[0] for target in imports(name)}
    assert roots - sys.stdlib_module_names - {"schemas", "stream"} <= VISION_LIBRARIES


def test_the_app_is_imported_by_the_worker_alone() -> None:
    importers = {name for name in MODULES if "stream.app" in imports(name, at_run_time=True)}
    assert importers <= {"stream.worker"}


def test_no_two_modules_import_each_other() -> None:
    graph = {name: imports(name, at_run_time=True) & set(MODULES) - {name} for name in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def test_tests_are_imported_by_nothing_of_ours() -> None:
    assert not [name for name in MODULES if any(within(t, "tests") for t in imports(name))]


def test_what_starts_workers_waits_for_no_library_of_theirs() -> None:
    heavy = ["numpy", "cv2", "onnxruntime", "aiohttp", "rich", "prometheus_client", "faust"]
    modules = "stream.supervisor, stream.models.weights, cli.up, cli.supervised"
    asked = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"


def test_a_worker_loads_no_library_that_insightface_only_names() -> None:
    asked = (
        "import sys; from stream.models.insightface_pack import defer_imports; defer_imports();"
        "import inspect, insightface.model_zoo, insightface.utils.face_align;"
        "inspect.getmodule(inspect.currentframe());"
        "print([name for name in ('scipy', 'urllib3', 'albumentations') if name in sys.modules]);"
        "from insightface.app import FaceAnalysis; from skimage.transform import warp;"
        "print(FaceAnalysis.__name__, warp.__name__)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines() == ["[]", "FaceAnalysis warp"]
