import json

import nibabel as nb
import numpy as np
import pytest

from mndmri.cohort import bids
from mndmri.io import InputError


def touch(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_entities_and_suffix_are_read_from_a_name():
    name = "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.nii.gz"
    assert bids.entities(name) == ({"sub": "01", "echo": "2", "part": "mag"}, "MEGRE")


def test_echoes_are_paired_by_their_numbers_whatever_the_order_of_the_files():
    magnitude, phase = ([f"sub-01_echo-{n}_part-{part}_GRE.nii" for n in (10, 1, 2)] for part in ("mag", "phase"))
    pairs = bids.pair_echoes(magnitude=magnitude, phase=phase[::-1])
    assert [[bids.echo_number(path) for path in pair.values()] for pair in pairs] == [[1, 1], [2, 2], [10, 10]]
    assert all("part-mag" in pair["magnitude"] and "part-phase" in pair["phase"] for pair in pairs)
    assert bids.pair_echoes(magnitude=["sub-01_swi.nii"], phase=[]) == [{"magnitude": "sub-01_swi.nii"}]
    assert bids.pair_echoes(magnitude=[], phase=[]) == []


@pytest.mark.parametrize(("magnitude", "phase"), [((1, 2), (1,)), ((1, 2), (2, 3)), ((1, 1), (1,))])
def test_echoes_that_do_not_pair_up_are_refused(magnitude, phase):
    files = {"magnitude": magnitude, "phase": phase}
    with pytest.raises(InputError, match="expected once each, found sub-01_echo-"):
        bids.pair_echoes(**{role: [f"sub-01_echo-{n}_{role}.nii" for n in own] for role, own in files.items()})


def test_the_nearest_sidecar_wins_key_by_key(tmp_path):
    image = touch(tmp_path / "sub-01/anat/sub-01_echo-1_part-phase_MEGRE.nii.gz")
    touch(tmp_path / "MEGRE.json", json.dumps({"EchoTime": 1, "MagneticFieldStrength": 3, "Manufacturer": "X"}))
    touch(tmp_path / "sub-01/sub-01_MEGRE.json", json.dumps({"EchoTime": 2, "Manufacturer": "Y"}))
    touch(tmp_path / "sub-01/anat/sub-01_echo-1_part-phase_MEGRE.json", json.dumps({"EchoTime": 0.02}))
    assert bids.sidecar(image, tmp_path) == {
        "EchoTime": 0.02,
        "MagneticFieldStrength": 3,
        "Manufacturer": "Y",
    }


@pytest.mark.parametrize("name", ["echo-2_MEGRE.json", "T1w.json", "sub-02_MEGRE.json", "acq-x_MEGRE.json"])
def test_a_sidecar_of_another_echo_suffix_participant_or_acquisition_does_not_apply(tmp_path, name):
    image = touch(tmp_path / "sub-01/anat/sub-01_echo-1_MEGRE.nii.gz")
    touch(tmp_path / name, json.dumps({"EchoTime": 9}))
    assert bids.sidecar(image, tmp_path) == {}


def test_a_sidecar_in_a_folder_beside_does_not_apply(tmp_path):
    image = touch(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    touch(tmp_path / "sub-01/dwi/sub-01_T1w.json", json.dumps({"EchoTime": 9}))
    assert bids.inherited_files(image, ".json", tmp_path) == []


def test_an_image_outside_the_dataset_is_refused(tmp_path):
    with pytest.raises(InputError, match="not inside the BIDS dataset"):
        bids.sidecar(tmp_path / "elsewhere" / "sub-01_T1w.nii.gz", tmp_path / "data")


# ---------------------------------------------------------------- field maps and phase encoding


def series(tmp_path, name="sub-01_dwi", *, storage="LAS", **metadata):
    """An echo-planar image, stored in a given orientation and tilted, and its sidecar."""
    tilt = nb.affines.from_matvec(nb.eulerangles.euler2mat(x=0.3))
    to_ras = nb.orientations.ornt_transform(nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage))
    zooms = np.diag([2, 2.5, 3, 1])
    affine = tilt @ zooms @ nb.orientations.inv_ornt_aff(to_ras, (7, 8, 9))
    path = tmp_path / f"sub-01/dwi/{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.ones((7, 8, 9), np.uint8), affine), path)
    assert "".join(nb.aff2axcodes(nb.load(path).affine)) == storage
    touch(path.with_suffix("").with_suffix(".json"), json.dumps(metadata))
    return path


@pytest.mark.parametrize(
    ("direction", "axis", "polarity"), [("j", "j", 1), ("j-", "j", -1), ("i", "i", 1), ("k-", "k", -1)]
)
def test_the_direction_of_phase_encoding_is_that_of_the_sidecar(tmp_path, direction, axis, polarity):
    path = series(tmp_path, PhaseEncodingDirection=direction, PhaseEncodingAxis="i", TotalReadoutTime=0.05)
    assert bids.phase_encoding(path, tmp_path) == (axis, polarity, 0.05)


@pytest.mark.parametrize(
    ("label", "storage", "expected"),
    [
        ("AP", "LAS", ("j", -1)),
        ("PA", "LAS", ("j", 1)),
        ("AP", "RPS", ("j", 1)),
        ("AP", "PSR", ("i", 1)),
        ("PA", "PSR", ("i", -1)),
        ("LR", "LAS", ("i", -1)),
        ("LR", "RAS", ("i", 1)),
        ("HF", "LAS", ("k", -1)),
        ("FH", "LAS", ("k", 1)),
    ],
)
def test_a_label_gives_the_direction_in_the_person_s_body_however_the_image_is_stored(
    tmp_path, label, storage, expected
):
    path = series(tmp_path, f"sub-01_dir-{label}_dwi", storage=storage)
    assert bids.phase_encoding(path, tmp_path)[:2] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sub-01_dir-AP_dwi", ("j", -1)), ("sub-01_dwi", ("j", None)), ("sub-01_dir-LR_dwi", ("j", None))],
)
def test_an_axis_alone_takes_its_polarity_from_a_label_along_it(tmp_path, name, expected):
    path = series(tmp_path, name, PhaseEncodingAxis="j")
    assert bids.phase_encoding(path, tmp_path) == (*expected, None)


def test_without_any_word_on_it_phase_encoding_is_not_known(tmp_path):
    assert bids.phase_encoding(series(tmp_path, TotalReadoutTime=0.05), tmp_path) is None
    assert bids.phase_encoding(series(tmp_path, "sub-01_dir-1_dwi"), tmp_path) is None


@pytest.mark.parametrize(
    ("metadata", "readout"),
    [
        ({"TotalReadoutTime": 0.05, "EffectiveEchoSpacing": 1e-3, "ReconMatrixPE": 72}, 0.05),
        ({"EffectiveEchoSpacing": 5e-4, "ReconMatrixPE": 101, "EstimatedTotalReadoutTime": 0.03}, 0.05),
        ({"EffectiveEchoSpacing": 5e-4, "EstimatedTotalReadoutTime": 0.03}, 0.03),
        ({"EffectiveEchoSpacing": 5e-4}, None),
    ],
)
def test_the_readout_time_is_given_or_comes_of_echo_spacing_or_is_estimated(tmp_path, metadata, readout):
    encoding = bids.phase_encoding(series(tmp_path, PhaseEncodingDirection="j", **metadata), tmp_path)
    assert encoding.readout_s == (readout and pytest.approx(readout))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"PhaseEncodingDirection": "y"}, "PhaseEncodingDirection in its sidecar is 'y', expected one of i, i-, j"),
        ({"TotalReadoutTime": 50}, "TotalReadoutTime in its sidecar is 50, expected seconds, above 0 and at most 1"),
        ({"TotalReadoutTime": "0.05"}, "TotalReadoutTime in its sidecar is 0.05, expected seconds"),
        (
            {"EffectiveEchoSpacing": 0.5, "ReconMatrixPE": 72},
            r"times ReconMatrixPE - 1 \(72 - 1\) in its sidecar is 35.5",
        ),
    ],
)
def test_an_encoding_that_cannot_be_is_told(tmp_path, metadata, words):
    path = series(tmp_path, **{"PhaseEncodingDirection": "j"} | metadata)
    with pytest.raises(InputError, match=f"sub-01_dwi.nii.gz: .*{words}"):
        bids.phase_encoding(path, tmp_path)


@pytest.mark.parametrize(
    ("metadata", "meant"),
    [
        ({"IntendedFor": "dwi/sub-01_dwi.nii.gz"}, True),
        ({"IntendedFor": ["func/sub-01_bold.nii.gz", "ses-1/dwi/sub-01_dwi.nii.gz"]}, True),
        ({"IntendedFor": ["bids::sub-01/dwi/sub-01_dwi.nii.gz"]}, True),
        ({"IntendedFor": "bids:raw:sub-01/func/sub-01_bold.nii.gz"}, False),
        ({"B0FieldIdentifier": "a"}, True),
        ({"B0FieldIdentifier": ["c", "b"]}, True),
        ({"B0FieldIdentifier": "c"}, False),
        ({"IntendedFor": []}, None),
        ({}, None),
    ],
)
def test_a_field_map_says_which_image_it_is_for(tmp_path, metadata, meant):
    image = series(tmp_path, B0FieldSource=["a", "b"])
    field_map = touch(tmp_path / "sub-01/fmap/sub-01_phasediff.nii.gz")
    touch(tmp_path / "sub-01/fmap/sub-01_phasediff.json", json.dumps(metadata))
    assert bids.is_meant_for(field_map, image, tmp_path) is meant


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-iu01/dwi/sub-iu01_dir-AP_dwi", ("j", -1, 0.0475693)),
        ("sub-iu01/dwi/sub-iu01_dir-PA_dwi", ("j", 1, 0.0475693)),
        ("sub-uih02/dwi/sub-uih02_dir-AP_dwi", ("j", -1, 0.021)),
        ("sub-uih02/dwi/sub-uih02_dir-PA_dwi", ("j", 1, 0.022)),
        ("sub-philips01/dwi/sub-philips01_dwi", ("j", None, 0.0383107)),
    ],
)
def test_the_encoding_of_real_people_is_read(real_data, name, expected):
    """In iu01 the sidecar gives both direction and label: they agree, which is the convention of the label."""
    root = real_data / "real"
    assert bids.phase_encoding(root / f"{name}.nii.gz", root) == expected


@pytest.mark.real
def test_the_label_and_the_sidecar_of_a_real_person_agree(real_data, tmp_path):
    for direction in ("AP", "PA"):
        name = f"sub-iu01_dir-{direction}_dwi"
        image = tmp_path / f"sub-iu01/dwi/{name}.nii.gz"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.symlink_to(real_data / f"real/sub-iu01/dwi/{name}.nii.gz")
        by_label = bids.phase_encoding(image, tmp_path)
        by_sidecar = bids.phase_encoding(real_data / f"real/sub-iu01/dwi/{name}.nii.gz", real_data / "real")
        assert by_label[:2] == by_sidecar[:2]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("ds/sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", "1"),
        ("ds/sub-01/ses-2/anat/sub-01_T1w.nii.gz", "2"),
        ("ds/sub-01/anat/sub-01_T1w.nii.gz", ""),
    ],
)
def test_the_session_is_that_of_the_name_or_else_of_the_folder(path, label):
    assert bids.session(path) == label
