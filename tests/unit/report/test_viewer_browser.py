"""The viewer in a browser: sides, places, overlays, keys, and words where it cannot run. Skipped without Chromium."""

import base64
import re
from io import BytesIO

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mndmri.report.brain_maps import ComparedMaps, map_sections
from tests.unit import viewed
from tests.unit.report import test_brain_maps
from tests.unit.report.test_pages import PICTURE, _group
from tests.unit.viewed import GAIN, LEFT_FRONT, LEFT_LOSS, LOSS, RIGHT_BACK, RIGHT_PEAK

NUMBER = r"(-?\d+(?:\.\d+)?)"
ORANGE, BLUE = (230, 159, 0), (86, 180, 233)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    made = {
        "RAS": [viewed.t1w()],
        "LPI": [viewed.t1w("LPI")],
        "oblique": [viewed.t1w("LAS", 12)],
        "person": [viewed.t1w(), viewed.dwi(), viewed.swi()],
        "map": [viewed.group_map(), viewed.group_map(contrast="all", name="F", peak=RIGHT_PEAK)],
    }
    for name, scenes in made.items():
        (folder / f"{name}.html").write_text(viewed.page(*scenes), encoding="utf-8")
    return folder


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def opened(context, pages):
    """Function that opens a page; a complaint of the browser or a request fails the test at its end."""
    complaints = []

    def opened(name, end=""):
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda request: request.url[:5] in ("file:", "data:", "blob:") or complaints.append(request.url)
        )
        page.goto(f"file://{pages / name}.html{end}")
        page.wait_for_selector("body[data-drawn]")
        return page

    yield opened
    assert complaints == []


def seen(page, plane):
    """A plane as it is seen, without its letters and without the cross, RGB."""
    page.uncheck("#cross")
    uri = page.evaluate(f"document.querySelector('#{plane} canvas').toDataURL()")
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"), int)


def middle(pixels):
    """Middle of pixels, as a share of the width and of the height of the picture."""
    rows, columns = np.nonzero(pixels)
    return columns.mean() / pixels.shape[1], rows.mean() / pixels.shape[0]


def coloured(picture, colour, tolerance=8):
    return (np.abs(picture - colour) <= tolerance).all(axis=-1)


def letters(page, plane):
    return {side: page.inner_text(f"#{plane} .{side}") for side in ("left", "right", "above", "below")}


def go(page, xyz):
    page.fill("#mm", ", ".join(f"{v:g}" for v in xyz))
    page.click("#go button")
    page.evaluate("document.activeElement.blur()")


def told(page):
    """Place in mm, voxel of the file, and the whole line."""
    line = page.inner_text("#where")
    mm = re.match(rf"x {NUMBER}, y {NUMBER}, z {NUMBER} mm", line)
    voxel = re.search(rf"voxel {NUMBER}, {NUMBER}, {NUMBER} of", line)
    return tuple(map(float, mm.groups())), tuple(map(int, voxel.groups())), line


def planted(storage, degrees, xyz):
    """Voxel of the file that is nearest to a place, and that voxel's own place."""
    image = viewed.stored(viewed.head, storage, degrees)
    voxel = np.rint(nb.affines.apply_affine(np.linalg.inv(image.affine), xyz)).astype(int)
    return tuple(voxel), nb.affines.apply_affine(image.affine, voxel)


@pytest.mark.parametrize("name", ["RAS", "LPI", "oblique"])
def test_what_is_on_the_participants_left_stands_on_the_side_of_the_letter_l(opened, name):
    page = opened(name)
    page.locator("#opacity").fill("0")
    for convention in ("neurological", "radiological"):
        assert page.get_attribute("body", "data-drawn").split()[3] == convention
        for plane in ("axial", "coronal"):
            go(page, LEFT_FRONT)
            bright, _ = middle(seen(page, plane).min(axis=2) > 200)
            ends = letters(page, plane)
            assert ends["left" if bright < 0.5 else "right"] == "L"
            assert {ends["left"], ends["right"]} == {"L", "R"}
            assert (ends["left"] == "L") == (convention == "neurological")
            go(page, RIGHT_BACK)
            grey_matter, _ = middle(coloured(seen(page, plane), ORANGE, 40))
            assert ends["left" if grey_matter < 0.5 else "right"] == "R"
        page.keyboard.press("f")


def test_front_and_top_stand_at_their_letters(opened):
    page = opened("RAS")
    page.locator("#opacity").fill("0")
    go(page, LEFT_FRONT)
    across, down = middle(seen(page, "sagittal").min(axis=2) > 200)
    ends = letters(page, "sagittal")
    assert (ends["left"], ends["right"], ends["above"], ends["below"]) == ("P", "A", "S", "I")
    assert across > 0.6 and down < 0.4
    _, down = middle(seen(page, "axial").min(axis=2) > 200)
    assert letters(page, "axial")["above"] == "A" and down < 0.4


@pytest.mark.parametrize(("name", "storage", "degrees"), [("RAS", "RAS", 0), ("LPI", "LPI", 0), ("oblique", "LAS", 12)])
def test_a_place_is_told_in_mm_and_as_the_voxel_of_the_file(opened, name, storage, degrees):
    page = opened(name)
    go(page, LEFT_FRONT)
    voxel, xyz = planted(storage, degrees, LEFT_FRONT)
    mm, index, line = told(page)
    assert index == voxel and np.allclose(mm, xyz, atol=0.06)
    assert "sub-01_T1w.nii.gz" in line and "(scanner)" in line and "brain mask" in line and "grey matter" not in line
    go(page, RIGHT_BACK)
    assert "in: grey matter" in told(page)[2]


@pytest.mark.parametrize("radiological", [False, True])
def test_a_click_on_the_block_goes_to_its_place(opened, radiological):
    page = opened("RAS")
    page.locator("#opacity").fill("0")
    page.locator("#radiological").set_checked(radiological)
    go(page, (0, 0, LEFT_FRONT[2]))
    x, y = middle(seen(page, "axial").min(axis=2) > 200)
    box = page.locator("#axial canvas").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    assert np.allclose(told(page)[0], planted("RAS", 0, LEFT_FRONT)[1], atol=5.1)


def test_arrows_move_on_the_screen_and_page_keys_through_the_slices(opened):
    page = opened("RAS")
    go(page, (0, 0, 0))
    for convention, sign in (("neurological", 1), ("radiological", -1)):
        page.locator("#axial canvas").focus()
        (x, y, z), *_ = told(page)
        page.keyboard.press("ArrowRight")
        assert told(page)[0] == (x + sign * viewed.ZOOMS[0], y, z), convention
        page.keyboard.press("ArrowUp")
        page.keyboard.press("PageUp")
        assert told(page)[0] == (x + sign * viewed.ZOOMS[0], y + viewed.ZOOMS[1], z + viewed.ZOOMS[2])
        page.locator("#sagittal canvas").focus()
        page.keyboard.press("ArrowRight")
        assert told(page)[0][1] == y + 2 * viewed.ZOOMS[1]
        page.keyboard.press("f")
    for _ in range(99):
        page.keyboard.press("PageDown")
    assert "in none of the outlines" in told(page)[2]


def test_wheel_and_sliders_change_the_slice(opened):
    page = opened("RAS")
    go(page, (0, 0, 0))
    z = told(page)[0][2]
    page.locator("#axial canvas").hover()
    page.mouse.wheel(0, -100)
    page.wait_for_function("z => document.getElementById('where').textContent.includes(z)", arg=f"z {z + 5:.1f}")
    page.locator("#coronal input").fill("0")
    assert told(page)[0][1] < -70


def test_overlays_are_switched_and_fade_to_their_outline(opened):
    page = opened("RAS")
    go(page, RIGHT_BACK)
    page.locator("#opacity").fill("100")
    filled = coloured(seen(page, "axial"), ORANGE).sum()
    page.locator("#opacity").fill("0")
    outlined = coloured(seen(page, "axial"), ORANGE, 40).sum()
    assert 0 < outlined < 0.6 * filled
    page.get_by_label("grey matter").uncheck()
    assert not coloured(seen(page, "axial"), ORANGE, 40).any()
    assert "in: grey matter" in told(page)[2]
    page.keyboard.press("1")
    assert coloured(seen(page, "axial"), ORANGE, 40).sum() == outlined
    assert page.get_by_label("grey matter").is_checked()
    page.keyboard.press("]")
    assert page.input_value("#opacity") == "10"


@pytest.mark.parametrize("radiological", [False, True])
def test_streamlines_are_lines_on_their_side_near_the_slice_alone(opened, radiological):
    page = opened("person")
    page.select_option("#scene", label="FA with the tract")
    page.wait_for_selector("body[data-drawn^='1 ']")
    page.locator("#radiological").set_checked(radiological)
    for n in range(3):  # the tracts, and streamlines of the right
        if n != 2:
            page.keyboard.press(str(n + 1))
    page.locator("#opacity").fill("0")

    def difference(plane, xyz):
        go(page, xyz)
        page.get_by_label("streamlines left").check()
        with_lines = seen(page, plane)
        page.get_by_label("streamlines left").uncheck()
        return np.abs(with_lines - seen(page, plane)).max(axis=2) > 40

    drawn = difference("coronal", (-30, 0, 0))
    across, down = middle(drawn)
    side = letters(page, "coronal")["left" if across < 0.5 else "right"]
    assert side == "L" and 0.35 < down < 0.65
    rows, columns = np.nonzero(drawn)
    assert np.ptp(columns) <= 4 and np.ptp(rows) > 0.2 * drawn.shape[0]  # a line, not an area
    assert not difference("coronal", (-30, 9, 0)).any()


def test_a_mark_that_is_hidden_first_is_drawn_when_asked_for(opened):
    page = opened("RAS")
    go(page, (0, 0, 0))
    yellow = (240, 228, 66)
    assert not coloured(seen(page, "coronal"), yellow, 40).any()
    page.keyboard.press("3")
    assert coloured(seen(page, "coronal"), yellow, 40).any()


def test_images_take_each_others_place_and_scenes_keep_the_place(opened):
    page = opened("person")
    assert not page.locator("#image").is_visible()
    go(page, (-20, 5, 12))
    page.select_option("#scene", label="FA with the tract")
    page.wait_for_selector("body[data-drawn^='1 ']")
    assert np.allclose(told(page)[0], (-20, 5, 12), atol=4)
    colours = seen(page, "coronal")
    assert (colours[..., 2] > colours[..., 0] + 100).any()
    page.keyboard.press("i")
    assert page.locator("#image option:checked").inner_text() == "FA"
    assert "FA ≈ 0.8" in told(page)[2]
    page.select_option("#scene", label="SWI and QSM with regions")
    page.wait_for_selector("body[data-drawn^='2 ']")
    assert "deep posterior bank" in page.inner_text("#marks")
    page.keyboard.press("i")
    assert "QSM" in told(page)[2] and "ppm" in told(page)[2]


def test_a_value_at_an_end_of_the_grey_scale_is_said_as_a_limit_and_black_as_none(opened):
    page = opened("RAS")
    go(page, LEFT_FRONT)
    assert "T1w ≥ 2" in told(page)[2]
    go(page, (-60, 78, 62))
    assert "T1w: none, or at most" in told(page)[2]


def test_a_print_has_the_slices_and_no_controls(opened):
    page = opened("RAS")
    page.emulate_media(media="print")
    assert page.locator("#axial canvas").is_visible() and page.locator("#marks").is_visible()
    for hidden in ("details", "#go", ".plane > label", "header label", ".slider"):
        for own in page.locator(hidden).all():
            assert not own.is_visible(), hidden
    # the letters of the sides stand on the black of the slices, whatever the colour of the page
    assert page.evaluate("getComputedStyle(document.querySelector('#axial .left')).color") == "rgb(255, 255, 255)"


def test_zoom_keeps_the_cross_in_view_and_reset_undoes_it(opened):
    page = opened("RAS")
    page.locator("#opacity").fill("0")
    go(page, LEFT_FRONT)
    small = (seen(page, "axial").min(axis=2) > 200).mean()
    for _ in range(3):
        page.keyboard.press("+")
    large = seen(page, "axial").min(axis=2) > 200
    assert large.mean() > 2.5 * small
    page.keyboard.press("0")
    assert (seen(page, "axial").min(axis=2) > 200).mean() == pytest.approx(small)


def test_a_map_has_its_values_its_colours_and_both_coordinates(opened):
    page = opened("map")
    go(page, LEFT_LOSS)
    mm, voxel, line = told(page)
    assert np.allclose(mm, LEFT_LOSS, atol=0.7) and voxel == (10, 18, 25)
    assert f"t = {LOSS}" in line and "p < 0.05" in line and "(MNI)" in line
    picture = seen(page, "axial")
    blue, _ = middle(picture[..., 2] > picture[..., 0] + 60)
    red, _ = middle(picture[..., 0] > picture[..., 2] + 25)
    assert blue < 0.5 < red and letters(page, "axial")["left"] == "L"
    go(page, RIGHT_PEAK)
    assert f"t = {GAIN:.2f}" in told(page)[2] and "in none" in told(page)[2]
    page.keyboard.press("c")
    page.keyboard.press("1")
    picture = seen(page, "axial")
    assert (np.ptp(picture, axis=2) < 3).all()
    page.select_option("#scene", label="all")
    page.wait_for_selector("body[data-drawn^='1 ']")
    assert f"F = {GAIN:.2f}" in told(page)[2]
    assert page.inner_text("#low") == "0.0"


def test_the_end_of_a_link_opens_its_scene_at_its_place_also_when_it_changes(opened):
    page = opened("map", f"#2,{RIGHT_PEAK[0]:g},{RIGHT_PEAK[1]:g},{RIGHT_PEAK[2]:g}")
    assert page.locator("#scene option:checked").inner_text() == "all"
    assert np.allclose(told(page)[0], RIGHT_PEAK, atol=0.7) and f"F = {GAIN:.2f}" in told(page)[2]
    page.evaluate(f"location.hash = '1,{LEFT_LOSS[0]},{LEFT_LOSS[1]},{LEFT_LOSS[2]}'")
    page.wait_for_selector("body[data-drawn^='0 ']")
    assert np.allclose(told(page)[0], LEFT_LOSS, atol=0.7) and f"t = {LOSS}" in told(page)[2]


ENDS = [
    "#",
    "#where",
    "#0,1,2,3",
    "#9,1,2,3",
    "#1,2,3",
    "#2,1,2,3,4",
    "#1e9,0,0,0",
    "#2,0x1,0,0",
    "#2,<b>,0,0",
    "#2,NaN,0,0",
]


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_link_that_is_no_place_opens_the_first_scene(opened, end):
    page, plain = opened("map", end), opened("map")
    assert told(page) == told(plain) and page.inner_text("#said") == ""
    assert page.locator("#scene option:checked").inner_text() == "ALS-control"


def test_the_end_of_a_link_that_lies_outside_is_said(opened):
    page = opened("map", "#2,900,0,0")
    assert "outside" in page.inner_text("#said")
    assert page.locator("#scene option:checked").inner_text() == "all"


def test_a_click_on_a_row_of_clusters_opens_the_viewer_at_the_peak(context, pages):
    row = {"contrast": "all", "direction": "different", "cluster": 1, "cluster_ml": 2.0, "hemi": "R", "statistic": GAIN}
    row |= dict(zip("xyz", RIGHT_PEAK, strict=True)) | {"p_fwe": 0.01}
    [_, none], columns = [test_brain_maps.summary().to_dict("records"), test_brain_maps.summary().columns]
    rows = [none, none | {"contrast": "ALS-control", "maps": "one"}, none | {"contrast": "all", "maps": "two"}]
    found = ComparedMaps(pd.DataFrame(rows, columns=columns), pd.DataFrame([row]), {"two": PICTURE.png})
    (pages / "report.html").write_text(_group(sections=map_sections({"vbm": found})), encoding="utf-8")
    (pages / "vbm").mkdir()
    (pages / "vbm" / "viewer.html").write_text((pages / "map.html").read_text(encoding="utf-8"), encoding="utf-8")
    page = context.new_page()
    page.goto(f"file://{pages / 'report.html'}")
    cell = page.get_by_role("cell", name="different")  # not the link's own
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.wait_for_url("**/vbm/viewer.html#*")
    page.wait_for_selector("body[data-drawn^='1 ']")
    assert np.allclose(told(page)[0], RIGHT_PEAK, atol=0.7)


def test_what_is_no_place_is_said(opened):
    page = opened("RAS")
    before = told(page)
    go(page, (900, 0, 0))
    assert "outside" in page.inner_text("#said") and told(page) == before
    page.fill("#mm", "left")
    page.click("#go button")
    assert "Three numbers" in page.inner_text("#said")


def test_display_is_remembered(opened):
    page = opened("RAS")
    page.keyboard.press("f")
    again = opened("LPI")
    assert again.is_checked("#radiological") and letters(again, "axial")["left"] == "R"


def test_a_tap_goes_to_its_place(browser, pages):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"file://{pages / 'RAS.html'}")
    page.wait_for_selector("body[data-drawn]")
    box = page.locator("#axial canvas").bounding_box()
    page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    (x, y, _), *_ = told(page)
    assert x < -20 and y > 20
    context.close()


@pytest.mark.parametrize("name", ["person", "map"])
def test_nothing_is_wider_than_a_narrow_screen(opened, context, name):
    page = opened(name)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for plane in ("axial", "coronal", "sagittal"):
        assert page.locator(f"#{plane} canvas").bounding_box()["width"] > 200


BROKEN = {
    "too old": ("delete window.DecompressionStream", "too old"),
    "pictures cannot be read": (
        "const own = CanvasRenderingContext2D.prototype.getImageData;"
        "CanvasRenderingContext2D.prototype.getImageData = function (...all) {"
        "const found = own.apply(this, all); found.data.fill(255); return found; }",
        "protection",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_browser_that_cannot_show_it_says_so_and_leads_to_the_still_pictures(context, pages, broken):
    script, reason = BROKEN[broken]
    page = context.new_page()
    page.add_init_script(script)
    page.goto(f"file://{pages / 'RAS.html'}")
    page.wait_for_selector("#failed:has-text('cannot be shown')")
    alert = page.locator("#failed")
    assert alert.is_visible() and reason in alert.inner_text()
    assert alert.locator("a").get_attribute("href") == "sub-01.html"


def test_a_scene_that_cannot_be_unpacked_leaves_the_name_of_the_one_that_is_shown(context, pages):
    page = context.new_page()
    page.goto(f"file://{pages / 'person.html'}")
    page.wait_for_selector("body[data-drawn^='0 ']")
    page.evaluate("() => { window.Image = function () { throw new Error('no memory.'); }; }")
    page.select_option("#scene", index=1)
    page.wait_for_selector("#failed:has-text('no memory')")
    assert page.locator("#scene option:checked").inner_text() == "T1w with tissue"


def test_a_page_without_scenes_says_so(opened, pages, context):
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    (pages / "nothing.html").write_text(viewed.page(), encoding="utf-8")
    page.goto(f"file://{pages / 'nothing.html'}")
    assert "no contrast could be tested" in page.locator("#failed").inner_text() and not errors
    assert not opened("RAS").locator("#failed").is_visible()


def test_without_scripts_the_page_says_so(browser, pages):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"file://{pages / 'RAS.html'}")
    assert "runs no script" in page.locator("#failed").inner_text()
    page.close()
