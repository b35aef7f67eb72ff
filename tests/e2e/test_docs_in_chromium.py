"""The documentation as a browser has it: nothing from elsewhere, and it can be tried out."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.chromium import foreign
from tests.running_up import RunningUp

pytestmark = pytest.mark.timeout(180)


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
    assert foreign(asked, up.url) == []
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
    assert foreign(asked, up.url) == []
    assert complaints == []
