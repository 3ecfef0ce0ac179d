"""The reader's page in a browser: sides, keys, mouse, touch, rating, saving. Skipped where there is no Chromium."""

import base64
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mndmri.cohort.readings import load_readings
from mndmri.io import read_table
from mndmri.report.reader import reader_page
from mndmri.statistics.raters import rater_agreement
from mndmri.tables.decisions import collect_decisions
from mndmri.tables.rated import collect_ratings
from tests.unit.report.test_reader import case

AREAS = [(area, hemi) for area in ("leg", "hand", "face") for hemi in "LR"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    cases = [case(100_001), case(200_002, las=True), case(300_003, sizes=(2.0, 2.0, 2.0))]
    (folder / "cohort.html").write_text(reader_page(cases), encoding="utf-8")
    (folder / "one.html").write_text(reader_page(cases[:1]), encoding="utf-8")
    return folder


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def opened(context, pages):
    """Function that opens a page; what went wrong, and what was asked of a network, fails the test at its end."""
    complaints = []

    def opened(name="cohort.html"):
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: request.url[:5] in ("file:", "data:", "blob:") or complaints.append(request.url)
        )
        page.goto(f"file://{pages / name}")
        page.wait_for_selector("canvas[data-drawn]")
        return page

    yield opened
    assert complaints == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def settle(page):
    """Wait until what is shown has been drawn, a change of the window's size too, which is told later."""
    page.wait_for_timeout(100)
    page.wait_for_function("document.getElementById('view').getAttribute('aria-busy') === 'false'")


def drawn(page):
    """Case, layer, slice and display that stand on the canvas."""
    return page.get_attribute("canvas", "data-drawn").split()


def seen(page):
    """The canvas as the reader sees it, without the words on it, RGB."""
    png = base64.b64decode(page.evaluate("document.getElementById('view').toDataURL()").split(",")[1])
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"), int)


def bright_block(page):
    """Place of the bright block, as a share of the width and of the height of the picture."""
    page.locator("#width").fill("-100")  # a wide window, in which nothing else is white
    settle(page)
    grey = seen(page).sum(axis=2)
    rows, columns = np.nonzero(grey > 0.9 * grey.max())
    return columns.mean() / grey.shape[1], rows.mean() / grey.shape[0]


def rate(page, area, hemi, value):
    name = {"L": "left", "R": "right"}[hemi]
    page.get_by_label(f"{area}, {name}: {value}", exact=True).check(force=True)


def save(page, kind, folder):
    with page.expect_download() as download:
        page.click(f"#save-{kind}")
    assert download.value.suggested_filename == f"{kind}.tsv"
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("case_at", [0, 1], ids=["RAS", "LAS"])
def test_block_on_the_patients_left_stands_under_the_label_l_in_both_displays(opened, case_at):
    page = opened()
    press(page, *["n"] * case_at)
    for radiological in (True, False):
        across, down = bright_block(page)
        labels = [page.inner_text(f"#side-{side}") for side in ("left", "right")]
        assert labels == (["R", "L"] if radiological else ["L", "R"])
        assert (across > 0.5) == radiological
        assert labels[int(across > 0.5)] == "L"
        assert down < 0.3
        where = [page.locator(f"#side-{side}").bounding_box()["x"] for side in ("left", "right")]
        box = page.locator("canvas").bounding_box()
        assert where[0] < box["x"] + 0.1 * box["width"] and where[1] > box["x"] + 0.9 * box["width"]
        # ratings stand on the side of the picture on which their side of the body is
        assert page.inner_text("#ratings .first") == {"R": "right", "L": "left"}[labels[0]]
        press(page, "f")


def test_display_is_remembered(opened, context):
    page = opened()
    assert drawn(page)[3] == "radiological"
    press(page, "f")
    again = opened("one.html")
    assert drawn(again)[3] == "neurological"
    assert not again.is_checked("#radiological")


def test_slices_are_scrolled_by_wheel_arrows_and_slider(opened):
    page = opened()
    first = int(drawn(page)[2])
    press(page, "ArrowUp")
    assert int(drawn(page)[2]) == first + 1
    press(page, "ArrowDown", "ArrowDown")
    assert int(drawn(page)[2]) == first - 1
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -100)
    settle(page)
    assert int(drawn(page)[2]) == first
    page.mouse.wheel(0, 100)
    settle(page)
    assert int(drawn(page)[2]) == first - 1
    page.locator("#slice").fill("0")
    settle(page)
    assert drawn(page)[2] == "0"
    press(page, "End")
    assert page.inner_text("#place").startswith("slice ")


def test_slices_are_scrolled_by_touch(browser, pages):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"file://{pages / 'one.html'}")
    page.wait_for_selector("canvas[data-drawn]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first = int(drawn(page)[2])
    session = context.new_cdp_session(page)
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = lambda kind, *points: session.send(  # noqa: E731
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": px, "y": py, "id": n} for n, (px, py) in enumerate(points)]},
    )
    touch("touchStart", (x, y))
    for n in range(1, 4):
        touch("touchMove", (x, y - 15 * n))
    touch("touchEnd")
    settle(page)
    assert int(drawn(page)[2]) == first + 3
    before = float(page.locator("#bar").bounding_box()["width"])
    touch("touchStart", (x - 30, y), (x + 30, y))
    for n in range(1, 4):
        touch("touchMove", (x - 30 - 10 * n, y), (x + 30 + 10 * n, y))
    touch("touchEnd")
    settle(page)
    assert page.locator("#bar").bounding_box()["width"] == pytest.approx(2 * before, rel=0.1)
    context.close()


def test_layers_and_outlines_are_on_keys_and_outlines_are_off_at_first(opened):
    page = opened()
    plain = seen(page)
    assert np.ptp(plain, axis=2).max() == 0
    press(page, "o")
    coloured = np.ptp(seen(page), axis=2) > 40
    assert coloured.sum() > 500
    press(page, "o", "m")
    assert drawn(page)[1] == "mip"
    assert "minimum over 8 mm" in page.inner_text("#place")
    press(page, "m")
    assert drawn(page)[1] == "swi"
    press(page, "q")
    assert drawn(page)[1] == "qsm"
    assert "ppm" in page.inner_text("#shades")
    press(page, "s")
    assert (seen(page) == plain).all()


def test_window_can_be_changed_and_reset(opened):
    page = opened()
    shades, plain = page.inner_text("#shades"), seen(page)
    page.mouse.move(300, 300)
    page.mouse.down(button="right")
    page.mouse.move(300, 200, steps=4)
    page.mouse.up(button="right")
    settle(page)
    assert page.inner_text("#shades") != shades
    assert seen(page).mean() < plain.mean()  # a higher window is darker
    press(page, "w")
    assert page.inner_text("#shades") == shades
    page.locator("#centre").fill("30")
    settle(page)
    assert seen(page).mean() > plain.mean()


def test_zoom_enlarges_about_the_pointer_and_fits_again(opened):
    page = opened()
    plain, width = seen(page), page.locator("#bar").bounding_box()["width"]
    press(page, "+", "+", "+")
    assert page.locator("#bar").bounding_box()["width"] == pytest.approx(1.25**3 * width, rel=0.02)
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(380, 340, steps=3)
    page.mouse.up()
    settle(page)
    moved = seen(page)
    press(page, "0")
    assert (seen(page) == plain).all()
    assert (moved != plain).any()


def test_coarse_scan_says_so_and_others_do_not(opened):
    page = opened()
    assert page.locator("#coarse").is_hidden()
    press(page, "n", "n")
    assert "cannot be judged" in page.inner_text("#coarse")


def test_ratings_are_saved_as_they_were_given_and_read_back(opened, tmp_path):
    page = opened()
    page.fill("#rater", "AB")
    given = dict(zip(AREAS, ["0", "1", "2", "n/a", "0", "2"], strict=True))
    for (area, hemi), value in given.items():
        rate(page, area, hemi, value)
    page.select_option("#confidence", "high")
    page.fill("#comment", "vein\tbeside the\nband")
    assert page.inner_text("#total") == "no total: an area cannot be judged"
    page.click("#next")
    rate(page, "hand", "R", "1")
    assert page.inner_text("#total") == "1 of 6 rated"
    assert page.inner_text("#progress") == "1 of 3 cases rated"
    table = read_table(save(page, "ratings", tmp_path))
    assert "Not complete: 200002" in page.inner_text("#message")
    assert list(table) == ["case", "session", "rater", "region", "hemi", "rating", "confidence", "comment", "date"]
    assert table["case"].value_counts().to_dict() == {100_001: 6, 200_002: 1}
    first = table[table["case"] == 100_001]
    found = dict(zip(zip(first["region"], first["hemi"], strict=True), first["rating"], strict=True))
    assert {key: "n/a" if pd.isna(v) else f"{v:g}" for key, v in found.items()} == given
    assert set(first["confidence"]) == {"high"} and set(first["comment"]) == {"vein beside the band"}
    second = table[table["case"] == 200_002].set_index(["region", "hemi"])["rating"]
    assert second.to_dict() == {("hand", "R"): 1}
    assert set(table["rater"]) == {"AB"}
    assert pd.to_datetime(first["date"]).notna().all()


def test_what_two_raters_saved_goes_through_the_statistics(opened, tmp_path):
    cases = {"sub-01": 100_001, "sub-02": 200_002, "sub-03": 300_003}
    people = {"studied": list(cases), "listed": list(cases)}
    page = opened()
    for rater, values in (("AB", "012012"), ("CD", "012011")):
        page.fill("#rater", rater)
        page.locator("#rater").blur()
        for _ in cases:
            for (area, hemi), value in zip(AREAS, values, strict=True):
                rate(page, area, hemi, value)
            page.click("#next") if page.is_enabled("#next") else None
        page.get_by_label("SWI: exclude", exact=True).check(force=True)
        page.fill("[aria-label='Reason for excluding: SWI']", f"seen by {rater}")
        for kind in ("ratings", "decisions"):
            save(page, kind, tmp_path).rename(tmp_path / f"{rater}_{kind}.tsv")
        page.select_option("#case", index=0)
    found = collect_ratings(load_readings(str(tmp_path), "ratings", cases).sources, **people)
    assert found.problems == []
    participants = pd.DataFrame({"participant_id": list(cases), "group": "ALS"})
    measures = pd.DataFrame(columns=["participant_id", "modality", "measure", "region", "hemi", "value"])
    table = rater_agreement(found.table, measures, participants, groups=["ALS"]).query("second == 'CD'")
    agreed = table[table["statistic"] == "agreement"].set_index(["region", "hemi"])["estimate"]
    assert agreed["precentral_face", "R"] == 0
    assert agreed.drop([("precentral_face", "R"), ("precentral_face", "both"), ("precentral", "both")]).eq(100).all()
    decided = collect_decisions(load_readings(str(tmp_path), "decisions", cases).sources, **people)
    assert decided.problems == []
    assert list(decided.excluded) == ["sub-03"] and "seen by AB (AB, " in decided.excluded["sub-03"]["swi"]


def test_side_is_rated_the_same_in_both_displays(opened, tmp_path):
    page = opened("one.html")
    page.fill("#rater", "AB")
    rate(page, "leg", "L", "2")
    press(page, "Escape")
    page.locator("canvas").focus()
    press(page, "f")
    assert page.get_by_label("leg, left: 2", exact=True).is_checked()
    table = read_table(save(page, "ratings", tmp_path)).set_index(["region", "hemi"])["rating"]
    assert table.to_dict() == {("leg", "L"): 2}


def test_arrows_after_a_click_scroll_and_leave_the_rating_alone(opened):
    page = opened("one.html")
    first = int(drawn(page)[2])
    page.locator("label:has([aria-label='hand, left: 1'])").click()
    press(page, "ArrowUp", "ArrowUp")
    assert int(drawn(page)[2]) == first + 2
    assert page.get_by_label("hand, left: 1", exact=True).is_checked()


def test_decisions_need_a_reason_and_are_saved_by_modality(opened, tmp_path):
    page = opened("one.html")
    page.click("#save-decisions")
    assert "initials" in page.inner_text("#message")
    page.fill("#rater", "AB")
    page.get_by_label("SWI: exclude", exact=True).check(force=True)
    page.get_by_label("QSM: keep", exact=True).check(force=True)
    page.click("#save-decisions")
    assert "Give the reason for excluding: SWI of case 100001" in page.inner_text("#message")
    page.fill("[aria-label='Reason for excluding: SWI']", "motion")
    table = read_table(save(page, "decisions", tmp_path))
    assert list(table) == ["case", "session", "modality", "decision", "reason", "rater", "date"]
    assert table[["modality", "decision"]].to_numpy().tolist() == [["swi", "exclude"], ["qsm", "keep"]]
    assert table["reason"].fillna("").tolist() == ["motion", ""]


def test_what_was_entered_is_there_again_and_is_the_raters_own(opened):
    page = opened("one.html")
    rate(page, "leg", "L", "2")  # before a name was given
    page.fill("#rater", "AB")
    page.locator("#rater").blur()
    assert page.get_by_label("leg, left: 2", exact=True).is_checked()
    again = opened("one.html")
    assert again.input_value("#rater") == "AB"
    assert again.get_by_label("leg, left: 2", exact=True).is_checked()
    again.fill("#rater", "CD")
    again.locator("#rater").blur()
    assert not again.get_by_label("leg, left: 2", exact=True).is_checked()


def test_a_case_of_the_same_number_in_another_study_is_not_rated(opened, pages):
    """The number follows from the participant's id, which many studies have; the pictures are others."""
    page = opened("one.html")
    page.fill("#rater", "AB")
    page.locator("#rater").blur()
    rate(page, "leg", "L", "2")
    (pages / "other.html").write_text(reader_page([case(100_001, sizes=(2.0, 2.0, 2.0))]), encoding="utf-8")
    other = opened("other.html")
    assert other.input_value("#rater") == "AB"
    assert not other.get_by_label("leg, left: 2", exact=True).is_checked()
    assert opened("one.html").get_by_label("leg, left: 2", exact=True).is_checked()


def test_cases_are_gone_through_by_keys(opened):
    page = opened()
    press(page, "n")
    assert drawn(page)[0] == "200002"
    press(page, "p")
    assert drawn(page)[0] == "100001"
    page.focus("#comment")
    press(page, "n")
    assert drawn(page)[0] == "100001"  # a letter that is written
