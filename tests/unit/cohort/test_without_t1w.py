"""Participants of whom there is a diffusion series or a gradient echo, and no T1w image."""

import numpy as np
import pytest

from mndmri.cohort import check_study, load_study, settle
from mndmri.cohort.first_look import first_look
from mndmri.cohort.records import may_stand_in, stand_in_of
from mndmri.io import InputError
from tests.unit.cohort.test_scans import CHI, SHAPE, config, people, write_dwi, write_gre, write_image, write_json


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


def run(root, *, alone=("dwi",), bad_input="stop"):
    settings = config(root, **{modality: {"without_t1w": True} for modality in alone})
    study = load_study(settings, participants_table=people())
    problems, _ = check_study(study, {})
    return settle(study, problems, bad_input=bad_input, without_t1w=may_stand_in(settings))


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
    with pytest.raises(InputError, match=r"sub-02: no T1w image matches .*see dwi.without_t1w and swi.without_t1w"):
        run(dataset, alone=())


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


def test_a_gradient_echo_is_kept_as_it_is_and_the_diffusion_series_is_not_unless_it_may(dataset):
    own = run(dataset, alone=["swi"])
    assert {"swi", "qsm"} <= set(own.scans["sub-02"]) and "dwi" not in own.scans["sub-02"]
    assert own.left_out["sub-02"]["dwi"] == "the T1w image cannot be used: no file in the dataset"
    assert "dwi" in run(dataset, alone=["swi", "dwi"]).scans["sub-02"]


def test_the_scan_without_distortion_takes_the_place_of_the_t1w_image(dataset):
    both = run(dataset, alone=["swi", "dwi"]).scans
    assert stand_in_of(both["sub-02"]) == "swi"
    assert stand_in_of(both["sub-01"]) is None
    assert stand_in_of(run(dataset).scans["sub-02"]) == "dwi"


def test_a_susceptibility_map_alone_shows_no_head(dataset):
    folder = dataset / "sub-02/anat"
    for path in folder.iterdir():
        path.unlink()
    write_image(folder / "sub-02_Chimap.nii.gz", **CHI)
    own = run(dataset, alone=["swi", "dwi"])
    assert set(own.scans["sub-02"]) == {"dwi"}
    assert "qsm" in own.left_out["sub-02"]


def test_the_first_look_says_what_takes_the_place_of_the_t1w_image(dataset):
    lines = first_look(run(dataset, alone=["swi"]), config(dataset, swi={"without_t1w": True}))
    assert "  in place of the T1w image: the gradient echo in 1; no volumes, no thickness" in lines
    assert "dwi: 2 of 3; without: sub-02 (the T1w image cannot be used: no file in the dataset)" in lines
    everyone = first_look(run(dataset), config(dataset, dwi={"without_t1w": True}))
    assert "  in place of the T1w image: FA and mean diffusivity in 1; no volumes, no thickness" in everyone
