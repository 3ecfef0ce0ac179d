"""A browser for pages. Tests that need it are skipped where there is no Chromium."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright import sync_api as playwright

_CHROMIUM = os.environ.get("MNDMRI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    if _CHROMIUM is None:
        pytest.skip("needs Chromium, or its path in MNDMRI_CHROMIUM")
    with playwright.sync_playwright() as own:
        browser = own.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()
