"""School marks of scans, by hand from the limits of CAT12."""

import numpy as np
import pandas as pd
import pytest

from mndmri.tables.grades import grade_rows, letter, percent


def rows(**values):
    columns = {
        "resolution_rms": "t1w",
        "noise_to_contrast": "t1w",
        "inhomogeneity_to_contrast": "t1w",
        "mean_fd": "dwi",
    }
    table = pd.DataFrame(
        [
            {"participant_id": "sub-01", "modality": columns[name], "measure": name, "region": "brain", "hemi": "both"}
            | {"value": value, "unit": "1", "status": "ok" if np.isfinite(value) else f"no {name}"}
            for name, value in values.items()
        ]
    )
    return grade_rows(table, max_motion_mm=2.0).set_index(["modality", "measure"])


def test_marks_are_one_and_six_at_the_limits_and_linear_between_and_beyond():
    good = rows(resolution_rms=0.5, noise_to_contrast=0.0466, inhomogeneity_to_contrast=0.2178)["value"]
    assert good.to_numpy() == pytest.approx([1, 1, 1, 1])
    bad = rows(resolution_rms=3.0, noise_to_contrast=0.3949, inhomogeneity_to_contrast=1.1169)["value"]
    assert bad.to_numpy() == pytest.approx([6, 6, 6, 6])
    assert rows(resolution_rms=1.0, noise_to_contrast=9)["value"].loc["t1w"].tolist()[:2] == [2.0, 9.5]
    assert rows(resolution_rms=0.1)["value"].tolist() == [0.5]


def test_the_worse_of_resolution_and_noise_decides_and_bias_does_not():
    found = rows(resolution_rms=1.0, noise_to_contrast=0.3949, inhomogeneity_to_contrast=5.0)["value"]
    assert found["t1w", "mark"] == pytest.approx(((2**8 + 6**8) / 2) ** (1 / 8))
    assert found["t1w", "mark"] > 5.5 - 0.01


def test_motion_is_at_mark_four_and_a_half_at_the_limit():
    assert rows(mean_fd=0.0)["value"].tolist() == [1.0]
    assert rows(mean_fd=2.0)["value"].tolist() == pytest.approx([4.5])
    assert letter(4.49) == "D−" and letter(4.5) == "E+"


def test_a_missing_part_is_a_missing_mark_with_its_reason():
    found = rows(resolution_rms=1.0, noise_to_contrast=np.nan)
    assert np.isnan(found.loc[("t1w", "mark"), "value"])
    assert found.loc[("t1w", "mark"), "status"] == "no noise_to_contrast"


def test_a_scan_without_measures_has_no_mark():
    assert rows(mean_fd=0.1).index.tolist() == [("dwi", "mark")]


@pytest.mark.parametrize(
    ("mark", "said", "share"),
    [(0.5, "A+", 100), (1, "A", 95), (1.2, "A−", 93), (2, "B", 85), (3.34, "C−", 71.6), (5, "E", 55), (6, "F", 45)],
)
def test_letters_and_percent_are_those_of_cat12(mark, said, share):
    assert letter(mark) == said
    assert percent(mark) == pytest.approx(share)
    assert letter(np.nan) == ""
