"""The study's page in a browser: on a narrow screen, and printed. Skipped where there is no Chromium."""

import pytest
from playwright import sync_api as playwright

from tests.unit.report.test_pages import FLOW, _group
from tests.unit.report.test_reader_browser import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, or its path in MNDMRI_CHROMIUM")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as own:
        browser = own.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(browser, html, *, width=1280):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(html)
    return page


def boxes(page, selector):
    return page.eval_on_selector_all(selector, "all => all.map(e => e.getBoundingClientRect().toJSON())")


@pytest.mark.parametrize("width", [390, 1280])
def test_long_lists_of_reasons_stay_on_the_screen_and_no_box_lies_on_another(browser, width):
    reasons = {
        "x" * 90: [f"sub-{n:04d}" for n in range(60)],
        "motion and a long story about it " * 9: ["sub-" + "9" * 60],
    }
    flow = [own | {"lost": reasons if own["lost"] else {}} for own in FLOW]
    page = opened(browser, _group(flow=flow), width=width)
    found = boxes(page, ".flow .box")
    assert len(found) == len(flow)
    assert all(0 <= box["left"] < box["right"] <= width for box in found)
    for n, box in enumerate(found):
        for other in found[n + 1 :]:
            apart = box["right"] <= other["left"] or other["right"] <= box["left"]
            assert apart or box["bottom"] <= other["top"] or other["bottom"] <= box["top"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    inside = page.eval_on_selector_all(".flow .box", "all => all.every(e => e.scrollWidth <= e.clientWidth)")
    assert inside
    page.close()
