"""`python -m tests.e2e.screenshots`: the playground's pictures in docs/, drawn anew.

The photograph in them is scikit-image's astronaut, which is in the public domain.
"""

from __future__ import annotations

import io
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageEnhance, ImageOps
from playwright.sync_api import Browser, Page, Route

from tests.e2e.chromium import PATIENCE_MS, chromium
from tests.running_up import RunningUp, running_up

_PROJECT = Path(__file__).resolve().parents[2]
_DOCS = _PROJECT / "docs"
_SHARED = _PROJECT.parent / "shared"
_WIDE, _PHONE = (1200, 1060), (360, 740)
#: as the style sheets have them: a palette of the commonest colours would lose those of thin lines
_DRAWN = (
    *("ffffff", "f6f7f9", "0f1115", "171a20"),
    *("ffd166", "7ff0e0", "ff6b5a", "4ee08a", "6ea8ff"),
    *("c8321f", "17803f", "1f5fd0", "ff7f70", "5ddc8e", "7db0ff"),
)
#: of 255, in the channel that differs most
_NEAR = 7


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_up(Path(folder), _SHARED) as up,
        chromium() as browser,
    ):
        other = Path(folder) / "other.jpg"
        other.write_bytes(_jpeg(_mirrored()))
        with _opened(browser, up, _WIDE, "light") as page:
            _analyze(page, landmarks=68)
            _save(page, "playground.png")
        with _opened(browser, up, _WIDE, "dark") as page:
            _analyze(page, landmarks=106)
            _save(page, "playground-dark.png")
        with _opened(browser, up, _PHONE, "light", density=2) as page:
            _analyze(page, landmarks=5)
            _save(page, "playground-phone.png")
        with _opened(browser, up, _WIDE, "light", "compare") as page:
            page.locator("#compare-a .sample").first.click()
            page.locator("#compare-b input[type=file]").set_input_files(other)
            page.locator(".verdict").wait_for()
            _save(page, "playground-compare.png")
        with _opened(browser, up, _WIDE, "dark", "live") as page:
            _let_flow(page, up)
            _save(page, "playground-live.png")


@contextmanager
def _opened(
    browser: Browser,
    up: RunningUp,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
    tab: str = "analyze",
    density: float = 1,
) -> Iterator[Page]:
    viewport: Any = {"width": size[0], "height": size[1]}
    with browser.new_context(
        viewport=viewport, color_scheme=scheme, device_scale_factor=density, locale="en-GB"
    ) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.route("**/samples", _astronaut_alone)
        page.goto(f"{up.url}/#{tab}")
        page.locator("#key-field").fill(up.key)
        page.locator("#key-field").press("Enter")
        yield page


def _astronaut_alone(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json()[:1])


def _analyze(page: Page, landmarks: int) -> None:
    page.locator("#analyze-stage .sample").first.click()
    page.locator("#attributes .fact").first.wait_for()
    page.locator(f"[name=landmarks][value='{landmarks}']").check(force=True)


def _let_flow(page: Page, up: RunningUp) -> None:
    """Parts of the astronaut's photograph, by all three operations."""
    page.locator("#follow").click()
    page.get_by_text("what is published from now on").wait_for()
    whole = _astronaut()
    parts = [whole, whole.crop((60, 0, 420, 300)), whole.crop((130, 0, 330, 260)), _mirrored()]
    routes = ("analyze-face-advanced", "verify-face", "extract-embedding")
    for number in range(9):
        route, part = routes[number % 3], parts[number % 4]
        url = f"{up.url}/api/v1/{route}?max_faces=0"
        headers = {"Authorization": f"Bearer {up.key}", "Content-Type": "image/jpeg"}
        request = urllib.request.Request(url, _jpeg(part), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            assert json.load(response)["face_detected"] is True
        page.locator("#live-results > li").nth(number).wait_for()


def _astronaut() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut())


def _mirrored() -> Image.Image:
    """As another photograph of the same person: mirrored, nearer, darker."""
    nearer = ImageOps.mirror(_astronaut()).crop((150, 0, 450, 300)).resize((600, 600))
    return ImageEnhance.Brightness(nearer).enhance(0.7)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()


def _save(page: Page, name: str) -> None:
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(2, 2)
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    drawn = [tuple(bytes.fromhex(colour)) for colour in _DRAWN]
    common = shot.quantize(256 - len(_DRAWN)).getpalette() or []
    rest = zip(common[::3], common[1::3], common[2::3], strict=True)
    # A common colour that is nearly one of those would be taken in its place.
    others = [one for one in rest if all(_distance(one, other) > _NEAR for other in drawn)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in (*drawn, *others) for value in colour])
    small = shot.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(_DOCS / name, optimize=True)


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    main()
