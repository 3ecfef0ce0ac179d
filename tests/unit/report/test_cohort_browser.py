"""Pages of the cohort in a browser: sorting, filtering, keys, points, saving. Skipped where there is no Chromium."""

import time

import numpy as np
import pandas as pd
import pytest

from mndmri.figures.thumbnails import to_webp
from mndmri.io import read_table
from mndmri.tables.decisions import collect_decisions
from mndmri.tables.readings import Source
from tests.unit.report.test_cohort import ATTACK, index, participants, quality, sheets, webp
from tests.unit.report.test_group_browser import printed


@pytest.fixture
def opened(browser, tmp_path):
    """Function that opens pages, the last as it is returned; a complaint of the browser or a request fails the test."""
    complaints, pages = [], []

    def opened(html, name="qc/index.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: request.url[:5] in ("file:", "data:", "blob:") or complaints.append(request.url)
        )
        page.goto(f"file://{path}")
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []


def people(page):
    return page.eval_on_selector_all("[data-who]", "all => all.filter(e => !e.hidden).map(e => e.dataset.who)")


def test_columns_sort_up_and_down_and_what_is_missing_comes_last(opened):
    page = opened(index())
    page.get_by_role("button", name="Grade of DWI").click()
    assert people(page) == ["sub-03", "sub-04", "sub-01", "sub-02"]
    page.get_by_role("button", name="Grade of DWI").click()
    assert people(page) == ["sub-01", "sub-04", "sub-03", "sub-02"]
    assert page.locator("th[aria-sort]").all_inner_texts() == ["Grade of DWI"]
    page.get_by_role("button", name="Status").click()
    assert people(page)[:2] == ["sub-02", "sub-01"]  # failed, then flagged
    page.get_by_role("button", name="Participant").click()
    assert people(page) == ["sub-01", "sub-02", "sub-03", "sub-04"]


@pytest.mark.parametrize(
    ("name", "choice", "left"),
    [
        ("flag", "any flag", ["sub-01"]),
        ("flag", "no flag", ["sub-03", "sub-04"]),
        ("flag", "failed", ["sub-02"]),
        ("flag", "DWI: mean FD", ["sub-01"]),
        ("group", "control", ["sub-03", "sub-04"]),
        ("site", "Y", ["sub-02", "sub-04"]),
        ("decision", "keep", ["sub-03"]),
        ("decision", "none yet", ["sub-01", "sub-02", "sub-04"]),
    ],
)
def test_a_filter_leaves_those_whom_it_names(opened, name, choice, left):
    page = opened(index())
    page.select_option(f"[name={name}]", label=choice)
    assert people(page) == left
    assert page.inner_text("#shown") == f"{len(left)} of 4 shown"
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("document.getElementById('shown').textContent === '4 of 4 shown'")


def test_a_search_and_a_filter_hold_together_and_in_the_strips(opened):
    page = opened(index())
    page.keyboard.press("/")
    page.keyboard.type("SUB-0")
    page.select_option("[name=group]", label="ALS")
    assert people(page) == ["sub-01", "sub-02"]
    seen = page.locator(".strip", has_text="Mean FD").locator("svg a:visible title").all_text_contents()
    assert seen == ["sub-01: 1.31 mm"]


def test_keys_go_from_one_to_the_next_of_those_in_view_and_open_the_page(opened):
    opened("<title>the page of sub-04</title>", "sub-04/sub-04.html")
    page = opened(index())
    focused = "document.activeElement.textContent"
    page.get_by_role("button", name="Participant").click()
    page.get_by_role("button", name="Participant").click()  # downwards
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    assert page.evaluate(focused) == "sub-04"
    page.keyboard.press("n")
    page.keyboard.press("n")  # sub-02 failed and has no page
    assert page.evaluate(focused) == "sub-01"
    page.keyboard.press("n")
    page.keyboard.press("p")
    page.keyboard.press("p")
    assert page.evaluate(focused) == "sub-04"
    page.keyboard.press("Enter")
    page.wait_for_function("document.title === 'the page of sub-04'")


def test_a_point_names_its_person_under_the_mouse_and_by_keys_and_is_linked(opened):
    opened("<title>the page of sub-03</title>", "sub-03/sub-03.html")
    page = opened(index())
    motion = page.locator(".strip", has_text="Mean FD")
    motion.locator("svg a", has_text="sub-01").hover()
    assert motion.locator(".now").first.inner_text() == "sub-01, 1.31 mm, outside the limits"
    slider = motion.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "sub-03, 0.2 mm"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "sub-04, 0.4 mm"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_function("document.title === 'the page of sub-03'")


def test_marks_on_a_contact_sheet_are_saved_as_decisions_that_the_study_reads(opened, tmp_path):
    page = opened(sheets()["tract"], "qc/sheets/tract.html")
    page.get_by_role("button", name="Save").click()
    assert page.inner_text("#told") == "Not saved: write your name."
    page.keyboard.press("n")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    assert page.inner_text("#told") == "1 marked."
    page.fill("#rater", " A  B\t")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save").click()
    saving.value.save_as(tmp_path / "decisions.tsv")
    table = read_table(tmp_path / "decisions.tsv", text=["session", "date"])
    read = collect_decisions([Source("decisions.tsv", table, {})], studied=["sub-03"], listed=["sub-03"])
    assert read.problems == []
    [row] = read.table.to_dict("records")
    assert [row[name] for name in ("participant_id", "modality", "decision", "reason", "rater")] == [
        "sub-03", "dwi", "exclude", "Corticospinal tract: seen on the contact sheet", "A B",
    ]  # fmt: skip


def test_hostile_text_stays_text(opened):
    people = pd.DataFrame([(f"{ATTACK}\"' onclick=x", ATTACK, "A"), (ATTACK, "B", "B")])
    people.columns = ["participant_id", "group", "site"]
    qc = quality().replace({"sub-01": ATTACK, "dwi": ATTACK, "brain": ATTACK})
    page = opened(index(people, qc, failed={}, thumbnails={ATTACK: webp()}))
    page.select_option("[name=flag]", index=4)
    assert page.inner_text("#shown") == "1 of 2 shown"
    assert page.evaluate("document.querySelectorAll('script').length") == 2


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(opened, width):
    for html in (index(), sheets()["tract"]):
        page = opened(html)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_two_hundred_people_are_on_an_index_below_10_mb_that_filters_at_once(opened):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (132, 450, 3), np.uint8)
    who = [f"sub-{n:03d}" for n in range(200)]
    one = quality().query("participant_id == 'sub-03'")
    qc = pd.concat([one.assign(participant_id=own) for own in who])
    qc = pd.concat([qc.assign(region=f"region_{n}", value=rng.normal(size=len(qc))) for n in range(10)])
    picture = to_webp(noise // 4 + 90)
    everybody = participants([(own, "ALS", "X") for own in who])
    started = time.process_time()
    html = index(everybody, qc, failed={}, decisions=[], thumbnails=dict.fromkeys(who, picture))
    assert time.process_time() - started < 10
    assert len(picture) > 13_000  # more than that of a real head
    assert len(html) < 10e6
    page = opened(html)
    page.fill("[name=who]", "sub-19")
    assert len(people(page)) == 10


def test_every_picture_of_a_contact_sheet_is_printed(opened):
    pictures = {f"sub-{n:02d}": {"tissue": webp(10 + 5 * n)} for n in range(40)}
    everybody = participants([(who, "ALS", "X") for who in pictures])
    page = opened(
        sheets(people=everybody, pictures=pictures, failed={}, decisions=[])["tissue"], "qc/sheets/tissue.html"
    )
    found = printed(page)
    assert sum(drawn for _, drawn in found) == len(pictures)
    assert all(glyphs > 10 for glyphs, _ in found)
