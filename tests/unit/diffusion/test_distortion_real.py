"""Displacements of real scans, held against each other."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.distortion.encoding import PhaseEncoding, unwarp
from mndmri.diffusion.distortion.field_map import align_field_map, displacement_from_field, field_from_phases
from mndmri.diffusion.distortion.reverse import displacement_from_reverse
from mndmri.grids import canonical_direction, make_image, to_canonical
from mndmri.io import read_json

pytestmark = pytest.mark.real


def first_volume(folder, person, direction):
    """The b = 0 image of a series, which is its first, and its encoding."""
    path = folder / "real" / person / "dwi" / f"{person}_dir-{direction}_dwi"
    stored, sidecar = nb.load(f"{path}.nii.gz"), read_json(f"{path}.json")
    # the second scanner names the axis alone
    letter = sidecar.get("PhaseEncodingDirection", "j-" if direction == "AP" else "j")
    axis, polarity = canonical_direction(letter, stored.affine)
    image = to_canonical(stored)
    volume = make_image(np.asarray(image.dataobj, np.float32)[..., 0], image)
    return volume, PhaseEncoding(axis, polarity, sidecar["TotalReadoutTime"])


@pytest.mark.parametrize("person", ["sub-iu01", "sub-uih02"])
def test_both_directions_show_one_head_once_they_are_undistorted(real_data, person):
    b0, encoding = first_volume(real_data, person, "AP")
    against, other = first_volume(real_data, person, "PA")
    assert encoding.polarity == -other.polarity
    ratio = other.readout_s / encoding.readout_s
    found = displacement_from_reverse(b0, against, encoding, readout_ratio=ratio)
    # with eyes and scalp, which move on their own: three quarters of the disagreement go, or more
    assert 1 - found.agreement < 0.25 * (1 - found.agreement_before)
    # people lay still
    assert np.linalg.norm(found.to_reverse[:3, :3] - np.eye(3)) < 0.02


def test_field_map_and_reverse_pair_tell_the_same_displacement_of_the_same_sign(real_data):
    b0, encoding = first_volume(real_data, "sub-iu01", "AP")
    against, _ = first_volume(real_data, "sub-iu01", "PA")
    folder = real_data / "real" / "sub-iu01" / "fmap"
    difference, magnitude = (
        to_canonical(nb.load(folder / f"sub-iu01_{name}.nii.gz")) for name in ("phasediff", "magnitude1")
    )
    sidecar = read_json(folder / "sub-iu01_phasediff.json")
    times = [sidecar["EchoTime1"], sidecar["EchoTime2"]]
    field = field_from_phases([difference], magnitude, echo_times_s=times)
    to_field = align_field_map(b0, magnitude, field, encoding)
    measured = displacement_from_field(field, to_field, b0, encoding)
    matched = displacement_from_reverse(b0, against, encoding).displacement

    values = np.asarray(unwarp(b0, matched, encoding.axis).dataobj)
    head = values > 0.2 * np.percentile(values, 98)
    one, other = measured.get_fdata()[head], matched.get_fdata()[head]
    assert np.corrcoef(one, other)[0, 1] > 0.85
    assert np.median(np.abs(one - other)) < 0.25
