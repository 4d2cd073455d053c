"""Pages in a headless Chromium, Debian's own, installed where it is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.common.errors import SutraError
from scripts.report.html import screenshot
from scripts.report.html.collect import Report
from scripts.report.html.render import render, write
from tests.conftest import ROOT

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> str:
    try:
        return screenshot.find_browser()
    except SutraError:
        subprocess.run(["scripts/install.sh", "chromium"], cwd=ROOT, check=True)
        return screenshot.find_browser()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Write a report and open it; the page lists its requests and its errors."""
    contexts = []

    def opened(report: Report, width: int = 1100, scheme: str = "light") -> Page:
        file = tmp_path / "report.html"
        write(file, render(report))
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
