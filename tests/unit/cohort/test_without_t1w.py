"""Participants of whom there is a diffusion series and no T1w image."""

import numpy as np
import pytest

from mndmri.cohort import check_study, load_study, settle
from mndmri.io import InputError
from tests.unit.cohort.test_scans import SHAPE, config, people, write_dwi, write_gre, write_image, write_json


@pytest.fixture
def dataset(tmp_path):
    """Three people, of whom the second has no T1w image."""
    for i in (1, 2, 3):
        folder = tmp_path / f"sub-0{i}"
        if i != 2:
            write_image(folder / f"anat/sub-0{i}_T1w.nii.gz")
        write_dwi(folder / f"dwi/sub-0{i}_dwi")
        write_json(folder / f"dwi/sub-0{i}_dwi.json", PhaseEncodingDirection="j-")
        write_gre(folder / "anat", f"sub-0{i}")
    return tmp_path


def run(root, *, alone=True, bad_input="stop"):
    settings = config(root, dwi={"without_t1w": alone})
    study = load_study(settings, participants_table=people())
    problems, _ = check_study(study, {})
    return settle(study, problems, bad_input=bad_input, without_t1w=settings["dwi"]["without_t1w"])


def test_the_diffusion_series_is_kept_and_what_the_t1w_image_locates_is_left_out_with_the_reason(dataset):
    study = run(dataset)
    assert set(study.scans["sub-02"]) == {"dwi"}
    assert study.left_out["sub-02"]["t1w"] == "no file in the dataset"
    assert study.left_out["sub-02"]["swi"] == "the T1w image cannot be used: no file in the dataset"
    assert {"t1w", "dwi", "swi"} <= set(study.scans["sub-01"])


def test_its_distortion_cannot_be_told_by_the_image_that_is_not_there(dataset):
    study = run(dataset)
    assert study.scans["sub-01"]["dwi"].distortion == "t1w"
    assert study.scans["sub-02"]["dwi"].distortion == "none"


def test_a_t1w_image_that_cannot_be_used_is_as_one_that_is_not_there(dataset):
    write_image(dataset / "sub-03/anat/sub-03_T1w.nii.gz", data=np.zeros(SHAPE))
    study = run(dataset, bad_input="leave_out")
    assert set(study.scans["sub-03"]) == {"dwi"}
    assert "every voxel is 0" in study.left_out["sub-03"]["t1w"]


def test_without_the_key_the_participant_stops_the_run_and_the_key_is_named(dataset):
    with pytest.raises(InputError, match=r"sub-02: no T1w image matches .*see dwi.without_t1w"):
        run(dataset, alone=False)


def test_a_participant_with_neither_is_a_problem(dataset):
    for path in (dataset / "sub-02/dwi").iterdir():
        path.unlink()
    for path in (dataset / "sub-02/anat").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="sub-02: no T1w image matches"):
        run(dataset)


def test_nobody_needs_a_t1w_image(dataset):
    for i in (1, 3):
        (dataset / f"sub-0{i}/anat/sub-0{i}_T1w.nii.gz").unlink()
    assert all(set(own) == {"dwi"} for own in run(dataset).scans.values())
