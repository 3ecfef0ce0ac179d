import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.cohort import Problem, Study, bids, check_scan, check_study, find_scans, load_study, settle
from mndmri.cohort.config import resolve_config
from mndmri.io import InputError
from mndmri.phantom.plan import plan_cohort

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
SHAPE = (7, 8, 9)
N_DIRECTIONS = 8
# LAS storage, tilted by 20 degrees about x
TILT = np.radians(20)
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]]) @ np.diag(
    [-2, 2.5, 3]
)


# A susceptibility map, in ppm.
CHI = {"data": np.random.default_rng(2).normal(0, 0.05, SHAPE), "dtype": np.float32}


def config(root, **given):
    return resolve_config({"bids_dir": str(root), **given}, SCHEMA)


def write_image(path, *, shape=SHAPE, affine=AFFINE, data=None, dtype=np.int16):
    if data is None:
        data = np.random.default_rng(1).integers(1, 1000, shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.asarray(data, dtype), affine), path)
    return path


def write_json(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def directions(n=N_DIRECTIONS):
    """Unit vectors spread over a half sphere, shape (3, n)."""
    z = (np.arange(n) + 0.5) / n
    angle = np.arange(n) * np.pi * (3 - 5**0.5)
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])


def gradients(n=N_DIRECTIONS):
    """b-values (n + 1,) and b-vectors (3, n + 1), the first a b=0."""
    return np.r_[0.0, np.full(n, 1000.0)], np.c_[np.zeros(3), directions(n)]


def write_dwi(stem, *, b=None, vectors=None, n_volumes=None, **image):
    """A series with its gradient table; ``stem`` is its path without the extension."""
    b = gradients()[0] if b is None else np.asarray(b)
    vectors = gradients()[1] if vectors is None else vectors
    n = n_volumes or b.size
    if "data" not in image:  # b = 0 is the brightest
        noise = np.random.default_rng(1).integers(600, 1000, (*image.get("shape", SHAPE)[:3], n))
        image["data"] = noise * np.exp(-np.resize(b, n) / 1000)
    write_image(stem.with_suffix(".nii.gz"), **image)
    np.savetxt(stem.with_suffix(".bval"), np.atleast_2d(b), fmt="%g")
    np.savetxt(stem.with_suffix(".bvec"), vectors, fmt="%.6f")


def write_gre(folder, who, *, echoes=(1,), parts=("mag", "phase"), suffix="MEGRE"):
    for echo in echoes:
        for part in parts:
            stem = folder / f"{who}_echo-{echo}_part-{part}_{suffix}"
            write_image(stem.with_suffix(".nii.gz"))
            write_json(stem.with_suffix(".json"), EchoTime=0.01 * echo, MagneticFieldStrength=3)


@pytest.fixture
def person(tmp_path):
    """Folder of a person, sub-01, with a T1w image, a diffusion series, and magnitude and phase of two echoes."""
    folder = tmp_path / "sub-01"
    write_image(folder / "anat/sub-01_T1w.nii.gz")
    write_dwi(folder / "dwi/sub-01_dwi")
    write_gre(folder / "anat", "sub-01", echoes=(1, 2))
    return folder


def find(person, **given):
    return find_scans(person.parent, person.name, config(person.parent, **given))


def told(person, **given):
    """All that is told of a person: by the search and, of what was found, by the check."""
    scans, problems = find(person, **given)
    return [p.message for p in problems] + [
        f"sub-01: {message}" for scan in scans.values() for message in check_scan(scan, bids_dir=person.parent)
    ]


def only(person, **given):
    found = told(person, **given)
    assert len(found) == 1, found
    assert found[0].startswith("sub-01: ")
    return found[0]


def names(scan, role):
    return [Path(path).name for path in scan.files.get(role, ())]


# ---------------------------------------------------------------- the search


def test_scans_without_faults_are_found_and_accepted(person):
    scans, problems = find(person)
    assert problems == []
    assert told(person) == []
    assert names(scans["t1w"], "image") == ["sub-01_T1w.nii.gz"]
    assert [names(scans["dwi"], role) for role in ("image", "bval", "bvec")] == [
        ["sub-01_dwi.nii.gz"],
        ["sub-01_dwi.bval"],
        ["sub-01_dwi.bvec"],
    ]
    assert names(scans["swi"], "phase") == [f"sub-01_echo-{e}_part-phase_MEGRE.nii.gz" for e in (1, 2)]
    assert len(scans["swi"].files["json"]) == 4
    assert "reverse" not in scans["dwi"].files


def test_scans_in_a_session_folder_are_found(person):
    (person / "ses-01").mkdir()
    for folder in ("anat", "dwi"):
        (person / folder).rename(person / "ses-01" / folder)
    assert told(person) == []
    assert set(find(person)[0]) == {"t1w", "dwi", "swi"}


def test_two_sessions_are_told_and_a_pattern_chooses_one(person):
    for session in ("ses-01", "ses-02"):
        write_image(person / session / "anat" / f"sub-01_{session}_T1w.nii.gz")
    (person / "anat/sub-01_T1w.nii.gz").unlink()
    message = only(person)
    assert "2 files match where one T1w image is used" in message
    assert "ses-01/anat/sub-01_ses-01_T1w.nii.gz, ses-02/anat/sub-01_ses-02_T1w.nii.gz" in message
    assert "set t1w.pattern" in message
    assert told(person, t1w={"pattern": "ses-02/anat/*_T1w.nii.gz"}) == []


def test_a_missing_t1w_is_told_with_what_there_is_instead(person):
    (person / "anat/sub-01_T1w.nii.gz").rename(person / "anat/sub-01_T1w.mgz")
    assert "no T1w image matches anat/*_T1w.nii.gz" in only(person)
    assert "there are anat/sub-01_T1w.mgz;" in only(person)


def test_a_person_without_a_folder_is_told(tmp_path):
    _, problems = find_scans(tmp_path, "sub-01", config(tmp_path))
    assert "sub-01: no folder" in problems[0].message


def test_a_missing_dwi_or_swi_is_no_problem(tmp_path):
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    assert told(tmp_path / "sub-01") == []
    assert set(find(tmp_path / "sub-01")[0]) == {"t1w"}


def test_a_modality_that_the_study_has_not_is_not_looked_for(person):
    assert set(find(person, modalities=["t1w"])[0]) == {"t1w"}


def test_one_s_own_brain_mask_is_found_and_a_missing_one_is_told(person):
    given = {"mask_pattern": "anat/*_desc-brain_mask.nii.gz"}
    assert "no brain masks match t1w.mask_pattern" in only(person, t1w=given)
    write_image(person / "anat/sub-01_desc-brain_mask.nii.gz")
    assert names(find(person, t1w=given)[0]["t1w"], "mask") == ["sub-01_desc-brain_mask.nii.gz"]


def test_one_s_own_parcellation_is_found_and_a_missing_one_is_told(person):
    given = {"parcellation_pattern": "anat/*_desc-aparcaseg_dseg.nii.gz"}
    assert "no parcellations match t1w.parcellation_pattern" in only(person, t1w=given)
    write_image(person / "anat/sub-01_desc-aparcaseg_dseg.nii.gz")
    assert names(find(person, t1w=given)[0]["t1w"], "parcellation") == ["sub-01_desc-aparcaseg_dseg.nii.gz"]


def test_tables_of_a_surface_program_are_asked_of_both_hemispheres_and_read_at_the_start(person):
    given = {"surface_stats_pattern": "anat/*.aparc.stats"}
    assert "no tables match t1w.surface_stats_pattern" in only(person, t1w=given)
    for side in ("lh", "rh"):
        (person / f"anat/{side}.aparc.stats").write_text("no table")
    assert "lh.aparc.stats" in only(person, t1w=given)


@pytest.mark.parametrize("modality", ["flair", "t2w"])
def test_one_image_of_another_contrast_is_found_and_two_are_told(person, modality):
    suffix = {"flair": "FLAIR", "t2w": "T2w"}[modality]
    study = {"modalities": ["t1w", modality]}
    assert set(find(person, **study)[0]) == {"t1w"}
    write_image(person / f"anat/sub-01_{suffix}.nii.gz")
    assert names(find(person, **study)[0][modality], "image") == [f"sub-01_{suffix}.nii.gz"]
    assert told(person, **study) == []
    write_image(person / f"anat/sub-01_run-2_{suffix}.nii.gz")
    assert f"set {modality}.pattern" in only(person, **study)


def test_two_diffusion_series_that_are_no_reverse_pair_are_told(person):
    write_dwi(person / "dwi/sub-01_run-2_dwi")
    assert "2 files match where one diffusion series, or two of opposite phase encoding" in only(person)
    assert "dwi/sub-01_dwi.nii.gz, dwi/sub-01_run-2_dwi.nii.gz" in only(person)


@pytest.fixture
def pair(tmp_path):
    """A person with two series, AP and PA, of as many volumes, and no word on phase encoding but the names'."""
    folder = tmp_path / "sub-01"
    write_image(folder / "anat/sub-01_T1w.nii.gz")
    for direction in ("AP", "PA"):
        write_dwi(folder / f"dwi/sub-01_dir-{direction}_dwi")
    return folder


def main_and_reverse(person):
    scan = find(person)[0]["dwi"]
    return *names(scan, "image"), *names(scan, "reverse")


def test_of_a_reverse_pair_as_large_the_first_by_name_is_the_main_series(pair):
    assert told(pair) == []
    assert main_and_reverse(pair) == ("sub-01_dir-AP_dwi.nii.gz", "sub-01_dir-PA_dwi.nii.gz")


def test_of_a_reverse_pair_the_one_with_more_volumes_is_the_main_series(pair):
    write_dwi(pair / "dwi/sub-01_dir-AP_dwi", b=[0.0, 0.0], vectors=np.zeros((3, 2)))
    assert told(pair) == []
    assert main_and_reverse(pair) == ("sub-01_dir-PA_dwi.nii.gz", "sub-01_dir-AP_dwi.nii.gz")


def test_a_reverse_series_of_b0_alone_needs_no_gradient_table(pair):
    write_image(pair / "dwi/sub-01_dir-PA_dwi.nii.gz")
    for extension in ("bval", "bvec"):
        (pair / f"dwi/sub-01_dir-PA_dwi.{extension}").unlink()
    assert told(pair) == []
    assert "reverse_bval" not in find(pair)[0]["dwi"].files


@pytest.mark.parametrize(("other", "is_pair"), [("j-", True), ("j", False), ("i-", False)])
def test_the_sidecars_say_what_a_reverse_pair_is_before_the_names_do(pair, other, is_pair):
    write_json(pair / "dwi/sub-01_dir-AP_dwi.json", PhaseEncodingDirection="j")
    write_json(pair / "dwi/sub-01_dir-PA_dwi.json", PhaseEncodingDirection=other)
    assert (told(pair) == []) is is_pair


@pytest.mark.parametrize(("intended", "found"), [("dwi/sub-01_dwi.nii.gz", True), ("func/sub-01_bold.nii.gz", False)])
def test_a_field_map_of_opposite_direction_is_the_reverse_if_it_is_meant_for_the_series(person, intended, found):
    write_json(person / "dwi/sub-01_dwi.json", PhaseEncodingDirection="j")
    write_image(person / "fmap/sub-01_dir-PA_epi.nii.gz")
    write_json(person / "fmap/sub-01_dir-PA_epi.json", PhaseEncodingDirection="j-", IntendedFor=[intended])
    assert told(person) == []
    assert ("reverse" in find(person)[0]["dwi"].files) is found


def test_a_gradient_table_and_a_sidecar_may_lie_higher_up(person):
    for extension in ("bval", "bvec"):
        (person / f"dwi/sub-01_dwi.{extension}").rename(person.parent / f"dwi.{extension}")
    write_json(person.parent / "dwi.json", PhaseEncodingDirection="j")
    scan = find(person)[0]["dwi"]
    assert [names(scan, role) for role in ("bval", "bvec", "json")] == [
        ["dwi.bval"],
        ["dwi.bvec"],
        ["dwi.json"],
    ]
    assert told(person) == []


def test_a_missing_gradient_file_is_told(person):
    (person / "dwi/sub-01_dwi.bvec").unlink()
    assert "sub-01_dwi.nii.gz has no .bvec file; put sub-01_dwi.bvec beside it" in only(person)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("swi/sub-01_swi", "swi"),
        ("anat/sub-01_part-mag_T2starw", "magnitude"),
        ("swi/sub-01_GRE", "magnitude"),
        ("swi/sub-01_part-mag_swi", "magnitude"),
        ("swi/sub-01_Chimap", "chimap"),
    ],
)
def test_susceptibility_images_are_known_by_their_names(tmp_path, name, role):
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    path = write_image(tmp_path / "sub-01" / f"{name}.nii.gz")
    scan = find(tmp_path / "sub-01")[0]["swi"]
    assert scan.files == {role: (str(path),)}


def test_echoes_are_in_the_order_of_their_numbers(tmp_path):
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    write_gre(tmp_path / "sub-01/swi", "sub-01", echoes=(1, 2, 10), suffix="GRE")
    assert [bids.entities(n)[0]["echo"] for n in names(find(tmp_path / "sub-01")[0]["swi"], "phase")] == [
        "1",
        "2",
        "10",
    ]


def test_two_gradient_echo_series_are_told(person):
    write_gre(person / "anat", "sub-01_run-2")
    assert "6 files match where one gradient-echo series is used" in only(person)
    assert "set swi.patterns" in only(person)


def test_two_vendor_swi_are_told(person):
    write_image(person / "swi/sub-01_run-1_swi.nii.gz")
    write_image(person / "swi/sub-01_run-2_swi.nii.gz")
    assert "2 files match where one SWI is used: swi/sub-01_run-1_swi.nii.gz, swi/sub-01_run-2" in only(person)


def test_phase_without_magnitude_is_told(person):
    (person / "anat/sub-01_echo-2_part-mag_MEGRE.nii.gz").unlink()
    assert "phase without magnitude: sub-01_echo-2_part-phase_MEGRE.nii.gz" in only(person)


@pytest.mark.parametrize("name", ["rec-minIP_swi", "acq-MinIP20_swi", "rec-slab_swi"])
def test_a_minimum_intensity_projection_beside_the_swi_is_noted_and_not_used(tmp_path, name):
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    swi = write_image(tmp_path / "sub-01/swi/sub-01_swi.nii.gz")
    write_image(tmp_path / f"sub-01/swi/sub-01_{name}.nii.gz")
    image_type = ["DERIVED", "PRIMARY", "MNIP"] if "slab" in name else ["DERIVED", "PRIMARY"]
    write_json(tmp_path / f"sub-01/swi/sub-01_{name}.json", ImageType=image_type)
    scans, problems = find(tmp_path / "sub-01")
    assert not problems
    assert scans["swi"].files["swi"] == (str(swi),)
    assert "minimum-intensity projections are not used" in scans["swi"].notes[0]


def test_a_minimum_intensity_projection_alone_is_no_swi(person):
    for path in person.glob("anat/*_MEGRE*"):
        path.unlink()
    write_image(person / "swi/sub-01_rec-minIP_swi.nii.gz")
    assert "sub-01_rec-minIP_swi.nii.gz: a minimum-intensity projection, no SWI" in only(person)


def test_the_scanners_phase_beside_its_swi_is_noted_and_not_used(tmp_path):
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    swi = write_image(tmp_path / "sub-01/swi/sub-01_swi.nii.gz")
    write_image(tmp_path / "sub-01/swi/sub-01_part-phase_swi.nii.gz")
    scans, problems = find(tmp_path / "sub-01")
    assert not problems
    assert {role for role in scans["swi"].files if role != "json"} == {"swi"}
    assert scans["swi"].files["swi"] == (str(swi),)
    assert "a phase image beside the SWI, without its magnitude, is not used" in scans["swi"].notes[0]


def test_real_and_imaginary_parts_are_told(person):
    write_image(person / "anat/sub-01_echo-1_part-real_MEGRE.nii.gz")
    assert "sub-01_echo-1_part-real_MEGRE.nii.gz: real and imaginary parts are not read" in only(person)


# ---------------------------------------------------------------- the check


def test_a_file_that_went_away_is_told(person):
    scan = find(person)[0]["t1w"]
    Path(scan.files["image"][0]).unlink()
    assert "sub-01_T1w.nii.gz: no such file" in check_scan(scan, bids_dir=person.parent)[0]


@pytest.mark.parametrize("keep", [0.98, 0.5, 0.001])
def test_a_truncated_image_is_told(person, keep):
    path = person / "anat/sub-01_T1w.nii.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    message = only(person)
    assert "sub-01_T1w.nii.gz" in message
    assert "cannot be read" in message


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_file_that_is_no_image_is_told(person, content):
    (person / "dwi/sub-01_dwi.nii.gz").write_bytes(content)
    message = only(person)
    assert "sub-01_dwi.nii.gz" in message
    assert "cannot be read as an image" in message


def test_a_t1w_of_four_dimensions_is_told(person):
    write_image(person / "anat/sub-01_T1w.nii.gz", shape=(*SHAPE, 2))
    assert "sub-01_T1w.nii.gz: has 4 dimensions (7, 8, 9, 2), a T1w image has 3" in only(person)


def test_a_diffusion_series_of_three_dimensions_is_told(person):
    write_image(person / "dwi/sub-01_dwi.nii.gz")
    assert "sub-01_dwi.nii.gz: has 3 dimensions (7, 8, 9), a diffusion series has 4" in told(person)[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_is_told(person, value):
    data = np.random.default_rng(1).uniform(1, 2, SHAPE)
    data[3, 4, 5] = value
    write_image(person / "anat/sub-01_T1w.nii.gz", data=data, dtype=np.float32)
    assert "sub-01_T1w.nii.gz: 1 of 504 voxels are NaN or infinite" in only(person)


def test_an_image_of_zeros_is_told(person):
    write_image(person / "anat/sub-01_T1w.nii.gz", data=np.zeros(SHAPE))
    assert "sub-01_T1w.nii.gz: every voxel is 0; the image is empty" in only(person)


def test_an_empty_volume_of_a_series_is_told_with_its_number(person):
    data = np.random.default_rng(1).integers(1, 1000, (*SHAPE, N_DIRECTIONS + 1))
    data[..., 6] = 0
    write_image(person / "dwi/sub-01_dwi.nii.gz", data=data)
    assert "1 of 9 volumes are constant (counted from 0: 6)" in only(person)


def test_a_sheared_affine_is_told(person):
    affine = AFFINE.copy()
    affine[0, 1] += 0.5
    write_image(person / "anat/sub-01_T1w.nii.gz", affine=affine)
    assert "sub-01_T1w.nii.gz: its affine is sheared" in only(person)


@pytest.mark.parametrize(("scale", "words"), [(1e-3, "voxels of 0.002 x 0.0025 x 0.003 mm"), (1e3, "voxels of 2000 x")])
def test_voxels_of_an_impossible_size_are_told(person, scale, words):
    write_image(person / "anat/sub-01_T1w.nii.gz", affine=AFFINE @ np.diag([scale] * 3 + [1]))
    assert words in only(person)


def raw_header(path, change):
    """Rewrite an image with a header that nibabel would not write of itself."""
    image = nb.load(path)
    header = image.header.copy()
    change(header)
    data = np.asanyarray(image.dataobj)
    nifti = nb.Nifti1Image(data, None, header)
    nb.save(nifti, path)


def test_an_affine_without_volume_is_told(person):
    def flatten(header):
        header["srow_z"] = 0

    raw_header(person / "anat/sub-01_T1w.nii.gz", flatten)
    assert "sub-01_T1w.nii.gz: its affine gives a voxel no volume" in only(person)


def test_an_image_whose_left_and_right_are_not_known_is_told(person):
    def forget(header):
        header["sform_code"] = header["qform_code"] = 0

    raw_header(person / "anat/sub-01_T1w.nii.gz", forget)
    assert "neither sform nor qform is set, so left and right are unknown" in only(person)


def test_an_image_whose_two_affines_disagree_about_left_and_right_is_told(person):
    def flip(header):
        header.set_qform(AFFINE @ np.diag([-1, 1, 1, 1]), 1)

    raw_header(person / "anat/sub-01_T1w.nii.gz", flip)
    assert "its sform and qform disagree about left and right" in only(person)


def test_b_values_and_volumes_that_disagree_are_told_with_both_counts(person):
    write_dwi(person / "dwi/sub-01_dwi", n_volumes=N_DIRECTIONS)
    assert only(person) == (
        "sub-01: sub-01_dwi.bval has 9 entries but the image has 8 volumes; check that the series was not truncated"
    )


def test_b_vectors_and_b_values_that_disagree_are_told_with_both_counts(person):
    write_dwi(person / "dwi/sub-01_dwi", vectors=gradients()[1][:, :-1])
    assert "sub-01_dwi.bvec has 8 vectors but sub-01_dwi.bval has 9 entries" in only(person)


@pytest.mark.parametrize(
    ("factor", "said"), [(1e-3, "write 1000 (if they are in ms/um2)"), (1e6, "write 1000 (if they are in s/m2)")]
)
def test_b_values_in_another_unit_are_told_with_what_to_write(person, factor, said):
    path = person / "dwi/sub-01_dwi.bval"
    np.savetxt(path, factor * np.loadtxt(path)[None], fmt="%g")
    assert only(person).endswith(said)


def test_a_series_without_b0_is_told(person):
    write_dwi(person / "dwi/sub-01_dwi", b=np.full(N_DIRECTIONS, 1000.0), vectors=directions())
    assert "sub-01_dwi.bval: no volume with b below 100 s/mm2 (the smallest is 1000)" in only(person)


def test_a_small_b_value_counts_as_b0(person):
    b, vectors = gradients()
    b[0], vectors[:, 0] = 5, directions()[:, 0]
    write_dwi(person / "dwi/sub-01_dwi", b=b, vectors=vectors)
    assert told(person) == []


@pytest.mark.parametrize(("length", "fine"), [(0.9, False), (1.1, False), (0.97, True), (np.nan, False)])
def test_a_b_vector_that_is_not_of_length_one_is_told_with_its_volume(person, length, fine):
    b, vectors = gradients()
    vectors[:, 4] *= length
    write_dwi(person / "dwi/sub-01_dwi", b=b, vectors=vectors)
    if fine:
        assert told(person) == []
    else:
        assert "1 of 8 b-vectors are not of length 1; the first is volume 4 (counted from 0)" in only(person)


def test_a_transposed_bvec_is_told_as_such(person):
    write_dwi(person / "dwi/sub-01_dwi", vectors=gradients()[1].T)
    assert "sub-01_dwi.bvec: has 9 lines of 3 numbers, expected 3 lines of 9; it is transposed" in only(person)


def test_swapped_gradient_files_are_told_as_such(person):
    b, vectors = gradients()
    np.savetxt(person / "dwi/sub-01_dwi.bval", vectors)
    np.savetxt(person / "dwi/sub-01_dwi.bvec", np.atleast_2d(b))
    assert "the b-values and b-vectors are swapped" in only(person)


def test_a_gradient_file_with_a_word_in_it_is_told(person):
    (person / "dwi/sub-01_dwi.bval").write_text("0 1000 nought\n")
    assert "sub-01_dwi.bval: not a table of numbers" in only(person)


def test_lines_of_different_lengths_are_told(person):
    (person / "dwi/sub-01_dwi.bvec").write_text("0 1 0\n0 0\n0 0 1\n")
    assert "sub-01_dwi.bvec: lines of 2, 3 numbers, expected lines of one length" in only(person)


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(directions(5)[:, [0, 1, 2, 3, 4, 0, 1, 2]], id="five measured again"),
        pytest.param(np.c_[directions(4), -directions(4)], id="four and their opposites"),
        pytest.param(
            np.stack([np.cos(np.arange(8) * 0.39), np.sin(np.arange(8) * 0.39), np.zeros(8)]),
            id="eight in one plane",
        ),
    ],
)
def test_directions_that_do_not_determine_a_tensor_are_told(person, vectors):
    write_dwi(person / "dwi/sub-01_dwi", vectors=np.c_[np.zeros(3), vectors])
    assert "do not determine a tensor; at least 6" in only(person)


def test_six_directions_are_enough(person):
    b, vectors = gradients(6)
    write_dwi(person / "dwi/sub-01_dwi", b=b, vectors=vectors)
    assert told(person) == []


def test_magnitude_and_phase_on_different_grids_are_told(person):
    write_image(person / "anat/sub-01_echo-2_part-phase_MEGRE.nii.gz", shape=(7, 8, 10))
    message = only(person)
    assert "sub-01_echo-2_part-phase_MEGRE.nii.gz (shape (7, 8, 10)) is not on the grid of" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"MagneticFieldStrength": 3}, "EchoTime in its sidecar is None; write it in s"),
        ({"EchoTime": 0.01}, "MagneticFieldStrength in its sidecar is None; write it in T"),
        (
            {"EchoTime": 20, "MagneticFieldStrength": 3},
            "EchoTime in its sidecar is 20; BIDS gives seconds, so write 0.02",
        ),
        (
            {"EchoTime": 0.02, "MagneticFieldStrength": 3},
            "echo times 0.02, 0.02 s of the phase images do not rise",
        ),
        ({"EchoTime": "0.01", "MagneticFieldStrength": 3}, "EchoTime in its sidecar is 0.01; write it in s"),
    ],
)
def test_a_phase_image_without_a_usable_sidecar_is_told(person, content, words):
    write_json(person / "anat/sub-01_echo-1_part-phase_MEGRE.json", **content)
    assert words in only(person)


def test_echo_times_of_magnitudes_that_contradict_their_numbers_are_told(person):
    """R2* would come from them: growth in place of decay."""
    for path in (person / "anat").glob("*part-phase*"):
        path.unlink()
    for echo, time in ((1, 0.02), (2, 0.01)):
        write_json(person / f"anat/sub-01_echo-{echo}_part-mag_MEGRE.json", EchoTime=time)
    assert "echo times 0.02, 0.01 s of the magnitude images do not rise" in only(person)


def test_echo_times_of_magnitude_and_phase_are_those_of_one_scan(person):
    for echo, time in ((1, 0.01), (2, 0.025)):
        write_json(person / f"anat/sub-01_echo-{echo}_part-mag_MEGRE.json", EchoTime=time)
    assert "0.01, 0.025 s of the magnitude images, 0.01, 0.02 s of the phase images" in only(person)


def test_a_magnitude_alone_needs_no_echo_time(person):
    for path in (person / "anat").glob("*MEGRE.json"):
        path.unlink()
    for path in (person / "anat").glob("*part-phase*"):
        path.unlink()
    assert told(person) == []


def test_a_sidecar_that_is_not_json_is_told(person):
    (person / "anat/sub-01_echo-1_part-phase_MEGRE.json").write_text("{")
    assert "sub-01_echo-1_part-phase_MEGRE.json: not valid JSON" in only(person)


@pytest.mark.parametrize("inside", [1, 255, 1000])
def test_a_mask_in_place_of_an_image_is_told(person, inside):
    """Programs write 1 or 255; the image is stored without a scale."""
    mask = inside * np.random.default_rng(1).integers(0, 2, SHAPE)
    write_image(person / "anat/sub-01_T1w.nii.gz", data=mask)
    assert f"all its voxels are 0 or {inside}, as in a mask" in only(person)


def test_a_segmentation_in_place_of_an_image_is_told(person):
    write_image(person / "anat/sub-01_T1w.nii.gz", data=np.random.default_rng(1).integers(0, 4, SHAPE))
    assert "all its voxels have one of 4 values, whole numbers from 0 to 3" in only(person)


@pytest.mark.parametrize(("offset", "refused"), [(0, False), (900, True)])
def test_a_series_from_which_an_offset_was_subtracted_is_told(person, offset, refused):
    b, _ = gradients()
    signal = 1000 * np.random.default_rng(1).uniform(0.8, 1, (*SHAPE, b.size)) * np.exp(-b / 1000)
    write_dwi(person / "dwi/sub-01_dwi", data=signal - offset, dtype=np.float32)
    found = [line for line in told(person) if "a magnitude has no sign" in line]
    assert len(found) == refused


def test_small_negative_values_of_interpolation_are_no_offset(person):
    b, _ = gradients()
    signal = 1000 * np.random.default_rng(1).uniform(0.8, 1, (*SHAPE, b.size)) * np.exp(-b / 1000)
    signal[:2] = -20
    write_dwi(person / "dwi/sub-01_dwi", data=signal, dtype=np.float32)
    assert told(person) == []


def test_a_phase_in_place_of_the_magnitude_is_told(person):
    phase = np.random.default_rng(2).integers(-4096, 4096, SHAPE)
    write_image(person / "anat/sub-01_echo-1_part-mag_MEGRE.nii.gz", data=phase)
    assert any("a magnitude has no sign" in line or "were wrapped" in line for line in told(person))


# ---------------------------------------------------------------- the study


@pytest.fixture
def dataset(tmp_path):
    """Three people, one of each group; sub-03 has a T1w image alone."""
    for i in (1, 2, 3):
        folder = tmp_path / f"sub-0{i}"
        write_image(folder / f"anat/sub-0{i}_T1w.nii.gz")
        if i < 3:
            write_dwi(folder / f"dwi/sub-0{i}_dwi")
            write_gre(folder / "anat", f"sub-0{i}")
    return tmp_path


def people(**changed):
    columns = {"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["ALS", "PLS", "control"]}
    return pd.DataFrame(columns | {"age": [50, 60, 70], "sex": list("FMF")} | changed)


def run(root, *, cache=None, **given):
    settings = config(root, **given)
    study = load_study(settings, participants_table=people())
    problems, cache = check_study(study, cache or {})
    return settle(study, problems, bad_input=settings["bad_input"]), cache


def test_a_study_without_faults_has_its_scans_and_says_what_is_missing(dataset):
    study, _ = run(dataset)
    assert {who: set(scans) for who, scans in study.scans.items()} == {
        "sub-01": {"t1w", "dwi", "swi", "qsm"},
        "sub-02": {"t1w", "dwi", "swi", "qsm"},
        "sub-03": {"t1w"},
    }
    assert study.left_out["sub-03"] == dict.fromkeys(("dwi", "swi", "qsm", "r2star"), "no file in the dataset")


def test_a_scan_without_phase_is_weighted_but_not_mapped_in_ppm(dataset):
    for phase in (dataset / "sub-02/anat").glob("*part-phase*"):
        phase.unlink()
    study, _ = run(dataset)
    assert set(study.scans["sub-02"]) == {"t1w", "dwi", "swi"}
    assert study.left_out["sub-02"]["qsm"] == "neither a phase image nor a susceptibility map"


def test_relaxation_is_mapped_from_three_echoes_with_their_times(dataset):
    study, _ = run(dataset)
    assert study.left_out["sub-02"]["r2star"] == "R2* needs 3 echoes, found 1"
    write_gre(dataset / "sub-02/anat", "sub-02", echoes=(1, 2, 3))
    study, _ = run(dataset)
    assert len(study.scans["sub-02"]["r2star"].files["magnitude"]) == 3


def test_a_susceptibility_map_alone_is_mapped_but_not_weighted(dataset):
    path = write_image(dataset / "sub-03/swi/sub-03_Chimap.nii.gz", **CHI)
    study, _ = run(dataset)
    assert study.scans["sub-03"]["qsm"].files == {"chimap": (str(path),)}
    assert "swi" not in study.scans["sub-03"]
    assert study.left_out["sub-03"]["swi"] == "a susceptibility map alone, no magnitude and no SWI"


def test_a_susceptibility_map_on_another_grid_than_its_magnitude_is_told(dataset):
    data = np.swapaxes(CHI["data"], 0, 2)
    write_image(dataset / "sub-02/swi/sub-02_Chimap.nii.gz", data=data, dtype=np.float32)
    study, _ = run(dataset, bad_input="leave_out")
    assert "swi" not in study.scans["sub-02"] and "qsm" not in study.scans["sub-02"]
    assert "sub-02_Chimap.nii.gz (shape (9, 8, 7)) is not on the grid of" in study.left_out["sub-02"]["qsm"]


def test_all_that_is_wrong_with_a_study_is_told_in_one_list(dataset):
    (dataset / "sub-01/anat/sub-01_T1w.nii.gz").unlink()
    write_dwi(dataset / "sub-02/dwi/sub-02_dwi", n_volumes=5)
    write_image(dataset / "sub-03/anat/sub-03_T1w.nii.gz", shape=(*SHAPE, 2))
    study = load_study(config(dataset), participants_table=people(age=[50, "old", 70]))
    problems, _ = check_study(study, {})
    with pytest.raises(InputError) as error:
        settle(study, problems, bad_input="stop")
    message = str(error.value)
    assert message.startswith("4 problems with the study's input:\n  - ")
    for words in (
        "row 3 (sub-02), column 'age': found 'old'",
        "sub-01: no T1w image matches",
        "sub-02: sub-02_dwi.bval has 9 entries but the image has 5 volumes",
        "sub-03: sub-03_T1w.nii.gz: has 4 dimensions",
    ):
        assert words in message


def test_a_bad_scan_can_be_left_out_and_its_reason_is_kept(dataset):
    write_dwi(dataset / "sub-02/dwi/sub-02_dwi", n_volumes=5)
    study, _ = run(dataset, bad_input="leave_out")
    assert set(study.scans["sub-02"]) == {"t1w", "swi", "qsm"}
    assert "9 entries but the image has 5 volumes" in study.left_out["sub-02"]["dwi"]
    assert set(study.scans["sub-01"]) == {"t1w", "dwi", "swi", "qsm"}
    assert sum("sub-02_dwi.bval" in note for note in study.notes) == 1
    assert list(study.participants["participant_id"]) == ["sub-01", "sub-02", "sub-03"]


def test_without_a_t1w_all_scans_of_a_person_are_left_out_with_the_reason(dataset):
    write_image(dataset / "sub-02/anat/sub-02_T1w.nii.gz", data=np.zeros(SHAPE))
    study, _ = run(dataset, bad_input="leave_out")
    assert study.scans["sub-02"] == {}
    assert "every voxel is 0" in study.left_out["sub-02"]["t1w"]
    assert study.left_out["sub-02"]["dwi"].startswith(
        "the T1w image cannot be used: sub-02_T1w.nii.gz: every voxel is 0"
    )
    assert list(study.participants["participant_id"]) == ["sub-01", "sub-02", "sub-03"]


def test_leaving_out_is_for_scans_and_a_faulty_table_stops_all_the_same(dataset):
    study = load_study(config(dataset, bad_input="leave_out"), participants_table=people(age=[50, "old", 70]))
    with pytest.raises(InputError, match="found 'old'"):
        settle(study, [], bad_input="leave_out")


def test_a_study_of_which_nothing_is_left_is_refused(dataset):
    for i in (1, 2, 3):
        (dataset / f"sub-0{i}/anat/sub-0{i}_T1w.nii.gz").unlink()
    with pytest.raises(InputError, match="no participant has a usable T1w image"):
        run(dataset, bad_input="leave_out")


def test_a_dataset_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="bids_dir: no such folder"):
        run(tmp_path / "nowhere")


def test_notes_tell_who_is_left_out_and_who_has_no_row(dataset):
    (dataset / "sub-09").mkdir()
    settings = config(dataset, groups={"levels": {"ALS": ["ALS"], "control": ["control"]}}, dwi={"distortion": False})
    study = load_study(settings, participants_table=people())
    assert study.notes == (
        "1 with the label 'PLS' left out: in no group of groups.levels",
        "1 in bids_dir without a row in the participants table: sub-09",
    )
    assert set(study.scans) == {"sub-01", "sub-03"}


def test_the_second_check_reads_only_what_has_changed(dataset, monkeypatch):
    _, cache = run(dataset)
    cache = json.loads(json.dumps(cache))
    checked = []
    monkeypatch.setattr(
        "mndmri.cohort.checks.check_scan", lambda scan, *, bids_dir: checked.append(scan.modality) or []
    )
    run(dataset, cache=cache)
    assert checked == []
    write_dwi(dataset / "sub-02/dwi/sub-02_dwi", n_volumes=5)
    run(dataset, cache=cache)
    assert checked == ["dwi"]


def test_a_problem_is_told_again_from_the_cache_and_the_cache_given_is_left_as_it_was(dataset):
    write_dwi(dataset / "sub-02/dwi/sub-02_dwi", n_volumes=5)
    study = load_study(config(dataset), participants_table=people())
    first, cache = check_study(study, {})
    before = json.dumps(cache)
    second, again = check_study(study, cache)
    assert first == second != []
    assert json.dumps(cache) == before == json.dumps(again)


def test_a_simulated_study_has_the_names_that_the_simulation_will_write(tmp_path):
    settings = config(
        tmp_path / "results/sourcedata",
        simulation={"groups": {"ALS": 2, "PLS": 1, "control": 2}, "missing": {"dwi": 1, "swi": 1}},
    )
    plan = plan_cohort(settings["simulation"])
    study = load_study(settings, participants_table=plan)
    assert check_study(study, {})[0] == []
    study = settle(study, [], bad_input="stop")
    assert study.simulated
    assert sorted(modality for missing in study.left_out.values() for modality in missing if modality != "r2star") == [
        "dwi",
        "qsm",
        "swi",
    ]
    who = min(who for who in plan["participant_id"] if set(study.left_out[who]) == {"r2star"})
    root = tmp_path / "results/sourcedata" / who
    assert study.scans[who]["t1w"].files == {"image": (str(root / f"anat/{who}_T1w.nii.gz"),)}
    assert study.scans[who]["dwi"].files["bvec"] == (str(root / f"dwi/{who}_dwi.bvec"),)
    assert study.scans[who]["swi"].files["phase"] == (str(root / f"anat/{who}_echo-1_part-phase_MEGRE.nii.gz"),)


def test_simulated_visits_are_named_as_the_search_would_find_them_and_dated(tmp_path):
    simulated = {"groups": {"ALS": 3, "PLS": 1, "control": 2}, "visits": {"months": [0, 7], "dropout": 0.5}}
    chosen = {"scores": ["alsfrs_r"]}
    settings = config(tmp_path, simulation=simulated, visits=chosen, exclude={"sub-06": "moved"})
    study = load_study(settings, participants_table=plan_cohort(settings["simulation"]))
    # of the four patients two leave after the first visit, and sub-06 is excluded
    assert len(study.scans) == 2 * 5 - 2
    assert [who for who in study.scans if who.startswith("sub-05")] == ["sub-05_ses-01", "sub-05_ses-02"]
    assert not [who for who in study.scans if who.startswith("sub-06")]
    files = study.scans["sub-05_ses-02"]["dwi"].files
    assert files["image"] == (str(tmp_path / "sub-05/ses-02/dwi/sub-05_ses-02_dwi.nii.gz"),)
    visits = study.visits
    assert list(visits["participant_id"] + "_" + visits["session"]) == list(study.scans)
    assert visits.set_index("session")["months"].to_dict() == {"ses-01": 0, "ses-02": 7}
    assert visits["alsfrs_r"].notna().sum() == 2 * 4 - 2
    for scan in study.scans["sub-05_ses-02"].values():
        for path in map(Path, scan.all_files()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    found = find_scans(tmp_path, "sub-05_ses-02", settings)[0]
    assert {m: dict(own.files) for m, own in found.items()} == {
        m: dict(own.files) for m, own in study.scans["sub-05_ses-02"].items()
    }


def test_maps_are_simulated_where_the_study_has_them_and_are_what_it_declares(tmp_path):
    maps = {"cbf": {"pattern": "perf/*_cbf.nii.gz", "quantity": "relative", "where": ["gyri"]}}
    settings = config(tmp_path, simulation={}, modalities=["t1w", "flair"], maps=maps)
    planned = load_study(settings, participants_table=plan_cohort(settings["simulation"])).scans["sub-01"]
    for path, modality in (("anat/sub-01_T1w", "t1w"), ("anat/sub-01_FLAIR", "flair"), ("perf/sub-01_cbf", "cbf")):
        write_image(tmp_path / f"sub-01/{path}.nii.gz")
        assert planned[modality].files["image"] == (str(tmp_path / f"sub-01/{path}.nii.gz"),)
    found = find_scans(tmp_path, "sub-01", settings)[0]
    assert {name: own.declared for name, own in found.items()} == {name: own.declared for name, own in planned.items()}


def test_a_simulated_reverse_b0_is_named_as_the_search_would_find_it(tmp_path):
    simulation = {"groups": {"ALS": 1, "PLS": 1, "control": 1}, "dwi": {"reverse_b0": True}}
    settings = config(tmp_path, simulation=simulation)
    planned = load_study(settings, participants_table=plan_cohort(settings["simulation"])).scans["sub-01"]["dwi"]
    write_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    write_dwi(tmp_path / "sub-01/dwi/sub-01_dir-AP_dwi")
    write_dwi(tmp_path / "sub-01/dwi/sub-01_dir-PA_dwi", b=[0.0], vectors=np.zeros((3, 1)))
    for direction in ("AP", "PA"):
        write_json(tmp_path / f"sub-01/dwi/sub-01_dir-{direction}_dwi.json")
    assert dict(find_scans(tmp_path, "sub-01", settings)[0]["dwi"].files) == dict(planned.files)


# ---------------------------------------------------------------- real people


@pytest.mark.parametrize(
    ("who", "modalities"),
    [("philips01", {"t1w", "dwi", "swi"}), ("iu01", {"t1w", "dwi"}), ("uih02", {"t1w", "dwi"})],
)
def test_scans_of_real_people_are_found_and_accepted(real_data, who, modalities):
    person = real_data / "real" / f"sub-{who}"
    if not person.is_dir():
        pytest.skip(f"no {person}")
    scans, problems = find_scans(person.parent, person.name, config(person.parent))
    assert problems == []
    assert set(scans) == modalities
    for scan in scans.values():
        assert check_scan(scan, bids_dir=person.parent) == []
    if who != "philips01":
        assert names(scans["dwi"], "image") == [f"sub-{who}_dir-AP_dwi.nii.gz"]
        assert names(scans["dwi"], "reverse") == [f"sub-{who}_dir-PA_dwi.nii.gz"]
    else:
        assert [len(scans["swi"].files[role]) for role in ("magnitude", "phase")] == [2, 2]
        assert bids.sidecar(scans["swi"].files["phase"][0], person.parent)["EchoTime"] < 0.1


@pytest.mark.parametrize(("n", "lines"), [(3, 3), (4, 1)])
def test_what_is_wrong_alike_in_many_is_told_once_with_their_names(n, lines):
    people = [f"sub-{number:02d}" for number in range(n)]
    problems = [Problem(f"{who}: {who}_T1w.nii.gz: is empty", who, "t1w") for who in people]
    study = Study(
        pd.DataFrame({"participant_id": people}), {who: {} for who in people}, {who: {} for who in people}, ""
    )
    with pytest.raises(InputError) as caught:
        settle(study, [*problems, Problem("participants table: no rows")], bad_input="stop")
    said = str(caught.value).splitlines()
    assert len(said) == 1 + lines + 1
    assert all(who in str(caught.value) for who in people)
    if n == 4:
        assert said[1] == "  - sub-00, sub-01, sub-02, sub-03: sub-*_T1w.nii.gz: is empty"
