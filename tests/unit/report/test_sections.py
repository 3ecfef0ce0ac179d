"""What follows the comparisons on the group's page."""

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
        "note": [None, None],
    }
)


def test_a_table_shows_the_primary_measures_alone_for_a_reader():
    (section, _) = group_sections({"classification": CLASSIFICATION}, {}, primary=PRIMARY, methods="m")
    assert section.table["measure"].tolist() == ["FA, CST, left"]
    assert section.table["n"].tolist() == ["13 / 10"]
    assert section.table["AUC [95% CI]"].tolist() == ["0.900 [0.700, 1.000]"]


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
