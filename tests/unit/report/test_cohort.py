"""Pages of the whole cohort: what stands on them, of everybody and of nobody else."""

import json
import re
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mndmri.report.cohort import STEPS, contact_sheets, qc_index
from mndmri.tables.grades import grade_rows
from mndmri.tables.qc import QC_COLUMNS, robust_outliers
from tests.unit.report.test_pages import ATTACK, VERSIONS, _measures, _Page, _qc

PEOPLE = [("sub-01", "ALS", "X"), ("sub-02", "ALS", "Y"), ("sub-03", "control", "X"), ("sub-04", "control", "Y")]
SAID = {"participant_id": "sub-03", "modality": "dwi", "decision": "keep", "reason": "", "rater": "AB", "date": ""}


def webp(grey=90, size=(90, 30)):
    stream = BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(stream, "webp")
    return stream.getvalue()


def quality():
    """Mean framewise displacement 1.31, 0.2 and 0.4 mm of the first, third and fourth; the second failed."""
    parts = pd.DataFrame(
        [("resolution_rms", 1.0, "mm"), ("noise_to_contrast", 0.0466, "1"), ("inhomogeneity_to_contrast", 0.2178, "1")],
        columns=["measure", "value", "unit"],
    ).assign(modality="t1w", region="brain", hemi="both", flag="no", reason="")
    people = [("sub-01", 1.31), ("sub-03", 0.2), ("sub-04", 0.4)]
    rows = pd.concat([_qc(who, fd=fd) for who, fd in people] + [parts.assign(participant_id=who) for who, _ in people])
    return pd.concat([rows, grade_rows(rows, max_motion_mm=1.0)], ignore_index=True)


def options(**changes):
    own = {
        "failed": {"sub-02": "fit_tensor: 33 entries"},
        "versions": VERSIONS,
        "decisions": [SAID],
        "site": "site",
    }
    return own | changes


def participants(people=PEOPLE):
    return pd.DataFrame(people, columns=["participant_id", "group", "site"])


def index(people=None, qc=None, **changes):
    given = {"thumbnails": {"sub-01": webp()}, "sheets": ["tract", "brain_mask"]} | changes
    return qc_index(participants() if people is None else people, quality() if qc is None else qc, **options(**given))


def sheets(**changes):
    pictures = {who: {name: webp(30 * n + 20) for n, name in enumerate(STEPS)} for who, _, _ in PEOPLE[:3]}
    del pictures["sub-02"]["tract"]
    given = {"people": participants(), "qc": quality(), "pictures": pictures} | changes
    tables = (given.pop("people"), given.pop("qc"), given.pop("pictures"))
    return contact_sheets(*tables, **options(**given))


def values(html):
    """Data of the strips."""
    return json.loads(re.search(r'<script type="application/json" id="values">(.*?)</script>', html, re.S)[1])


@pytest.mark.parametrize("make", [index, lambda: sheets()["tract"]], ids=["index", "sheet"])
def test_a_page_is_whole_and_loads_nothing_from_elsewhere(make):
    html = make()
    page = _Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert not {"link", "iframe", "object"} & {tag for tag, _ in page.found}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp", html)
    assert set(re.findall(r"https?://[^\"]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert all(attrs["src"].startswith("data:image/webp;base64,") for attrs in page.attributes("img"))
    assert "For research use only" in " ".join(page.text)


def test_index_links_every_page_that_exists_and_marks_what_to_look_at():
    page = _Page(index())
    links = [attrs["href"] for attrs in page.attributes("a")]
    assert [link for link in links if "sub-" in link] == [f"../sub-{n}/sub-{n}.html" for n in ("01", "03", "04")]
    text = " ".join(" ".join(page.text).split())
    assert "4 participants · 1 with a flag · 1 failed" in text
    assert "DWI: mean FD, brain: 1.31 is above 1" in text
    assert "fit_tensor: 33 entries" in text
    assert [attrs["alt"] for attrs in page.attributes("img")] == ["Slices of sub-01"]


def test_index_links_the_viewers_that_there_are():
    links = [attrs["href"] for attrs in _Page(index(viewers=["sub-03"])).attributes("a")]
    assert [link for link in links if "viewer" in link] == ["../sub-03/sub-03_viewer.html"]


def test_index_links_the_contact_sheets_that_there_are_in_the_order_of_the_steps():
    links = [attrs["href"] for attrs in _Page(index()).attributes("a")]
    assert [link for link in links if "sheets/" in link] == ["sheets/brain_mask.html", "sheets/tract.html"]
    assert "sheets/" not in index(sheets=[])


def test_index_takes_flags_of_limits_and_of_outliers_in_one_table():
    people = [(f"sub-{n}", "ALS", "X") for n in range(8)]
    measures = pd.concat([_measures(who, "ALS") for who, _, _ in people], ignore_index=True)
    far = (measures["participant_id"] == "sub-7") & (measures["measure"] == "fa")
    measures["value"] += measures["participant_id"].str[-1].astype(int) * 0.001
    measures.loc[far, "value"] = 0.1
    qc = pd.concat([_qc("sub-0"), robust_outliers(measures, [("dwi", "fa", "cst")], limit=3.5)], ignore_index=True)
    text = " ".join(_Page(index(participants(people), qc, failed={}, thumbnails={})).text)
    assert "8 participants · 2 with a flag · 0 failed" in text
    assert "DWI: robust z FA, CST, left: 0.1 is far from the median of group ALS" in text


def test_grades_stand_in_the_row_with_their_parts():
    row = _Page(index()).rows_with("sub-03")[0]
    graded = " ".join(" ".join(row).split())
    # 1 mm is mark 2 of resolution, noise and bias are at mark 1: ((2^8 + 1) / 2)^(1/8) = 1.834
    assert "B 87%resolution B · noise A · bias A" in graded
    assert "B+ 88%" in graded  # 0.2 of 1 mm: mark 1.7
    assert "sub-02" in index() and not re.search(r"\d%", " ".join(_Page(index()).rows_with("sub-02")[0]))


def test_strips_have_everybodys_value_in_the_order_of_the_people_with_the_limits():
    found = values(index())
    assert [person["id"] for person in found["people"]] == ["sub-01", "sub-02", "sub-03", "sub-04"]
    assert [person["page"] for person in found["people"]][1] == ""
    motion = next(own for own in found["measures"] if own["name"] == "Mean FD")
    assert motion["values"] == [1.31, None, 0.2, 0.4]
    assert (motion["lower"], motion["upper"], motion["unit"], motion["modality"]) == (None, 1.0, "mm", "DWI")
    # a measure that nobody has is not drawn
    assert not any("vein" in own["name"] for own in found["measures"])


def test_a_contact_sheet_shows_everybody_who_has_the_step_and_names_the_others():
    made = sheets()
    assert list(made) == list(STEPS)
    page = _Page(made["tract"])
    assert [attrs["alt"] for attrs in page.attributes("img")] == [
        "Corticospinal tract of sub-01",
        "Corticospinal tract of sub-03",
    ]
    links = [attrs["href"] for attrs in page.attributes("a")]
    assert "../../sub-01/sub-01.html" in links and "../index.html" in links
    assert "Without a picture: sub-02, sub-04." in " ".join(page.text)
    assert sheets(pictures={"sub-01": {"tissue": webp()}}).keys() == {"tissue"}
    assert sheets(pictures={}) == {}


def test_nothing_from_a_table_is_markup_or_script():
    people = pd.DataFrame([(ATTACK, ATTACK, ATTACK)], columns=["participant_id", "group", "site"])
    qc = _qc(ATTACK).assign(reason=ATTACK, region=ATTACK, unit=ATTACK, measure=ATTACK)
    attacked = {"failed": {ATTACK: ATTACK}, "pages": [ATTACK], "versions": {ATTACK: ATTACK}}
    attacked["decisions"] = [dict.fromkeys(SAID, ATTACK)]
    made = sheets(people=people, qc=qc, pictures={ATTACK: {"tract": webp()}}, **attacked)
    for html in (index(people, qc, thumbnails={ATTACK: webp()}, **attacked), made["tract"]):
        assert ATTACK not in html
        assert len(re.findall(r"<script", html)) == len(re.findall(r"</script>", html)) <= 2
        assert all("onload" not in attrs for _, attrs in _Page(html).found)
    assert values(index(people, qc, **attacked))["people"][0]["id"] == ATTACK


def test_a_study_without_quality_sites_or_decisions_has_an_index():
    nothing = pd.DataFrame(columns=QC_COLUMNS).astype({"value": float, "lower": float, "upper": float})
    html = index(qc=nothing, site="", decisions=[], thumbnails={}, sheets=[], failed={})
    assert 'id="strips"' not in html and 'name="site"' not in html and "Grade of" not in html
    assert np.isin(["sub-01", "sub-04"], re.findall(r"sub-\d\d", html)).all()
