import json

import pytest

from mndmri import bids
from mndmri.io import InputError


def touch(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_entities_and_suffix_are_read_from_a_name():
    name = "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.nii.gz"
    assert bids.entities(name) == ({"sub": "01", "echo": "2", "part": "mag"}, "MEGRE")


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
