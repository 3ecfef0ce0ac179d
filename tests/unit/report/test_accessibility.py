"""No page breaks a rule of axe-core, wide or narrow. Skipped where there is no Chromium."""

import pandas as pd
import pytest

from mndmri.report.pages import Link, Section
from mndmri.report.reader import reader_page
from mndmri.report.status import status_page
from tests.unit import viewed
from tests.unit.report import test_cohort, test_pages
from tests.unit.report.test_reader import case

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

RATED = "#ratings input[value='2']"
WIDTHS = (1280, 390)


def report() -> str:
    """A report with everything that one can have."""
    comparisons = test_pages._comparisons()
    table = comparisons[["measure", "region", "contrast", "estimate", "p", "note"]]
    sections = [
        Section("A section", note="A note.", table=table, pictures=[test_pages.PICTURE]),
        Section(
            "Places", table=pd.DataFrame({"contrast": ["A-B"], "place": [Link("1, 2, 3", "vbm/viewer.html#1,1,2,3")]})
        ),
        Section("Methods", text="A text.\n\nAnd more."),
    ]
    return test_pages._group(sections=sections)


def status() -> str:
    """A run that goes on, of which something has failed."""
    return status_page(
        title="A study",
        state="running",
        written="2026-11-30 12:00:00",
        left="about 20 min",
        stages={"t1w": {"sub-01": "done", "sub-02": "failed"}, "dwi": {"sub-01": "running"}},
        study={"all": 20, "done": 1, "running": 0, "waiting": 19, "failed": 0},
        running=["fit_tensor of sub-01"],
        failed=[{"job": "register_t1w of sub-02", "reason": "no contrast", "log": "logs/register_t1w/sub-02.log"}],
        links={"report": "group/report.html"},
        version="1.0",
    )


PAGES = {
    "participant": lambda: test_pages._participant(
        decisions=["dwi excluded (motion)"], reader="sub-01_reader.html", viewer="sub-01_viewer.html"
    ),
    "report": report,
    "nobody": lambda: test_pages._group(failed={}, left_out=[], pictures=[], primary=False),
    "index": test_cohort.index,
    "status": status,
    "contact sheet": lambda: test_cohort.sheets()["tract"],
    "viewer": lambda: viewed.page(viewed.dwi(), viewed.t1w()),
    "viewer of maps": lambda: viewed.page(viewed.group_map(), page="../report.html"),
    "reader": lambda: reader_page([case(100_001), case(200_002, las=True)]),
}


@pytest.fixture
def opened(browser, tmp_path):
    """Function that shows a page in a window of some width, with everything unfolded."""
    pages = []

    def opened(html, width):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.goto(f"file://{path}")
        page.evaluate("document.querySelectorAll('details').forEach(own => { own.open = true })")
        return page

    yield opened
    for page in pages:
        page.close()


def violations(page) -> list[str]:
    """Rules that a page breaks, and where."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{own['id']}: {', '.join(str(node['target']) for node in own['nodes'])}" for own in found]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_breaks_no_rule(opened, kind, width):
    page = opened(PAGES[kind](), width)
    if kind == "reader":
        page.wait_for_selector("canvas[data-drawn]")
        assert violations(page) == []
        page.check("#outlines")
        page.locator(RATED).first.check(force=True)
        page.locator("#decisions input[value='exclude']").first.check(force=True)
    if kind.startswith("viewer"):
        page.wait_for_selector("body[data-drawn]")
    assert violations(page) == []


@pytest.mark.parametrize("kind", ["participant", "report"])
def test_a_table_wider_than_the_window_is_scrolled_by_keys(opened, kind):
    page = opened(PAGES[kind](), 390)
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')].findIndex(own => own.scrollWidth > own.clientWidth + 40)"
    )
    table = page.locator(".scroll").nth(wide)
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("own => own.scrollLeft > 0", arg=table.element_handle())
    assert table.get_attribute("aria-label")


def test_a_fault_is_found(opened):
    html = test_pages._participant().replace('lang="en-GB"', "").replace("alt=", "data-alt=")
    assert [own.split(":")[0] for own in violations(opened(html, 1280))] == ["html-has-lang", "image-alt"]
