"""What follows the comparisons on the group's page."""

import numpy as np
import pandas as pd

from mndmri.report.sections import group_sections

PRIMARY = [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}]
CLASSIFICATION = pd.DataFrame(
    {
        "modality": "dwi",
        "measure": "fa",
        "region": ["cst", "cst_plic"],
        "hemi": "L",
        "contrast": "ALS-control",
        "n_positive": 13,
        "n_negative": 10,
        "auc": [0.9, 0.6],
        "ci_low": [0.7, 0.4],
        "ci_high": [1.0, 0.8],
        "p": [0.001, 0.4],
        "sensitivity": [0.8, 0.2],
        "sens_ci_low": [0.5, 0.1],
        "sens_ci_high": [0.9, 0.5],
        "specificity": 0.9,
        "specificity_new": 9 / 11,
        **dict.fromkeys(("auc_adjusted", "lr_positive", "lr_negative"), 0.5),
        **{f"{name}_ci_{end}": 0.4 for name in ("adjusted", "lr_positive", "lr_negative") for end in ("low", "high")},
        "note": [None, None],
    }
)


def test_a_table_shows_the_primary_measures_alone_for_a_reader():
    (section, _) = group_sections({"classification": CLASSIFICATION}, {}, primary=PRIMARY, methods="m")
    assert section.table["measure"].tolist() == ["FA, CST, left"]
    assert section.table["n"].tolist() == ["13 / 10"]
    assert section.table["AUC [95% CI]"].tolist() == ["0.900 [0.700, 1.000]"]


def test_the_largest_deviations_come_first_and_those_outside_are_counted_by_group():
    people = [f"sub-{n:02d}" for n in range(20)]
    table = pd.DataFrame({"participant_id": people, "group": ["ALS"] * 10 + ["control"] * 10, **PRIMARY[0]})
    table = table.assign(value=np.arange(20.0))
    table["w_score"] = [-3.0, 4.0, *[0.1] * 17, None]
    table["percentile"] = [0.5, 99.8, *[54.0] * 18]
    table = table.assign(expected=1.0, pct_low=0.1, pct_high=99.0, n_controls=10, note=None)
    (section, _) = group_sections({"deviations": table}, {}, primary=PRIMARY, methods="m")
    assert section.table["participant"].tolist()[:2] == ["sub-01", "sub-00"]
    assert len(section.table) == 15
    assert "ALS 2 of 10, control 0 of 9" in section.note


def test_what_a_study_does_not_have_takes_no_place():
    assert [s.heading for s in group_sections({}, {}, primary=PRIMARY, methods="m")] == ["Methods text for a paper"]
    nothing = CLASSIFICATION.iloc[:0]
    assert len(group_sections({"classification": nothing}, {}, primary=PRIMARY, methods="m")) == 1


def test_pictures_stand_in_the_section_of_their_name():
    pictures = dict.fromkeys(("dwi_fa_cst", "effect_sizes", "effect_sizes_all_dwi", "sites", "correlation_x"), b"png")
    sections = group_sections({}, pictures, primary=PRIMARY, methods="m")
    found = {section.heading: [picture.title for picture in section.pictures] for section in sections}
    assert found["Sites"] == ["Sites"]
    assert found["Clinical scores"] == ["Correlation x"]
    assert found["Effect sizes of all measures"] == ["Effect sizes all DWI"]
    assert not any("cst" in title.lower() for titles in found.values() for title in titles)


def test_the_score_against_its_reader_is_shown_without_being_primary():
    row = {"modality": "swi", "measure": "motor_band_score", "region": "precentral", "hemi": "both"}
    second = {"modality_2": "rated", "measure_2": "mcli", "region_2": "precentral", "hemi_2": "both"}
    numbers = {"auc": 0.8, "auc_2": 0.9, "difference": -0.1, "ci_low": -0.3, "ci_high": 0.1, "p": 0.3, "p_holm": 0.3}
    table = pd.DataFrame([{"contrast": "ALS-control", **row, **second, **numbers}])
    (section, _) = group_sections({"marker_comparisons": table}, {}, primary=PRIMARY, methods="m")
    assert section.table["second"].tolist() == ["human rating (mcli)"]
