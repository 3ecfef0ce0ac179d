"""Maps that a study declares: their declarations, their files, and what is wrong with these."""

import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import check_scan, check_study, find_scans, load_study, settle
from mndmri.cohort.config import resolve_config
from mndmri.cohort.first_look import first_look
from mndmri.io import InputError
from mndmri.tables.maps import maps_of
from tests.unit.cohort.test_scans import SCHEMA, SHAPE, config, write_dwi, write_image

RNG = np.random.default_rng(5)
MTR = {"pattern": "anat/*_MTRmap.nii.gz", "unit": "%"}


def values(low, high):
    return {"data": RNG.uniform(low, high, SHAPE), "dtype": np.float32}


@pytest.fixture
def root(tmp_path):
    """A study of four people with a T1w image and a diffusion series; the last has no map."""
    for n in (1, 2, 3, 4):
        write_image(tmp_path / f"sub-0{n}/anat/sub-0{n}_T1w.nii.gz")
        write_dwi(tmp_path / f"sub-0{n}/dwi/sub-0{n}_dwi")
        if n < 4:
            write_image(tmp_path / f"sub-0{n}/anat/sub-0{n}_MTRmap.nii.gz", **values(20, 50))
    return tmp_path


def study(root, **declared):
    people = pd.DataFrame(
        {"participant_id": [f"sub-0{n}" for n in (1, 2, 3, 4)], "group": ["ALS", "ALS", "HC", "HC"]}
    ).assign(age=50.0, sex="F")
    levels = {"levels": {"ALS": ["ALS"], "control": ["HC"]}}
    resolved = config(root, modalities=["t1w", "dwi"], groups=levels, maps={"mtr": {**MTR, **declared}})
    return load_study(resolved, participants_table=people), resolved


def told(root, **declared):
    found, problems = find_scans(root, "sub-01", config(root, maps={"mtr": {**MTR, **declared}}))
    said = [problem.message for problem in problems]
    return said + (check_scan(found["mtr"], bids_dir=root) if "mtr" in found else [])


def refusal(**declared):
    with pytest.raises(InputError) as caught:
        config("d", maps={"mtr": {**MTR, **declared}})
    return str(caught.value)


def test_a_map_is_a_modality_and_the_participant_without_one_is_kept(root):
    loaded, resolved = study(root)
    problems, _ = check_study(loaded, {})
    settled = settle(loaded, problems, bad_input="stop")
    assert [who for who, own in settled.scans.items() if "mtr" in own] == ["sub-01", "sub-02", "sub-03"]
    assert settled.left_out["sub-04"]["mtr"] == "no file in the dataset"
    screen = first_look(settled, resolved)
    assert "mtr: 3 of 4; without: sub-04 (no file in the dataset)" in screen


def test_a_map_of_another_pipeline_is_found_in_its_folder(root, tmp_path):
    other = tmp_path / "derivatives"
    assert "maps.mtr.dir: no such folder" in study(root, dir=str(other))[0].problems[0].message
    image = write_image(other / "sub-01/anat/sub-01_MTRmap.nii.gz", **values(20, 50))
    found, problems = find_scans(root, "sub-01", config(root, maps={"mtr": {**MTR, "dir": str(other)}}))
    assert found["mtr"].files["image"] == (str(image),)
    assert problems == []


@pytest.mark.parametrize(
    ("numbers", "declared", "said"),
    [
        (values(0.2, 0.5), {}, "they are fractions; set the unit to '1', or multiply the map by 100"),
        (values(-90, 120), {"unit": "ppm"}, "if it is in ppb, divide it by 1000"),
        ({"data": np.zeros(SHAPE)}, {}, "0"),
        ({"data": np.where(RNG.uniform(size=SHAPE) > 0.5, 7, 0)}, {}, "this is a mask, not a map"),
        (values(20, 50), {"range": [0, 30]}, "outside the declared range of 0 to 30 %"),
        (values(20, 50), {"range": [0, 30], "quantity": "signal", "unit": "1"}, "range of 0 to 30 (most are"),
        ({"data": np.full(SHAPE, np.nan), "dtype": np.float32}, {}, "sub-01_MTRmap.nii.gz"),
    ],
)
def test_numbers_that_contradict_the_declaration_are_told(root, numbers, declared, said):
    write_image(root / "sub-01/anat/sub-01_MTRmap.nii.gz", **numbers)
    [message] = told(root, **declared)
    assert said in message


def test_numbers_that_fit_are_accepted(root):
    assert told(root, range=[0, 100]) == []
    write_image(root / "sub-01/anat/sub-01_MTRmap.nii.gz", **values(-0.1, 0.1))
    assert told(root, unit="ppm") == []


def test_the_checks_look_again_when_the_declaration_changes(root):
    loaded, _ = study(root)
    problems, cache = check_study(loaded, {})
    assert problems == []
    again, _ = check_study(study(root, range=[0, 1])[0], cache)
    assert len(again) == 3
    assert all("declared range" in problem.message for problem in again)


def test_an_image_to_register_by_must_be_there_and_on_the_grid(root):
    register = "anat/*_MTS.nii.gz"
    assert "0 files match maps.mtr.register anat/*_MTS.nii.gz (none)" in told(root, register=register)[0]
    write_image(root / "sub-01/anat/sub-01_MTS.nii.gz", shape=(5, 6, 7))
    assert "is not on the grid of sub-01_MTRmap.nii.gz" in told(root, register=register)[0]
    write_image(root / "sub-01/anat/sub-01_MTS.nii.gz")
    assert told(root, register=register) == []


def test_a_pattern_that_begins_at_the_root_is_told_with_what_to_write(root):
    said = told(root, pattern=f"{root}/sub-01/anat/*_MTRmap.nii.gz")
    assert "begins at the root; write it from the participant's folder on" in said[0] and said[0].startswith("sub-01: ")


def test_two_maps_are_told(root):
    write_image(root / "sub-01/anat/sub-01_run-2_MTRmap.nii.gz", **values(20, 50))
    assert "set maps.mtr.pattern so that one matches" in told(root)[0]


def test_a_map_that_is_aligned_to_a_scan_needs_that_scan(root):
    for path in (root / "sub-02/dwi").iterdir():
        path.unlink()
    loaded, _ = study(root, aligned="dwi")
    settled = settle(loaded, [], bad_input="stop")
    assert "mtr" in settled.scans["sub-01"]
    assert settled.left_out["sub-02"]["mtr"] == "it is aligned to the dwi, which is missing"
    with pytest.raises(InputError, match=r"maps\.mtr\.aligned: swi is not in modalities"):
        study(root, aligned="swi")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"range": [3, 1]}, "maps.mtr.range: found [3, 1], expected the lower limit first"),
        ({"aligned": "t1w", "register": "anat/*_MTS.nii.gz"}, "a map that is aligned (t1w) is not registered"),
        ({"quantity": "signal"}, "maps.mtr.unit: a signal map is divided by a reference and has no unit"),
        ({"pattern": "../*.nii.gz", "unit": "1"}, None),
        ({"where": ["thalamus"]}, "maps.mtr.where[0]"),
    ],
)
def test_a_declaration_that_cannot_be_is_told(declared, said):
    if said is None:
        assert config("d", maps={"mtr": {**MTR, **declared}})["maps"]["mtr"]["pattern"] == "../*.nii.gz"
    else:
        assert said in refusal(**declared)


@pytest.mark.parametrize("name", ["dwi", "flair", "qsm", "vbm", "all", "MTR", "mt_r", "2mtr", "../x"])
def test_a_name_with_another_meaning_is_refused(name):
    with pytest.raises(InputError, match="maps"):
        config("d", maps={name: MTR})


def test_what_a_map_measures_is_known_to_the_rest_of_the_config():
    declared = {**MTR, "where": ["precentral"], "higher_is": "health"}
    primary = {"modality": "mtr", "measure": "mean", "region": "precentral_posterior", "hemi": "L"}
    found = config(
        "d", maps={"mtr": declared}, statistics={"primary": [primary]}, measure_covariates={"mtr mean": ["tiv"]}
    )
    assert found["higher_is"] == {"mtr mean": "health", "mtr median": "health"}
    assert found["modalities"][-1] == "mtr"
    with pytest.raises(InputError, match="mtr has no measure 'man'; did you mean 'mean'"):
        config("d", maps={"mtr": declared}, statistics={"primary": [{**primary, "measure": "man"}]})
    assert (
        config("d", maps={"mtr": declared}, higher_is={"mtr mean cst": "damage"})["higher_is"]["mtr mean"] == "health"
    )


@pytest.mark.parametrize("modalities", [[["dwi"]], [{"dwi": 1}], "dwi", None])
def test_modalities_that_are_no_names_are_told_and_are_no_traceback(modalities):
    with pytest.raises(InputError, match="modalities"):
        config("d", maps={"mtr": MTR}, modalities=modalities)


def test_flair_is_a_declared_map_if_the_study_has_it():
    assert list(maps_of(config("d"))) == ["t1w"]
    found = maps_of(config("d", modalities=["t1w", "flair"], flair={"pattern": "anat/*_f.nii.gz"}, maps={"mtr": MTR}))
    assert list(found) == ["t1w", "flair", "mtr"]
    assert found["flair"]["where"] == ["cst", "precentral"]
    assert found["flair"]["pattern"] == "anat/*_f.nii.gz"


def test_a_resolved_config_has_the_maps_that_the_user_declared_and_its_pattern_may_be_changed():
    """As provenance.json keeps it: one edits it and runs it again."""
    kept = config("d", modalities=["t1w", "flair"], maps={"mtr": MTR})
    assert list(kept["maps"]) == ["mtr"] and kept["modalities"] == ["t1w", "flair", "mtr"]
    again = resolve_config({**kept, "flair": {"pattern": "anat/*_run-2_FLAIR.nii.gz"}}, SCHEMA)
    assert maps_of(again)["flair"]["pattern"] == "anat/*_run-2_FLAIR.nii.gz"
    fewer = resolve_config({**kept, "maps": {}, "modalities": ["t1w"]}, SCHEMA)
    assert list(maps_of(fewer)) == ["t1w"]
