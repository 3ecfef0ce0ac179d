"""Whether a scan and the T1w image have left and right in one place."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image, resampled_grid, to_canonical
from mndmri.maps.sides import compare_sides
from mndmri.registration.transforms import average_over_voxels
from mndmri.tables.qc import qc_table
from tests.unit.anatomy.test_signal import Brain
from tests.unit.egg import rigid
from tests.unit.tables.test_qc import LIMITS


@pytest.fixture(scope="module")
def head() -> Brain:
    return Brain()


def scanned(head, pose, *, mirrored=False, storage="LPS"):
    """A gradient echo of thick slices, after the head has moved; its sides exchanged as by a wrong header."""
    image = head.scan("t2w", noise=0.05)
    image = average_over_voxels(image, resampled_grid(image, (2.0, 2.0, 3.0)), [np.linalg.inv(pose)])
    values = np.asarray(image.dataobj)[::-1] if mirrored else np.asarray(image.dataobj)
    order = nb.orientations.ornt_transform(*map(nb.orientations.axcodes2ornt, ("RAS", storage)))
    return nb.Nifti1Image(values, image.affine).as_reoriented(order)


def found(head, image, to_image):
    rows = compare_sides(to_canonical(image), head.scan("t1w"), head.mask, to_image, modality="swi")
    assert list(rows["measure"]) == ["mirror_fit"]
    return rows.iloc[0]


def flag(own):
    return qc_table(own.to_frame().T.astype({"value": float}).assign(participant_id="sub-01"), LIMITS)


@pytest.mark.parametrize("storage", ["RAS", "LPS"])
def test_a_scan_as_it_was_stored_fits_better_than_its_mirror_image(head, storage):
    pose = rigid((3.0, -2.0, 2.0), (4.0, -3.0, 5.0))
    own = found(head, scanned(head, pose, storage=storage), pose)
    assert own["value"] < 0.95
    assert flag(own)["flag"].to_list() == ["no"]


def test_a_scan_whose_sides_are_exchanged_is_flagged(head):
    # as a registration finds it: a brain and its mirror image lie on each other
    own = found(head, scanned(head, np.eye(4), mirrored=True), np.eye(4))
    assert own["value"] > 1.05
    assert flag(own)["flag"].to_list() == ["yes"]


def test_a_scan_that_hardly_shows_the_brain_is_not_judged(head):
    image = head.scan("t2w")
    shown = np.asarray(image.dataobj).copy()
    shown[..., 3:] = 0
    own = found(head, make_image(shown, image), np.eye(4))
    assert np.isnan(own["value"]) and "1000 are needed" in own["status"]
