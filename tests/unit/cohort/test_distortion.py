"""Which method corrects a participant's distortion, with which files, and what is told where it cannot."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import check_scan, check_study, find_scans, load_study, settle
from mndmri.cohort.field_maps import field_map_metadata
from mndmri.phantom.plan import plan_cohort
from tests.unit.cohort.test_scans import AFFINE, SHAPE, config, directions, names, write_dwi, write_image, write_json

SHIFTED = AFFINE + np.outer([0, 0, 3, 0], [0, 0, 0, 1])  # by a slice
ENCODING = {"PhaseEncodingDirection": "j-", "TotalReadoutTime": 0.05}


@pytest.fixture
def person(tmp_path):
    """Folder of a person with a T1w image and a diffusion series whose phase encoding is known."""
    folder = tmp_path / "sub-01"
    write_image(folder / "anat/sub-01_T1w.nii.gz")
    write_dwi(folder / "dwi/sub-01_dwi")
    write_json(folder / "dwi/sub-01_dwi.json", **ENCODING)
    return folder


def find(person, distortion="auto", **dwi):
    """The diffusion scan, or None, and all that is told of it."""
    settings = config(person.parent, dwi={"distortion": distortion, **dwi}, modalities=["t1w", "dwi"])
    scans, problems = find_scans(person.parent, person.name, settings)
    scan = scans.get("dwi")
    checked = check_scan(scan, bids_dir=person.parent) if scan else []
    return scan, [p.message for p in problems] + checked


def refusal(person, distortion="auto", **dwi):
    _, told = find(person, distortion, **dwi)
    assert len(told) == 1, told
    return told[0]


def method(person, distortion="auto", **dwi):
    scan, told = find(person, distortion, **dwi)
    assert told == []
    return scan.distortion


def add_reverse(person, **image):
    """A b=0 image of opposite phase encoding, as a field map."""
    write_image(person / "fmap/sub-01_dir-PA_epi.nii.gz", **image)
    write_json(person / "fmap/sub-01_dir-PA_epi.json", PhaseEncodingDirection="j", IntendedFor="dwi/sub-01_dwi.nii.gz")


def phase(shape):
    """A wrapped phase on the scale of Siemens."""
    return np.random.default_rng(2).integers(-4096, 4096, shape)


def add_phasediff(person, name="sub-01", **metadata):
    shape = (6, 7, 8)
    write_image(person / f"fmap/{name}_phasediff.nii.gz", data=phase(shape))
    write_json(person / f"fmap/{name}_phasediff.json", **{"EchoTime1": 0.005, "EchoTime2": 0.00746} | metadata)
    for echo in (1, 2):
        write_image(person / f"fmap/{name}_magnitude{echo}.nii.gz", shape=shape)


def add_two_phases(person, times=(0.005, 0.00746)):
    for echo, time in enumerate(times, 1):
        write_image(person / f"fmap/sub-01_phase{echo}.nii.gz", data=phase(SHAPE))
        write_json(person / f"fmap/sub-01_phase{echo}.json", EchoTime=time)
        write_image(person / f"fmap/sub-01_magnitude{echo}.nii.gz")


def add_field(person, **metadata):
    write_image(person / "fmap/sub-01_fieldmap.nii.gz")
    write_json(person / "fmap/sub-01_fieldmap.json", **metadata)
    write_image(person / "fmap/sub-01_magnitude.nii.gz")


# ---------------------------------------------------------------- the choice


def test_auto_takes_the_reverse_pair_before_the_field_map_before_the_t1w(person):
    assert method(person) == "t1w"
    add_phasediff(person)
    assert method(person) == "fieldmap"
    add_reverse(person)
    assert method(person) == "reverse"


def test_only_the_files_of_the_chosen_method_are_part_of_the_scan(person):
    add_phasediff(person)
    add_reverse(person)
    for distortion in ("reverse", "fsl"):
        roles = set(find(person, distortion)[0].files)
        assert roles == {"image", "bval", "bvec", "json", "reverse", "reverse_json"}
    assert {role: names(find(person, "fieldmap")[0], role) for role in ("fieldmap", "fieldmap_magnitude")} == {
        "fieldmap": ["sub-01_phasediff.nii.gz"],
        "fieldmap_magnitude": ["sub-01_magnitude1.nii.gz", "sub-01_magnitude2.nii.gz"],
    }
    for distortion in ("t1w", False):
        assert set(find(person, distortion)[0].files) == {"image", "bval", "bvec", "json"}
    assert [method(person, d) for d in ("fsl", "t1w", False)] == ["fsl", "t1w", "none"]


@pytest.mark.parametrize("distortion", ["reverse", "fsl"])
def test_a_chosen_reverse_pair_that_is_not_there_is_told(person, distortion):
    assert f"dwi.distortion {distortion} needs a second series or fmap/*_epi image of opposite" in refusal(
        person, distortion
    )


def test_a_chosen_field_map_that_is_not_there_is_told(person):
    assert "no field maps in fmap/ for sub-01_dwi.nii.gz (none), one is used" in refusal(person, "fieldmap")


@pytest.mark.parametrize(
    ("metadata", "missing"),
    [
        ({"PhaseEncodingAxis": "j", "TotalReadoutTime": 0.05}, "PhaseEncodingDirection"),
        ({"PhaseEncodingDirection": "j"}, "TotalReadoutTime"),
        ({"PhaseEncodingAxis": "j"}, "PhaseEncodingDirection and TotalReadoutTime"),
    ],
)
def test_what_a_field_map_lacks_of_the_series_is_told_and_auto_passes_over_it_with_a_note(person, metadata, missing):
    write_json(person / "dwi/sub-01_dwi.json", **metadata)
    add_phasediff(person)
    assert f"dwi.distortion fieldmap needs {missing} of sub-01_dwi.nii.gz" in refusal(person, "fieldmap")
    scan, told = find(person)
    assert (scan.distortion, told) == ("t1w", [])
    assert scan.notes == (f"the field map is not used, which needs {missing} of the diffusion series",)


def test_without_a_known_axis_the_t1w_is_no_help_and_auto_corrects_nothing_and_says_so(person):
    (person / "dwi/sub-01_dwi.json").unlink()
    assert "sub-01_dwi.nii.gz has no PhaseEncodingDirection" in refusal(person, "t1w")
    scan, told = find(person)
    assert (scan.distortion, told) == ("none", [])
    assert "distortion of the diffusion series is not corrected" in scan.notes[0]


def test_people_of_whom_the_same_is_noted_are_told_in_one_line(person):
    (person / "dwi/sub-01_dwi.json").unlink()
    write_image(person.parent / "sub-02/anat/sub-02_T1w.nii.gz")
    write_dwi(person.parent / "sub-02/dwi/sub-02_dwi")
    table = plan_cohort(config("x", simulation={})["simulation"]).iloc[:2]
    groups = {"levels": {name: [name] for name in dict.fromkeys([*table["group"], "control"])}}
    study = load_study(
        config(person.parent, groups=groups), participants_table=table.assign(participant_id=["sub-01", "sub-02"])
    )
    assert sum("sub-01, sub-02: distortion of the diffusion series" in note for note in study.notes) == 1


def test_eddy_needs_an_axis_too(person):
    assert method(person, False, motion="fsl") == "none"
    (person / "dwi/sub-01_dwi.json").unlink()
    assert "dwi.motion fsl needs PhaseEncodingDirection" in refusal(person, False, motion="fsl")


# ---------------------------------------------------------------- the reverse pair


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"shape": (8, 8, 9)}, "(shape (8, 8, 9)) is not on the grid of sub-01_dwi.nii.gz (shape (7, 8, 9))"),
        ({"affine": AFFINE @ np.diag([1, 1, 1.1, 1])}, "(shape (7, 8, 9); other places or sizes of the voxels)"),
    ],
)
def test_a_reverse_image_on_another_grid_is_told_where_it_would_be_used(person, image, words):
    add_reverse(person, **image)
    for distortion in ("auto", "reverse", "fsl"):
        message = refusal(person, distortion)
        assert "sub-01_dir-PA_epi.nii.gz" in message and words in message
        assert "scanned with one field of view" in message
    assert method(person, "t1w") == "t1w"


def test_a_reverse_image_may_name_the_series_by_uri_or_by_identifier(person):
    add_reverse(person)
    for metadata in ({"IntendedFor": ["bids::sub-01/dwi/sub-01_dwi.nii.gz"]}, {"B0FieldIdentifier": "pepolar"}):
        write_json(person / "dwi/sub-01_dwi.json", **ENCODING, B0FieldSource="pepolar")
        write_json(person / "fmap/sub-01_dir-PA_epi.json", PhaseEncodingDirection="j", **metadata)
        assert method(person) == "reverse"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"PhaseEncodingDirection": ENCODING["PhaseEncodingDirection"]}, "do not give opposite phase encoding"),
        (
            {"IntendedFor": "dwi/sub-99_dwi.nii.gz"},
            "names a diffusion series that is not there",
        ),
    ],
)
def test_a_reverse_image_for_the_series_that_cannot_be_used_is_noted(person, metadata, said):
    add_reverse(person)
    sidecar = person / "fmap/sub-01_dir-PA_epi.json"
    write_json(sidecar, **json.loads(sidecar.read_text()) | metadata)
    scan, told = find(person)
    assert told == [] and scan.distortion == "t1w"
    assert any(said in note for note in scan.notes)


@pytest.mark.parametrize("place", ["dwi/sub-01_acq-short_dwi", "ses-2/dwi/sub-01_ses-2_dwi"])
def test_a_reverse_image_of_another_series_that_is_there_is_not_noted(person, place):
    add_reverse(person)
    write_dwi(person / place)
    sidecar = person / "fmap/sub-01_dir-PA_epi.json"
    write_json(sidecar, **json.loads(sidecar.read_text()) | {"IntendedFor": f"{place}.nii.gz"})
    assert find(person, pattern="dwi/sub-01_dwi.nii.gz")[0].notes == ()


def test_a_reverse_image_of_a_functional_series_is_not_noted(person):
    add_reverse(person)
    sidecar = person / "fmap/sub-01_dir-PA_epi.json"
    write_json(sidecar, **json.loads(sidecar.read_text()) | {"IntendedFor": "func/sub-01_bold.nii.gz"})
    assert find(person)[0].notes == ()


# ---------------------------------------------------------------- the field map


@pytest.mark.parametrize(
    ("add", "kind", "times", "units"),
    [
        (add_phasediff, "phasediff", (0.005, 0.00746), None),
        (add_two_phases, "phases", (0.005, 0.00746), None),
        (lambda person: add_field(person, Units="rad/s"), "field", None, "rad/s"),
    ],
)
def test_every_kind_of_field_map_is_found_and_its_metadata_read(person, add, kind, times, units):
    add(person)
    scan, told = find(person)
    assert told == []
    assert field_map_metadata(scan.files["fieldmap"], person.parent) == (kind, times, units)


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda p: add_phasediff(p, EchoTime1=None), "sub-01_phasediff.nii.gz: EchoTime1 in its sidecar is None"),
        (
            lambda p: add_phasediff(p, EchoTime1=5.0, EchoTime2=7.46),
            "EchoTime1 in its sidecar is 5.0, expected seconds",
        ),
        (
            lambda p: add_phasediff(p, EchoTime2=0.005),
            "echo times of 0.005 and 0.005 s, expected the second to be later",
        ),
        (lambda p: add_two_phases(p, (0.007, 0.005)), "echo times of 0.007 and 0.005 s"),
        (add_field, "sub-01_fieldmap.nii.gz: Units in its sidecar is None, expected Hz or rad/s"),
        (lambda p: add_field(p, Units="T"), "Units in its sidecar is T, expected Hz or rad/s"),
    ],
)
def test_a_field_map_that_cannot_be_used_is_told_unless_a_reverse_pair_is_used(person, add, words):
    add(person)
    for distortion in ("auto", "fieldmap"):
        assert words in refusal(person, distortion)
    assert [method(person, d) for d in ("t1w", False)] == ["t1w", "none"]
    add_reverse(person)
    assert method(person) == "reverse"


def test_a_phase_difference_that_is_no_phase_is_told(person):
    add_phasediff(person)
    write_image(person / "fmap/sub-01_phasediff.nii.gz", shape=(6, 7, 8))
    assert "sub-01_phasediff.nii.gz: values from" in refusal(person)
    assert "match no known phase scale" in refusal(person)
    assert method(person, "t1w") == "t1w"


def test_a_field_map_without_magnitude_or_with_one_on_another_grid_is_told(person):
    add_phasediff(person)
    write_image(person / "fmap/sub-01_magnitude1.nii.gz", shape=SHAPE)
    assert "sub-01_magnitude1.nii.gz (shape (7, 8, 9)) is not on the grid of sub-01_phasediff.nii.gz" in refusal(person)
    for echo in (1, 2):
        (person / f"fmap/sub-01_magnitude{echo}.nii.gz").unlink()
    assert "sub-01_phasediff.nii.gz has no magnitude image beside it" in refusal(person)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"IntendedFor": "func/sub-01_bold.nii.gz"}, "t1w"),
        ({"IntendedFor": ["bids::sub-01/dwi/sub-01_dwi.nii.gz"]}, "fieldmap"),
    ],
)
def test_a_field_map_is_for_the_image_that_it_names(person, metadata, expected):
    add_phasediff(person, **metadata)
    assert method(person) == expected


def test_of_two_field_maps_the_one_that_names_the_series_is_used_and_otherwise_both_are_told(person):
    add_phasediff(person, "sub-01_run-1")
    add_phasediff(person, "sub-01_run-2")
    assert "2 field maps in fmap/ for sub-01_dwi.nii.gz (sub-01_run-1_phasediff.nii.gz, sub-01_run-2" in refusal(person)
    sidecar = person / "fmap/sub-01_run-2_phasediff.json"
    write_json(sidecar, **json.loads(sidecar.read_text()), IntendedFor="dwi/sub-01_dwi.nii.gz")
    assert names(find(person)[0], "fieldmap") == ["sub-01_run-2_phasediff.nii.gz"]


def test_a_field_map_of_another_session_is_not_taken(person):
    for session in ("ses-1", "ses-2"):
        (person / session).mkdir()
    (person / "dwi").rename(person / "ses-1/dwi")
    add_phasediff(person)
    (person / "fmap").rename(person / "ses-2/fmap")
    assert method(person) == "t1w"
    (person / "ses-2/fmap").rename(person / "ses-1/fmap")
    assert method(person) == "fieldmap"


# ---------------------------------------------------------------- series that come corrected


@pytest.fixture
def corrected(person):
    """The same person's series as QSIPrep leaves it, in a folder of derivatives."""
    write_dwi(person.parent / "derivatives/qsiprep/sub-01/dwi/sub-01_space-T1w_desc-preproc_dwi")
    return person.parent / "derivatives/qsiprep"


def test_a_corrected_series_is_taken_from_its_folder_and_needs_no_phase_encoding(person, corrected):
    given = {"preprocessed": True, "dir": str(corrected), "pattern": "dwi/*_desc-preproc_dwi.nii.gz"}
    settings = config(person.parent, dwi=given, modalities=["t1w", "dwi"])
    scans, problems = find_scans(person.parent, "sub-01", settings)
    assert problems == []
    assert scans["dwi"].distortion == "before"
    assert {role: names(scans["dwi"], role) for role in ("image", "bval", "bvec")} == {
        "image": ["sub-01_space-T1w_desc-preproc_dwi.nii.gz"],
        "bval": ["sub-01_space-T1w_desc-preproc_dwi.bval"],
        "bvec": ["sub-01_space-T1w_desc-preproc_dwi.bvec"],
    }
    assert check_scan(scans["dwi"], bids_dir=person.parent) == []


def test_a_person_without_a_corrected_series_goes_on_without_diffusion(person, corrected):
    write_image(person.parent / "sub-02/anat/sub-02_T1w.nii.gz")
    settings = config(person.parent, dwi={"preprocessed": True, "dir": str(corrected)}, modalities=["t1w", "dwi"])
    scans, problems = find_scans(person.parent, "sub-02", settings)
    assert (set(scans), problems) == ({"t1w"}, [])


def test_two_corrected_series_are_told_also_if_they_are_of_opposite_phase_encoding(person):
    for direction in ("AP", "PA"):
        write_dwi(person / f"dwi/sub-01_dir-{direction}_dwi")
    message = refusal(person, False, preprocessed=True, pattern="dwi/*_dir-*_dwi.nii.gz")
    assert "2 files match where one preprocessed diffusion series is used" in message


def test_the_output_of_eddy_is_found_by_patterns_with_the_b_values_of_the_dataset(person, tmp_path):
    eddy = tmp_path / "eddy/sub-01"
    write_dwi(eddy / "corrected")
    (eddy / "corrected.bval").unlink()
    (eddy / "corrected.bvec").rename(eddy / "corrected.eddy_rotated_bvecs")
    given = {
        "preprocessed": True,
        "dir": str(tmp_path / "eddy"),
        "pattern": "corrected.nii.gz",
        "bval_pattern": "dwi/*_dwi.bval",
        "bvec_pattern": "*.eddy_rotated_bvecs",
    }
    scan, told = find(person, False, **given)
    assert told == []
    assert names(scan, "bval") == ["sub-01_dwi.bval"]
    assert names(scan, "bvec") == ["corrected.eddy_rotated_bvecs"]
    assert "no files of b-values match dwi.bval_pattern *.b" in refusal(
        person, False, **given | {"bval_pattern": "*.b"}
    )


def test_a_folder_of_corrected_series_that_is_not_there_is_told(person):
    settings = config(person.parent, dwi={"preprocessed": True, "dir": "/nowhere"})
    table = plan_cohort(config("x", simulation={})["simulation"])
    assert [p.message for p in load_study(settings, participants_table=table).problems] == [
        "dwi.dir: no such folder /nowhere; correct the path"
    ]


# ---------------------------------------------------------------- simulated and real people


@pytest.mark.parametrize(
    ("distortion", "reverse_b0", "expected"),
    [
        ("auto", True, "reverse"),
        ("auto", False, "t1w"),
        ("fsl", True, "fsl"),
        ("t1w", True, "t1w"),
        (False, True, "none"),
    ],
)
def test_a_simulated_series_has_the_method_that_its_files_will_allow(tmp_path, distortion, reverse_b0, expected):
    simulation = {"groups": {"ALS": 1, "PLS": 1, "control": 1}, "dwi": {"reverse_b0": reverse_b0}}
    settings = config(tmp_path, simulation=simulation, dwi={"distortion": distortion})
    planned = load_study(settings, participants_table=plan_cohort(settings["simulation"])).scans["sub-01"]["dwi"]
    assert planned.distortion == expected
    assert ("reverse" in planned.files) is (expected in ("reverse", "fsl"))


@pytest.mark.real
@pytest.mark.parametrize(
    ("who", "distortion", "expected"),
    [
        ("iu01", "auto", "reverse"),
        ("iu01", "fieldmap", "fieldmap"),
        ("uih02", "auto", "reverse"),
        ("philips01", "auto", "t1w"),
    ],
)
def test_the_method_for_real_people(real_data, who, distortion, expected):
    scan, told = find(real_data / f"real/sub-{who}", distortion)
    assert told == []
    assert scan.distortion == expected
    if expected == "fieldmap":
        metadata = field_map_metadata(scan.files["fieldmap"], real_data / "real")
        assert metadata == ("phasediff", (0.01, 0.01246), None)
        assert names(scan, "fieldmap_magnitude") == ["sub-iu01_magnitude1.nii.gz", "sub-iu01_magnitude2.nii.gz"]


# ---------------------------------------------------------------- refusals, for one participant alone


def break_truncated(folder):
    image = nb.load(folder / "dwi/sub-01_dwi.nii.gz")
    nb.save(nb.Nifti1Image(np.asarray(image.dataobj)[..., :-2], image.affine), folder / "dwi/sub-01_dwi.nii.gz")


def break_swapped(folder):
    bval, bvec = folder / "dwi/sub-01_dwi.bval", folder / "dwi/sub-01_dwi.bvec"
    one, other = bval.read_text(), bvec.read_text()
    bval.write_text(other)
    bvec.write_text(one)


def break_transposed(folder):
    np.savetxt(folder / "dwi/sub-01_dwi.bvec", np.loadtxt(folder / "dwi/sub-01_dwi.bvec").T)


def break_directions(folder):
    write_dwi(
        folder / "dwi/sub-01_dwi", b=[0.0, *[1000.0] * 10], vectors=np.c_[np.zeros(3), directions(5), -directions(5)]
    )


def break_b0(folder):
    write_dwi(folder / "dwi/sub-01_dwi", b=np.full(8, 1000.0), vectors=directions(8))


FAULTS = [
    (break_truncated, "sub-01_dwi.bval has 9 entries but the image has 7 volumes; check that the series was not"),
    (break_swapped, "the b-values and b-vectors are swapped; rename the two files"),
    (break_transposed, "it is transposed: write x, y and z each in one line"),
    (break_directions, "5 different directions in the weighted volumes, which do not determine a tensor"),
    (break_b0, "no volume with b below 100 s/mm2 (the smallest is 1000)"),
    (lambda folder: add_reverse(folder, shape=(8, 8, 9)), "is not on the grid of sub-01_dwi.nii.gz"),
    (lambda folder: add_reverse(folder, affine=SHIFTED), "other places or sizes"),
]


@pytest.mark.parametrize(("broken", "words"), FAULTS)
def test_a_faulty_series_is_refused_in_one_line(person, broken, words):
    broken(person)
    assert words in refusal(person)


@pytest.mark.parametrize(("broken", "words"), FAULTS)
def test_a_faulty_series_is_left_out_if_asked_and_the_others_go_on(person, broken, words):
    write_image(person.parent / "sub-02/anat/sub-02_T1w.nii.gz")
    write_dwi(person.parent / "sub-02/dwi/sub-02_dwi")
    broken(person)
    table = pd.DataFrame(
        {"participant_id": ["sub-01", "sub-02"], "group": ["ALS", "control"], "age": [50, 60], "sex": ["F", "M"]}
    )
    settings = config(
        person.parent, modalities=["t1w", "dwi"], groups={"levels": {"ALS": ["ALS"], "control": ["control"]}}
    )
    study = load_study(settings, participants_table=table)
    study = settle(study, check_study(study, {})[0], bad_input="leave_out")
    assert {who: set(own) for who, own in study.scans.items()} == {"sub-01": {"t1w"}, "sub-02": {"t1w", "dwi"}}
    assert words in study.left_out["sub-01"]["dwi"]
