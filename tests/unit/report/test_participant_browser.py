"""A participant's page in a browser: comparison, flicker, search, keys. Skipped where there is no Chromium."""

import base64

import pytest

from mndmri.report.controls import controls_panel
from mndmri.report.pages import View
from tests.unit.report.test_accessibility import WIDTHS, violations
from tests.unit.report.test_controls import CONTROLS, KEYS, SCORE, bands, neuron
from tests.unit.report.test_pages import WEBP, _participant


@pytest.fixture
def folder(tmp_path):
    """A page with the file beside it that compares with the controls."""
    (tmp_path / "sub-01.html").write_text(_participant(controls="sub-01_controls.js"), encoding="utf-8")
    script = controls_panel(
        "sub-01", bands(), rows=[*KEYS, SCORE], n_primary=3, controls=CONTROLS, covariates=["age"],
        neuron=neuron(),
        views=[View("FA along the tract", {"": WEBP}, "a line within the grey.", "one beside it.")],
    )  # fmt: skip
    (tmp_path / "sub-01_controls.js").write_text(script, encoding="utf-8")
    return tmp_path


@pytest.fixture
def opened(browser, folder):
    """Function that opens the page; what went wrong, and what was asked of a network, fails the test at its end."""
    complaints, contexts = [], []

    def opened(*, width=1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url[:5] in ("file:", "data:") or complaints.append(request.url))
        page.goto(f"file://{folder / 'sub-01.html'}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page):
    """Which of the flickering frames is visible."""
    frames = page.locator("figure.flicker .frame")
    (seen,) = [n for n in range(frames.count()) if frames.nth(n).is_visible()]
    return seen


def test_the_whole_comparison_is_in_sight_on_a_laptop(opened):
    page = opened(width=1280)
    # as long as they get: four digits and a unit, and a percentile far out in a tail
    page.evaluate(
        "for (const row of document.querySelectorAll('.compared tbody tr')) { if (row.cells[5]) {"
        " row.cells[1].textContent = '−0.09512 ml'; row.cells[5].textContent = '<0.1 [<0.1, 24.9]'; } }"
    )
    place = page.locator(".compared .scroll")
    assert place.evaluate("own => own.scrollWidth - own.clientWidth") == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_with_its_comparison_breaks_no_rule_and_fits_the_window(opened, width):
    page = opened(width=width)
    page.evaluate("document.querySelectorAll('details').forEach(own => { own.open = true })")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_comparison_stands_on_the_first_screen(opened):
    page = opened()
    assert "2 of 3 primary measures" in page.inner_text("#controls")
    last = page.locator("#controls tbody tr").last.bounding_box()
    assert last["y"] + last["height"] < 900


def test_a_page_alone_says_where_its_comparison_is(browser, folder):
    (folder / "sub-01_controls.js").unlink()
    page = browser.new_page()
    page.goto(f"file://{folder / 'sub-01.html'}")
    assert "sub-01_controls.js, which has to lie beside this page" in page.inner_text("#controls")
    page.close()


def test_buttons_and_keys_change_the_picture(opened):
    page = opened()
    assert shown(page) == 0
    page.get_by_role("button", name="corrected", exact=True).click()
    assert shown(page) == 1
    assert page.get_by_role("button", name="corrected", exact=True).get_attribute("aria-pressed") == "true"
    page.keyboard.press("f")
    assert shown(page) == 0
    assert page.get_by_role("button", name="as scanned", exact=True).get_attribute("aria-pressed") == "true"


def test_pictures_alternate_until_they_are_stopped(opened):
    page = opened()
    # stopped: while the machine is busy, its own time would pass too
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    page.get_by_role("button", name="Alternate").click()
    seen = [shown(page)]
    for _ in range(3):
        page.clock.run_for(900)
        seen.append(shown(page))
    assert seen == [1, 0, 1, 0]
    page.keyboard.press("a")
    page.clock.run_for(5000)
    assert shown(page) == 0
    assert page.get_by_role("button", name="Alternate").get_attribute("aria-pressed") == "false"


def test_nothing_moves_for_those_who_want_no_motion(opened):
    page = opened(reduced_motion="reduce")
    page.clock.install()
    page.keyboard.press("a")
    assert shown(page) == 1
    page.clock.run_for(5000)
    assert shown(page) == 1


def test_measures_are_folded_and_found_by_words(opened):
    page = opened()
    place = page.locator("details", has=page.get_by_role("heading", name="All measures"))
    row = place.locator("tbody tr")
    assert not row.first.is_visible()
    place.locator("summary").click()
    assert row.first.is_visible()
    place.get_by_role("searchbox").fill("dwi plic")
    assert [own for own in row.all_inner_texts() if own] and place.locator("tbody tr:visible").count() == 1
    assert "CST PLIC" in place.locator("tbody tr:visible").inner_text()
    assert place.locator("output").inner_text() == "1 found"
    assert not place.get_by_role("heading", name="T1w").is_visible()
    page.keyboard.type(" f")  # a letter that is written, no key
    assert shown(page) == 0
    place.get_by_role("searchbox").fill("")
    assert place.locator("tbody tr:visible").count() == row.count()


def test_all_frames_are_printed(opened):
    page = opened()
    page.emulate_media(media="print")
    frames = page.locator("figure.flicker .frame")
    boxes = [frames.nth(n).bounding_box() for n in range(2)]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1
    assert all(frames.nth(n).is_visible() for n in range(2))
    sources = [frames.nth(n).get_attribute("src") for n in range(2)]
    assert base64.b64decode(sources[0].split(",")[1]) == WEBP and sources[0] != sources[1]
