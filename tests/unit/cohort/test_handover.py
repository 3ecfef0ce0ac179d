"""The study that a run's main process leaves for its jobs."""

import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import Scan, Study
from mndmri.cohort.handover import hand_over, take_over

CONFIG = {"bids_dir": "bids", "dwi": {"max_b": 1200}}


@pytest.fixture
def study():
    table = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02"],
            "group": ["ALS", "control"],
            "site": ["1", np.nan],
            "age": [61.25, np.nan],
            "visits": [1, 2],
        }
    )
    dwi = Scan("dwi", {"image": ("a.nii.gz",), "json": ("b.json", "c.json")}, distortion="t1w", notes=("a note",))
    return Study(
        participants=table,
        scans={"sub-01": {"dwi": dwi}, "sub-02": {}},
        left_out={"sub-01": {}, "sub-02": {"dwi": "no file"}},
        bids_dir="bids",
        notes=("sub-03: excluded",),
    )


def test_what_is_taken_over_is_what_was_handed_over(study, tmp_path):
    hand_over(study, CONFIG, tmp_path / "study.json")
    taken = take_over(CONFIG, tmp_path / "study.json")
    pd.testing.assert_frame_equal(taken.participants, study.participants)
    assert taken.scans == study.scans
    assert (taken.left_out, taken.notes, taken.simulated) == (study.left_out, study.notes, False)


@pytest.mark.parametrize("other", [{**CONFIG, "bids_dir": "other"}, {"bids_dir": "bids", "dwi": {"max_b": 1000}}])
def test_the_study_of_another_config_is_not_taken_over(study, tmp_path, other):
    hand_over(study, CONFIG, tmp_path / "study.json")
    assert take_over(other, tmp_path / "study.json") is None


def test_a_job_whose_run_has_left_nothing_takes_nothing_over(tmp_path):
    assert take_over(CONFIG, tmp_path / "study.json") is None
