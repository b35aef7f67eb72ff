"""The playground as a browser has it: what it shows is what the API says, for everybody."""

from __future__ import annotations

import base64
import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route

from tests.conftest import skip_or_fail
from tests.e2e.chromium import PATIENCE_MS, foreign
from tests.e2e.shell import run
from tests.running_up import RunningUp

pytestmark = pytest.mark.timeout(180)

ANALYSIS = "**/api/v1/analyze-face-advanced?max_faces=0"
THRESHOLDS = Path(__file__).parents[2] / "http_edge/static/playground/thresholds.json"
ASTRONAUT = "Sample: Eileen Collins"


def enter(page: Page, up: RunningUp, tab: str = "analyze") -> None:
    page.goto(f"{up.url}/#{tab}")
    type_key(page, up.key)


def type_key(page: Page, key: str) -> None:
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_label("API key", exact=True).press("Enter")


def upload(page: Page, path: Path, panel: str = "#analyze-stage") -> Any:
    """Give a file, and return the JSON that the API answered."""
    with page.expect_request("**/api/v1/*?max_faces=0"):
        page.locator(f"{panel} input[type=file]").set_input_files(path)
    return answer(page, "max_faces=0")


def answer(page: Page, route: str) -> Any:
    """The JSON that the page was answered last. Chromium keeps none where much was sent."""
    return page.evaluate(
        "route => window.answers.findLast(({ url }) => url.includes(route)).json", route
    )


@pytest.fixture
def page(page: Page) -> Page:
    page.add_init_script(
        """window.answers = [];
        const fetched = window.fetch;
        window.fetch = (url, how) => {
          const asked = fetched(url, how);
          if (url.endsWith("/live")) return asked;
          const json = asked.then((response) => response.clone().json()).catch(() => null);
          window.answers.push({ url, json });
          return asked;
        };"""
    )
    return page


def photos(shared: Path) -> Path:
    return shared / "faces" / "photos"


def table(page: Page, column: int = 0) -> dict[str, str]:
    """What the table for who does not see says of a face, by the row's title."""
    page.locator("#analyze-table").evaluate("element => { element.open = true; }")
    rows = page.locator("#analyze-table tbody tr").all()
    return {
        row.locator("th").inner_text(): row.locator("td").nth(column).inner_text() for row in rows
    }


def boxes(panel: Locator) -> dict[int, list[float]]:
    """Those that are drawn, by the face's number."""
    names = ("x", "y", "width", "height", "data-face")
    drawn = {}
    for box in panel.locator("rect.box").all():
        x, y, width, height, face = (float(box.get_attribute(name) or "nan") for name in names)
        drawn[int(face)] = [x, y, x + width, y + height]
    return drawn


def test_a_photograph_of_two_is_shown_as_the_api_answers_it(
    up: RunningUp, page: Page, asked: list[str], complaints: list[str], shared: Path
) -> None:
    enter(page, up)
    faces = upload(page, photos(shared) / "couple.jpg")["faces"]
    page.get_by_text("2 faces found").wait_for()
    drawn = boxes(page.locator("#analyze"))
    assert [drawn[index] for index in range(2)] == [pytest.approx(face["bbox"]) for face in faces]
    assert page.locator(".label.chosen").inner_text() == f"{faces[0]['age']}, {faces[0]['gender']}"
    shows_attributes_of(page, faces[0])

    page.get_by_role("radio", name="Face 1").press("ArrowRight")
    assert page.get_by_role("radio", name="Face 2").get_attribute("aria-checked") == "true"
    shows_attributes_of(page, faces[1])
    for column, face in enumerate(faces):
        rows = table(page, column)
        assert rows["Person Age"] == f"{face['age']} years"
        assert rows["Emotion Dominant"] == face["expression"]["dominant"]
        assert rows["Skin Colour"] == face["skin_tone"]["hex"]
        assert rows["Liveness Score"] == "not measured"
    assert foreign(asked, up.url) == []
    assert complaints == []


def shows_attributes_of(page: Page, face: dict[str, Any]) -> None:
    facts = page.locator("#attributes .fact .value").all_inner_texts()
    assert facts == [str(face["age"]), face["gender"]]
    emotions = dict(
        zip(
            page.locator("[aria-label=Emotion] .name").all_inner_texts(),
            page.locator("[aria-label=Emotion] .number").all_inner_texts(),
            strict=True,
        )
    )
    shares = face["expression"]["emotions"]
    assert set(emotions) == set(shares)
    for name, share in shares.items():
        assert float(emotions[name].removesuffix(" %")) == pytest.approx(share * 100, abs=0.51)
    overall = page.locator("[aria-label=Quality] .aside").inner_text()
    assert float(overall) == pytest.approx(face["quality"]["overall"], abs=0.0051)
    assert face["skin_tone"]["hex"] in page.locator("[aria-label='Skin tone']").inner_text()


def test_landmarks_and_axes_are_drawn_as_they_are_asked_for(
    up: RunningUp, page: Page, complaints: list[str], shared: Path
) -> None:
    enter(page, up)
    face = upload(page, photos(shared) / "img1.jpg")["faces"][0]
    stage = page.locator("#analyze-stage")
    stage.locator(".axis").first.wait_for(state="attached")
    assert stage.locator(".axis:not(.shade)").count() == 3
    nose = stage.locator(".axis.up:not(.shade)")
    start = [float(nose.get_attribute(name) or "nan") for name in ("x1", "y1")]
    assert start == pytest.approx(face["landmarks_5"][2])
    assert float(nose.get_attribute("y2") or "nan") < start[1], "up is up"
    for count in (5, 68, 106):
        page.locator(f"[name=landmarks][value='{count}']").check(force=True)
        path = stage.locator(".dots:not(.shade)").get_attribute("d") or ""
        points = [tuple(map(float, point.split())) for point in path[1:-2].split("h0M")]
        assert points == [pytest.approx(tuple(point)) for point in face[f"landmarks_{count}"]]
    page.locator("[name=landmarks][value='0']").check(force=True)
    page.get_by_label("Pose axes").uncheck()
    assert stage.locator(".dots, .axis").count() == 0
    assert complaints == []


def test_what_is_null_is_said_to_be_not_measured_and_never_zero(
    up: RunningUp, page: Page, complaints: list[str]
) -> None:
    def of_less(route: Route) -> None:
        answer = route.fetch()
        face = answer.json()["faces"][0]
        kept = {name: face[name] for name in ("bbox", "confidence", "embedding")}
        nothing = dict.fromkeys(face.keys() - kept.keys())
        quality = {**dict.fromkeys(face["quality"]), "blur_score": 0.0}
        route.fulfill(response=answer, json={"faces": [{**nothing, **kept, "quality": quality}]})

    page.route(ANALYSIS, of_less)
    enter(page, up)
    page.get_by_label(ASTRONAUT).first.click()
    page.locator("#attributes .fact").first.wait_for()
    assert page.locator("#attributes .fact .value").all_inner_texts() == ["not measured"] * 2
    for name in ("Emotion", "Pose", "Skin tone"):
        assert "not measured" in page.locator(f"[aria-label='{name}']").inner_text()
    sharp, *others = page.locator("[aria-label=Quality] .number").all_inner_texts()
    assert (sharp, set(others)) == ("0.00", {"not measured"})
    rows = table(page)
    measured = {name for name, value in rows.items() if "not measured" not in value}
    assert measured == {"Face Box", "Face Confidence", "Quality Sharpness"}
    assert page.locator("[name=landmarks]:enabled").count() == 1
    assert page.get_by_label("Pose axes").is_disabled()
    assert complaints == []


def test_errors_of_the_api_are_said_in_its_words(up: RunningUp, page: Page, tmp_path: Path) -> None:
    said = page.locator("#analyze-stage .problem")
    page.goto(up.url)
    page.locator("#analyze-stage .sample").first.click()
    page.get_by_text("The API key is wanted first").wait_for()
    assert page.get_by_label("API key", exact=True).evaluate(
        "field => field === document.activeElement"
    )

    type_key(page, "wrong")  # with each key it asks again by itself
    page.get_by_text("Missing or invalid API key").wait_for()
    type_key(page, up.key)
    page.locator("#attributes .fact").first.wait_for()
    assert said.is_hidden()

    blank = tmp_path / "blank.png"
    blank.write_bytes(_png_without_faces())
    upload(page, blank)
    page.get_by_text("No face detected in image").wait_for()
    assert page.locator("rect.box").count() == 0
    note = tmp_path / "note.png"
    note.write_text("no image")
    upload(page, note)
    page.get_by_text("The bytes are no JPEG").wait_for()

    page.route(ANALYSIS, lambda route: route.abort())
    page.locator("#analyze-stage .sample").first.click()
    page.get_by_text("The service does not answer").wait_for()


def _png_without_faces() -> bytes:
    import cv2
    import numpy as np

    encoded, png = cv2.imencode(".png", np.full((120, 160, 3), 200, np.uint8))
    assert encoded
    return png.tobytes()


def test_the_key_stays_in_the_tab_and_is_forgotten_when_told(
    up: RunningUp, page: Page, browser: Browser
) -> None:
    enter(page, up)
    page.get_by_text("kept in this tab").wait_for()
    page.reload()
    page.get_by_text("kept in this tab").wait_for()
    assert up.key not in page.content()
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
    page.get_by_role("button", name="Forget the API key").click()
    assert page.evaluate("sessionStorage.length") == 0


def test_two_photographs_of_one_person_and_of_two_are_told_apart(
    up: RunningUp, page: Page, asked: list[str], complaints: list[str], shared: Path
) -> None:
    known = json.loads(THRESHOLDS.read_text())["w600k_mbf@3bffc1a6"]
    enter(page, up, "compare")
    upload(page, photos(shared) / "img1.jpg", "#compare-a")
    for name, words in (("img2.jpg", "The same person"), ("img20.jpg", "Different persons")):
        with page.expect_request("**/api/v1/compare-faces"):
            upload(page, photos(shared) / name, "#compare-b")
        similarity = answer(page, "compare-faces")["similarity"]
        verdict = page.locator(".verdict", has_text=words)
        verdict.wait_for()
        assert f"{similarity:.3f}" in verdict.inner_text()
        assert (similarity >= known["threshold"]) == (words == "The same person")
    text = page.locator(".verdict").inner_text()
    taken, missed = known["false_match"], known["false_non_match"]
    assert f"measured on {taken['of'] + missed['of']} pairs of LFW with buffalo_s" in text
    assert f"{taken['wrong']} of {taken['of']} pairs of different persons" in text
    assert f"{missed['wrong']} of {missed['of']} of one person" in text
    assert foreign(asked, up.url) == []
    assert complaints == []


def test_for_a_pack_that_was_not_measured_no_verdict_is_given(
    up: RunningUp, page: Page, complaints: list[str]
) -> None:
    def of_another_pack(route: Route) -> None:
        answer = route.fetch()
        health = answer.json()
        for worker in health["workers"]:
            worker["models"] |= {"pack": "buffalo_l", "recognizer": "w600k_r50@4c06341c"}
        route.fulfill(response=answer, json=health)

    page.route("**/api/v1/health", of_another_pack)
    enter(page, up, "compare")
    for panel in ("#compare-a", "#compare-b"):
        page.locator(f"{panel} .sample").first.click()
    verdict = page.locator(".verdict")
    verdict.wait_for()
    assert verdict.get_by_role("heading").inner_text() == "How alike they are"
    assert "1.000" in verdict.inner_text()
    said = "was not measured for buffalo_l on onnxruntime in fp32. It was for buffalo_s on"
    assert said in verdict.inner_text()
    assert complaints == []


def test_the_shown_commands_give_the_shown_answers(
    up: RunningUp, page: Page, tmp_path: Path, shared: Path
) -> None:
    missing = [tool for tool in ("curl", "jq") if shutil.which(tool) is None]
    if missing:
        skip_or_fail(f"the commands need {', '.join(missing)}")
    photograph = tmp_path / "it's -a $photo;.jpg"
    shutil.copy(photos(shared) / "img1.jpg", photograph)

    enter(page, up)
    shown = upload(page, photograph)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("The command is copied").wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == page.locator("#analyze-request code").inner_text()
    assert up.key not in command
    assert json.loads(run(command, tmp_path, up.key)) == shown

    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-a .sample").first.click()
    with page.expect_request("**/api/v1/compare-faces"):
        upload(page, photograph, "#compare-b")
    expected = answer(page, "compare-faces")["similarity"]
    command = page.locator("#compare-request code").inner_text()
    assert json.loads(run(command, tmp_path, up.key))["similarity"] == pytest.approx(
        expected, abs=1e-6
    )


def test_results_of_others_flow_by_while_somebody_follows(
    up: RunningUp, page: Page, asked: list[str], complaints: list[str], shared: Path
) -> None:
    enter(page, up, "live")
    page.get_by_role("button", name="Follow").click()
    page.get_by_text("what is published from now on").wait_for()
    for route in ("verify-face", "analyze-face-advanced"):
        answer = _post(up, route, (photos(shared) / "couple.jpg").read_bytes())
        entry = page.locator(".passing").first
        page.locator(
            "#live-count", has_text="1 result" if route == "verify-face" else "2"
        ).wait_for()
        faces = answer["faces"]
        assert entry.locator(".face-box").count() == len(faces) == 2
        first = entry.locator(".face-box").first
        assert float(first.get_attribute("x") or "nan") == pytest.approx(faces[0]["bbox"][0])
    words = entry.locator(".chips li").first.inner_text()
    face = faces[0]
    assert words == f"{face['age']}, {face['gender']}, {face['expression']['dominant']}"
    assert "analyze" in entry.locator(".small").inner_text()

    page.get_by_role("tab", name="Analyze").click()  # who looks elsewhere follows no more
    page.get_by_role("tab", name="Live").click()
    assert page.get_by_role("button", name="Follow").is_visible()
    assert foreign(asked, up.url) == []
    assert complaints == []


def _post(up: RunningUp, route: str, image: bytes) -> Any:
    headers = {"Authorization": f"Bearer {up.key}", "Content-Type": "image/jpeg"}
    url = f"{up.url}/api/v1/{route}?max_faces=0"
    request = urllib.request.Request(url, image, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_everything_is_reached_by_the_keyboard(
    up: RunningUp, page: Page, complaints: list[str]
) -> None:
    page.goto(up.url)

    def to(name: str) -> None:
        """Tab on until what has that name is focused."""
        for _ in range(40):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "() => { const at = document.activeElement; return at.ariaLabel"
                " || at.labels?.[0]?.textContent || at.textContent; }"
            )
            if focused.strip().startswith(name):
                return
        raise AssertionError(f"{name} is not reached")

    to("Skip to the playground")
    to("API key")
    page.keyboard.type(up.key)
    page.keyboard.press("Enter")
    to("Analyze")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Compare").get_attribute("aria-selected") == "true"
    page.keyboard.press("Home")
    to("Photograph: choose a file")
    to("Photograph: use the camera")
    to(ASTRONAUT)
    page.keyboard.press("Enter")
    page.get_by_text("1 face found").wait_for()
    to("None")
    page.keyboard.press("ArrowRight")
    assert page.locator("#analyze-stage .dots").count() == 2
    to("Pose axes")
    page.keyboard.press("Space")
    assert page.locator("#analyze-stage .axis").count() == 0
    to("Everything that was measured")
    page.keyboard.press("Enter")
    assert page.get_by_role("table").is_visible()
    to("Copy")
    assert complaints == []


def test_the_camera_gives_a_photograph(up: RunningUp, page: Page, complaints: list[str]) -> None:
    enter(page, up)
    page.get_by_role("button", name="Photograph: use the camera").click()
    take = page.get_by_role("button", name="Take the photograph")
    with page.expect_request(ANALYSIS):
        take.click()
    assert len(answer(page, "analyze-face-advanced")["faces"]) == 1
    page.locator("#attributes .fact").first.wait_for()
    assert page.locator("#camera").is_hidden()
    assert page.evaluate("document.querySelector('#camera video').srcObject") is None
    assert "'@camera.jpg'" in page.locator("#analyze-request code").inner_text()
    assert complaints == []


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_photograph_is_pasted_and_dropped(
    up: RunningUp, page: Page, complaints: list[str], camera: Path, how: str
) -> None:
    enter(page, up)
    with page.expect_request(ANALYSIS):
        page.evaluate(
            """([how, data]) => {
              const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
              const given = new DataTransfer();
              given.items.add(new File([bytes], "given.jpg", { type: "image/jpeg" }));
              const event = how === "paste"
                ? new ClipboardEvent("paste", { clipboardData: given, bubbles: true })
                : new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true });
              document.querySelector("#analyze-stage .drop").dispatchEvent(event);
            }""",
            [how, base64.b64encode(camera.read_bytes()).decode()],
        )
    assert len(answer(page, "analyze-face-advanced")["faces"]) == 1
    page.locator("#attributes .fact").first.wait_for()
    assert complaints == []


@pytest.fixture(params=["light", "dark"])
def looked_at(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    with browser.new_context(color_scheme=request.param) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_that_shuts_people_out(
    up: RunningUp, looked_at: Page, camera: Path, width: int
) -> None:
    page = looked_at
    page.set_viewport_size({"width": width, "height": 800})
    enter(page, up)
    fits(page, "empty")
    page.locator("#analyze-stage .sample").nth(1).click()
    page.get_by_text("6 faces found").wait_for()
    table(page)
    fits(page, "analyzed")
    page.get_by_role("tab", name="Compare").click()
    for panel in ("#compare-a", "#compare-b"):
        page.locator(f"{panel} .sample").first.click()
    page.locator(".verdict").wait_for()
    fits(page, "compared")
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Follow").click()
    page.get_by_text("what is published from now on").wait_for()
    _post(up, "analyze-face-advanced", camera.read_bytes())
    page.locator(".passing").first.wait_for()
    fits(page, "live")


def fits(page: Page, state: str) -> None:
    """Neither axe nor the screen's width has anything against it."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
