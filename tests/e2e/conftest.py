"""One `facestream up` for all tests that only call it, and a browser for those of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import skip_or_fail
from tests.e2e.chromium import PATIENCE_MS, NoChromium, chromium
from tests.running_up import RunningUp, running_up


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[RunningUp]:
    with running_up(tmp_path_factory.mktemp("up"), shared) as running:
        yield running


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Browser]:
    try:
        with chromium(camera) as browser:
            yield browser
    except NoChromium as missing:
        skip_or_fail(str(missing))


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's camera sees: scikit-image's astronaut."""
    import cv2
    from skimage import data

    encoded, jpeg = cv2.imencode(".jpg", data.astronaut()[:, :, ::-1])
    assert encoded
    path = tmp_path_factory.mktemp("camera") / "astronaut.mjpeg"
    path.write_bytes(jpeg.tobytes())
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


@pytest.fixture
def asked(page: Page) -> list[str]:
    """Every address that the page asks for, also where the policy forbids it or nobody answers."""
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    return addresses


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser has to say: scripts that threw, words against the content policy."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    return said
