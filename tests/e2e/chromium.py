"""Chromium as the tests and the screenshots want it: quiet, and with a camera that sees a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

PATIENCE_MS = 30_000
#: root has no sandbox in a container, and a browser that calls home would blur what a page does
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class NoChromium(Exception):
    """It is not installed."""


@contextmanager
def chromium(camera: Path | None = None) -> Iterator[Browser]:
    """camera: a file of JPEGs one after another (`.mjpeg`). Raises `NoChromium`."""
    path = shutil.which("chromium")
    if path is None:
        raise NoChromium("chromium is not installed")
    seen = () if camera is None else (f"--use-file-for-fake-video-capture={camera}",)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *seen]) as browser,
    ):
        yield browser


def foreign(asked: list[str], url: str) -> list[str]:
    """Those of the addresses that are not of the host of `url`."""
    assert asked
    own = urlsplit(url).netloc
    return [one for one in asked if urlsplit(one.removeprefix("blob:")).netloc != own]
