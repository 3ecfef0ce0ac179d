"""The page of the study shows the primary measures; its sections take the other figures."""

import pandas as pd
import pytest

from mndmri.report import study
from mndmri.report.sections import group_sections
from mndmri.report.study import study_page

PRIMARY = [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}]
FIGURES = dict.fromkeys(("effect_sizes", "effect_sizes_all_dwi_fa", "dwi_fa_cst", "dwi_md_cst", "roc"), b"png")
EFFECT = {"reported": "no", "contrast": "ALS-control", "adjusted_g": -1.5, "adj_g_ci_low": -2.5, "adj_g_ci_high": -0.5}
TABLES = {
    "demographics": pd.DataFrame(),
    "comparisons": pd.DataFrame(
        [own | EFFECT for own in (PRIMARY[0] | {"p": 0.1}, PRIMARY[0] | {"hemi": "R", "p": 0.2})]
    ),
}


@pytest.fixture
def page(monkeypatch):
    """What the page is made of."""
    monkeypatch.setattr(study, "group_page", lambda **parts: parts)
    words = {"title": "T", "written": "2026-11-30", "people_page": "", "methods": "M", "flow": []}
    words |= {"notes": [], "failed": {}, "versions": {}}
    return study_page(pd.DataFrame(), pd.DataFrame(), TABLES, FIGURES, {}, primary=PRIMARY, **words)


def test_the_page_opens_with_the_figures_of_the_primary_measures(page):
    assert [(picture.title, picture.wide) for picture in page["pictures"]] == [
        ("Effect sizes", True),
        ("DWI FA CST", False),
    ]


def test_its_comparisons_are_those_of_the_primary_measures(page):
    assert page["comparisons"]["p"].tolist() == [0.1]


def test_what_was_found_is_of_all_comparisons_and_not_only_of_those_shown(page):
    assert page["findings"] == ["There is no comparison."]


def test_the_other_figures_stand_in_their_sections(page):
    titles = [picture.title for section in page["sections"] for picture in section.pictures]
    assert titles == ["ROC", "Effect sizes all DWI FA"]
    assert page["sections"][-1].text == "M"


def test_the_motor_neuron_is_a_table_towards_damage():
    rows = [
        PRIMARY[0] | EFFECT | {"reported": "yes", "region": region, "p": 0.01} for region in ("cst_pons", "cst_plic")
    ]
    sections = group_sections({"comparisons": pd.DataFrame(rows)}, {}, primary=[], methods="M")
    [section] = [own for own in sections if own.heading.startswith("The motor neuron")]
    assert section.table["level"].tolist() == ["Internal capsule", "Pons"]
    assert section.table["ALS-control"].tolist() == ["1.50 [0.50, 2.50]"] * 2


def test_without_a_primary_measure_the_page_shows_those_that_differ_most():
    row = PRIMARY[0] | {"reported": "yes", "contrast": "ALS-control"}
    rows = [row | {"region": f"r{n}", "p": p} for n, p in enumerate([0.5, 0.01, None, 0.2])]
    rows += [row | {"region": "r0", "p": 1e-6, "contrast": "group"}, row | {"region": "r3", "p": 0.0, "reported": "no"}]
    found = study.most_different(pd.DataFrame(rows))
    assert list(dict.fromkeys(found["region"])) == ["r1", "r3", "r0"]
    assert len(found) == 5  # every test of these measures
