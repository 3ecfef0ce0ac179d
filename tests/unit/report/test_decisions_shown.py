"""Decisions of readers, and agreement of raters, on the pages."""

import numpy as np
import pandas as pd

from mndmri.report.cohort import qc_index
from mndmri.report.pages import participant_page
from mndmri.report.sections import group_sections
from mndmri.tables.measures import MEASURE_COLUMNS
from mndmri.tables.qc import QC_COLUMNS

PEOPLE = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "group": ["ALS", "control"]})
LINE = "swi: exclude, <i>motion</i> (AB, 2026-11-29)"


def test_index_shows_decisions_and_who_is_excluded_as_a_whole():
    said = {"decision": "exclude", "rater": "AB", "date": "2026-11-29"}
    decided = [
        said | {"participant_id": "sub-02", "modality": "swi", "reason": "<i>motion</i>"},
        said | {"participant_id": "sub-09", "modality": "all", "reason": "stroke"},
    ]
    page = qc_index(PEOPLE, pd.DataFrame(columns=QC_COLUMNS), failed={}, versions={}, decisions=decided)
    row = page.split(">sub-02<")[1].split("</tr>")[0]
    assert "Reader: swi: exclude, &lt;i&gt;motion&lt;/i&gt; (AB, 2026-11-29)" in row
    assert "Reader:" not in page.split(">sub-01<")[1].split("</tr>")[0]
    assert "stroke" in page.split("Excluded as a whole by readers</h2>")[1]
    without = qc_index(PEOPLE, pd.DataFrame(columns=QC_COLUMNS), failed={}, versions={})
    assert "Excluded as a whole" not in without and "Reader:" not in without


def test_page_of_a_person_links_the_reader_and_the_viewer_and_shows_decisions():
    def page(**options):
        return participant_page(
            "sub-01",
            "ALS",
            views=[],
            measures=pd.DataFrame(columns=MEASURE_COLUMNS),
            qc=pd.DataFrame(columns=QC_COLUMNS),
            stages=pd.DataFrame([{"stage": "swi", "status": "excluded", "reason": "excluded by reader: motion (AB)"}]),
            versions={},
            **options,
        )

    shown = page(reader="sub-01_reader.html", viewer="sub-01_viewer.html", decisions=[LINE])
    assert '<a href="sub-01_viewer.html">Look at the slices</a>' in shown
    assert '<a href="sub-01_reader.html">Rate the motor band</a>' in shown
    assert "swi: exclude, &lt;i&gt;motion&lt;/i&gt; (AB, 2026-11-29)" in shown
    assert '<span class="badge bad">excluded</span>' in shown
    plain = page()
    assert "Rate the motor band" not in plain and "viewer" not in plain and "Decisions of readers" not in plain


def test_report_has_decisions_and_agreement_where_there_are_any():
    said = {"participant_id": "sub-02", "session": "", "modality": "swi", "decision": "exclude"}
    decisions = pd.DataFrame([said | {"reason": "motion", "rater": "AB", "date": ""}])
    keys = {"first": "AB", "second": "automated", "region": "precentral_leg", "hemi": "L", "n": 8, "n_missing": 0}
    agreement = pd.DataFrame(
        [
            keys | {"statistic": name, "estimate": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "note": ""}
            for name, value in (("agreement", 75.0), ("kappa_quadratic", 0.8), ("icc", 0.81), ("bias", 0.25))
        ]
        + [
            {**keys, "first": "all raters", "second": np.nan}
            | {"statistic": "icc", "estimate": 0.7, "ci_low": 0.5, "ci_high": 0.9, "note": ""}
        ]
    )
    found = {
        section.heading: section
        for section in group_sections({"decisions": decisions, "agreement": agreement}, {}, primary=[], methods="")
    }
    shown = found["Decisions of the readers"].table
    assert shown.to_numpy().tolist() == [["sub-02", "swi", "exclude", "motion", "AB", ""]]
    table = found["Raters of the motor band"].table
    assert table["compared"].tolist() == ["AB and automated", "all raters"]
    assert table.loc[0, "κ"] == "0.800 [0.700, 0.900]"
    assert table.loc[1, ["κ", "ICC"]].tolist() == ["", "0.700 [0.500, 0.900]"]
    assert "Raters of the motor band" not in {s.heading for s in group_sections({}, {}, primary=[], methods="")}
