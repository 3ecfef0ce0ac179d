"""The reader's page: what it carries, and what nobody can find in it."""

import base64
import json
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mndmri.report import reader
from mndmri.report.reader import case_number, cases_in, encode_case, reader_page
from mndmri.susceptibility.reading import read_strip
from tests.unit.strips import head

CASE = 424242
IMAGE = re.compile(r"data:image/webp;base64,([A-Za-z0-9+/=]+)")
# Chunks of a WebP file that hold pixels and nothing else (Google, WebP Container Specification).
PIXELS = {b"VP8 ", b"VP8L"}


def case(number=CASE, **options):
    own = head(**options)
    return encode_case(
        number, **read_strip(own["masks"], own["table"], own["mni_mm"], swi=own["swi"], chi=own["chi"])._asdict()
    )


def chunks(image):
    """Names of the chunks of a WebP file."""
    assert image[:4] == b"RIFF" and image[8:12] == b"WEBP"
    found, at = [], 12
    while at < len(image):
        found.append(image[at : at + 4])
        size = int.from_bytes(image[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return found


@pytest.fixture(scope="module")
def page():
    return reader_page([case()])


def test_a_case_holds_its_number_and_its_pictures_and_nothing_else():
    assert set(json.loads(case())) == {
        *("case", "pictures", "columns", "rows", "pixel_mm", "mni_z_mm", "first", "projected_mm", "too_coarse"),
        *("layers", "outlines"),
    }


def test_a_case_is_known_by_its_pictures_wherever_it_is_made():
    known = [json.loads(made)["pictures"] for made in (case(), case(las=True), case(sizes=(2.0, 2.0, 2.0)))]
    assert known[0] == known[1] != known[2]


def test_neither_group_nor_score_nor_person_can_be_found_in_the_page(page):
    text = IMAGE.sub("", page)
    assert len(text) < 60_000
    words = set(re.findall(r"[a-z0-9]+", text.lower()))
    assert not words & {
        "als",
        "pls",
        "hc",
        "control",
        "controls",
        "patients",
        "sub",
        "participant",
        "mcli",
        "age",
        "sex",
    }
    assert "score" not in text.replace("Neither group nor automated score is in this file", "")
    assert "band_darkness" not in text and "norms" not in words


def test_pictures_carry_no_metadata(page):
    pictures = [base64.b64decode(found) for found in IMAGE.findall(page)]
    assert len(pictures) > 20
    for picture in pictures:
        assert set(chunks(picture)) <= PIXELS
        assert not Image.open(BytesIO(picture)).getexif()


def test_pictures_differ_little_from_the_slices():
    own = head()
    layers = read_strip(own["masks"], own["table"], own["mni_mm"], swi=own["swi"]).layers
    sent = json.loads(case())["layers"]["swi"]["slices"]
    for grey, uri in zip(layers["swi"].slices, sent, strict=True):
        shown = np.asarray(Image.open(BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L"), float)
        assert np.sqrt(np.mean((shown - grey) ** 2)) < 4


def test_page_asks_for_nothing(page):
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    text = IMAGE.sub("", page)
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|WebSocket|sendBeacon|import\(", text)


def test_cases_of_a_page_can_be_put_on_another():
    both = [case(100_001), case(100_002)]
    assert [case_number(own) for own in cases_in(reader_page(both))] == [100_001, 100_002]
    assert cases_in(reader_page(both)) == both


def test_nothing_in_a_case_ends_its_element():
    own = head()
    read = read_strip(own["masks"], own["table"], own["mni_mm"], swi=own["swi"])
    hostile = encode_case(1, **read._replace(too_coarse="</script><script>alert(1)</script>")._asdict())
    assert "<" not in hostile
    assert json.loads(hostile)["too_coarse"] == "</script><script>alert(1)</script>"


def test_templates_of_the_page_go_with_the_package():
    names = {path.name for path in (Path(reader.__file__).parent / "templates").iterdir()}
    assert {"reader.html.j2", "reader.css", "reader.js"} <= names
