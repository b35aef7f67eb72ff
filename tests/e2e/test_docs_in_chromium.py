"""The documentation as a browser has it: nothing from elsewhere, and it can be tried out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.conftest import skip_or_fail
from tests.running_up import RunningUp

pytestmark = pytest.mark.timeout(180)

#: root has no sandbox in a container, and a browser that calls home would blur what a page does
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 30_000


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if chromium is None:
        skip_or_fail("chromium is not installed")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=[*_ARGUMENTS]) as browser,
    ):
        page = browser.new_page()
        page.set_default_timeout(_PATIENCE_MS)
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


def test_docs_authorize_and_execute_verify_face_and_ask_no_foreign_host(
    up: RunningUp, page: Page, asked: list[str], complaints: list[str], shared: Path
) -> None:
    page.goto(f"{up.url}/docs")
    page.locator(".auth-wrapper button.authorize").click()
    page.locator(".modal-ux input").fill(up.key)
    page.locator(".modal-ux button.authorize").click()
    page.locator(".modal-ux button.btn-done").click()

    block = page.locator(".opblock", has=page.locator("[data-path='/api/v1/verify-face']"))
    block.locator(".opblock-summary-control").click()
    block.locator("button.try-out__btn").click()
    block.locator("input[type=file]").set_input_files(shared / "faces" / "photos" / "img1.jpg")
    with page.expect_response("**/api/v1/verify-face?*") as answered:
        block.locator("button.execute").click()

    answer = answered.value
    assert answer.status == 200, answer.text()
    assert answer.json()["face_detected"] is True
    assert answer.request.headers["content-type"].startswith("multipart/form-data")
    shown = block.locator(".live-responses-table .response").first
    shown.get_by_text("Face detected successfully").wait_for()
    assert shown.locator(".response-col_status").inner_text().startswith("200")
    assert _foreign(asked, up) == []
    assert complaints == []


def test_docs_show_the_answer_to_a_caller_without_a_key(
    up: RunningUp, page: Page, shared: Path
) -> None:
    page.goto(f"{up.url}/docs")
    block = page.locator(".opblock", has=page.locator("[data-path='/api/v1/verify-face']"))
    block.locator(".opblock-summary-control").click()
    block.locator("button.try-out__btn").click()
    block.locator("input[type=file]").set_input_files(shared / "faces" / "photos" / "img1.jpg")
    block.locator("button.execute").click()
    shown = block.locator(".live-responses-table .response").first
    shown.get_by_text("Missing or invalid API key").wait_for()


def test_redoc_shows_every_route_and_asks_no_foreign_host(
    up: RunningUp, page: Page, asked: list[str], complaints: list[str]
) -> None:
    page.goto(f"{up.url}/redoc")
    for summary in ("Is there a face?", "A face in depth", "Whether a request would be answered"):
        page.get_by_role("heading", name=summary).wait_for()
    page.wait_for_load_state("networkidle")
    assert _foreign(asked, up) == []
    assert complaints == []


def _foreign(asked: list[str], up: RunningUp) -> list[str]:
    assert asked
    own = urlsplit(up.url).netloc
    return [url for url in asked if urlsplit(url.removeprefix("blob:")).netloc != own]
