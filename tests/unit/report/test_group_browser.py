"""The study's page in a browser: on a narrow screen, and printed. Skipped where there is no Chromium."""

import re
import zlib
from io import BytesIO

import pandas as pd
import pytest
from PIL import Image

from mndmri.report.pages import Picture, Section
from tests.unit.report.test_pages import FLOW, _group


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


def png(width, height):
    stream = BytesIO()
    Image.new("RGB", (width, height), "grey").save(stream, "png")
    return stream.getvalue()


def printed(page):
    """Number of glyphs and of pictures on each printed page.

    Chromium writes objects one by one, text as hexadecimal glyphs of four digits, and names a picture by its object.
    """
    pdf = page.pdf(format="A4")
    objects = {int(n): body for n, body in re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", pdf, re.S)}
    found = []
    for body in objects.values():
        if re.search(rb"/Type /Page\b", body):
            contents = objects[int(re.search(rb"/Contents (\d+)", body)[1])]
            stream = zlib.decompress(contents.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0])
            glyphs = sum(len(text) // 4 for text in re.findall(rb"<([0-9A-F]+)>", stream))
            drawn = [objects[int(n)] for n in re.findall(rb"/X(\d+) Do", stream)]
            found.append((glyphs, sum(b"/Subtype /Image" in own for own in drawn)))
    return found


def test_no_printed_page_is_empty_and_each_picture_is_on_one(browser):
    table = pd.DataFrame(
        {"measure": [f"measure {n}" for n in range(120)], "note": "variance estimated from 3 people; " * 4}
    )
    pictures = [
        Picture(f"Map {n}", "Slices.", png(1232, height), wide=True) for n, height in enumerate((934, 300, 2600))
    ]
    sections = [Section("Long", "A note.", table), Section("Maps", "", None, pictures)]
    page = opened(browser, _group(sections=sections, pictures=[]))
    pages = printed(page)
    assert len(pages) > 5
    assert all(glyphs > 2 * len("10 / 10") for glyphs, _ in pages)  # each has more than its number
    assert sum(drawn for _, drawn in pages) == len(pictures)  # one that is cut would be drawn on two
    page.close()
