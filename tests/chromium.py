"""Debian's Chromium, headless, driven by Playwright: pages as their readers see them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required")


def program() -> str | None:
    """Path of Chromium; None if it is not installed."""
    return shutil.which("chromium")


@contextmanager
def pages() -> Iterator[Any]:
    """A browser context, whose `new_page()` opens a page of 1280 x 900."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(OPTIONS))
        try:
            yield browser.new_context(viewport={"width": 1280, "height": 900})
        finally:
            browser.close()


def complaints(page: Any) -> list[str]:
    """A list that fills with the page's errors: those of its scripts, and those that its console shows."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    return said
