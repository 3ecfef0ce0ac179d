"""The page of a person's visits."""

import pandas as pd

from mndmri.report.pages import Picture, View
from mndmri.report.visits import visit_names, visits_page

ROWS = pd.DataFrame(
    [
        ("ses-2", 0.0, "t1w", 1.0, "ok"),
        ("ses-2", 0.0, "dwi", float("nan"), "no file <b>"),
        ("ses-1", 6.0, "t1w", 1.1, "ok"),
        ("ses-1", 6.0, "dwi", 0.4, "ok"),
        ("ses-<3>", float("nan"), "t1w", 1.1, "ok"),
    ],
    columns=["session", "months", "modality", "value", "status"],
)


def page(**keys) -> str:
    own = {"measures": ROWS, "views": [], "over_months": None, "change": None, "baseline": "ses-2"}
    own["pages"] = ["sub-01_ses-1"]
    return visits_page("sub-01", "ALS", versions={"mndmri": "0"}, **own | keys)


def test_visits_stand_in_the_order_of_the_table_with_what_was_measured():
    text = page()
    assert text.index("ses-2 (baseline)") < text.index(">ses-1<")
    assert 'href="ses-1/sub-01_ses-1.html"' in text and "sub-01_ses-2.html" not in text
    assert "no months" in text and "6 months" in text


def test_what_comes_from_tables_is_escaped():
    text = page()
    assert "ses-&lt;3&gt;" in text and "no file &lt;b&gt;" in text and "<b>" not in text.split("</style>")[1]


def test_frames_are_named_by_visit_and_time():
    assert visit_names(ROWS) == {
        "ses-2": "ses-2, 0 months",
        "ses-1": "ses-1, 6 months",
        "ses-<3>": "ses-<3>, no months",
    }


def test_pictures_are_there_or_their_lack_is_told():
    assert "no image was made at two visits" in page() and "Change within the person" not in page()
    assert "Change within the person" in page(change=Picture("Change", "Said.", b"\x89PNG"))
    view = View("T1w image of every visit", {"ses-1": b"RIFF", "ses-2": b"RIFF"}, "change", "")
    text = page(views=[view], over_months=Picture("Measures", "Said.", b"RIFF"))
    assert text.count('class="which"') == 2 and "Measures over the months" in text
