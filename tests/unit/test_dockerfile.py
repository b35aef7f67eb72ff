"""The images: what is put into them, and what is left out."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
PRUNED = set(re.findall(r"--prune ([\w-]+)", DOCKERFILE))


def stages() -> dict[str, str]:
    """Name → its text; those that are built last are last."""
    parts = re.split(r"^FROM \S+ AS (\w[\w-]*)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_what_is_copied_is_there_and_nothing_else_is_let_in() -> None:
    copied = [
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    ]
    assert copied
    assert all((ROOT / path).exists() for path in copied)
    assert IGNORED[1] == "*", "everything is ignored but what is named"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == set(copied)


def test_every_package_of_the_wheel_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"COPY {name} {name}" for name in packages} <= set(stages()["wheel"].splitlines())


def test_what_runs_is_no_root_and_has_a_health_check() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stages()["runtime"], re.MULTILINE)
    assert list(stages())[-1] == "worker", "what is built where no target is named"
    for target in ("edge", "worker"):
        assert re.search(rf"^FROM runtime AS {target}$", DOCKERFILE, re.MULTILINE)
        assert "USER" not in stages()[target]
        assert f'CMD ["facestream", "health", "{target}"]' in stages()[target]


def test_no_registry_and_no_secret_is_in_it() -> None:
    assert "://" not in DOCKERFILE
    assert not re.findall(r"^(?:ARG|ENV) .*(?:KEY|PASSWORD|TOKEN|INDEX)", DOCKERFILE, re.MULTILINE)


def test_what_is_pruned_from_the_edges_image_is_a_dependency_still() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w.-]", dependency)[0] for dependency in project["dependencies"]}
    assert PRUNED
    assert names >= PRUNED


def test_what_the_edges_image_runs_imports_nothing_that_is_pruned_from_it() -> None:
    modules = {name.replace("-", "_") for name in PRUNED} | {"cv2", "faust", "PIL", "skimage"}
    script = (
        "import sys\n"
        f"for name in {sorted(modules)!r}: sys.modules[name] = None\n"
        "import cli.edge, cli.health, cli.main, cli.serving, cli.topics\n"
        "from stream.io import access, event_loop\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_the_check_of_the_images_says_which_tool_it_lacks(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "bash", ROOT / "deploy/check-images"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The images are not checked: buildah is not installed")
