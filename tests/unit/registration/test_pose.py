"""A brain is found however it lies."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.grids import to_canonical, world_coordinates
from mndmri.registration.pose import align_brains, centre_of_mass


def laid(image, degrees, shift):
    """Image whose header says that it is turned and shifted, and the matrix that did it."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    pose[:3, 3] = shift
    return to_canonical(nb.Nifti1Image(np.asarray(image.dataobj), pose @ image.affine)), pose


@pytest.mark.parametrize(
    ("degrees", "shift"),
    [
        ((35, 0, 0), (0, 0, 0)),
        ((0, -35, 0), (100, 0, 0)),
        ((0, 0, 35), (0, -100, 100)),
        ((30, -40, 35), (-100, 60, 0)),
        ((0, 0, 180), (0, 0, 0)),
        ((-90, 20, 110), (20, 300, -100)),
    ],
)
def test_any_turn_and_shift_is_found(brain, degrees, shift):
    moving, pose = laid(brain, degrees, shift)
    points = world_coordinates(brain)[brain.get_fdata() > 0]
    found = nb.affines.apply_affine(align_brains(brain, moving), points)
    assert np.linalg.norm(found - nb.affines.apply_affine(pose, points), axis=-1).max() < 3.0  # one voxel


def test_the_size_of_a_head_is_found(brain):
    smaller = nb.Nifti1Image(np.asarray(brain.dataobj), np.diag([0.85, 0.85, 0.85, 1]) @ brain.affine)
    assert np.linalg.det(align_brains(brain, smaller)) == pytest.approx(0.85**3, rel=0.02)


def test_a_brain_is_never_mirrored(brain):
    mirror = nb.Nifti1Image(np.asarray(brain.dataobj)[::-1].copy(), brain.affine)
    assert np.linalg.det(align_brains(brain, mirror)) > 0


def test_two_searches_agree_to_the_last_bit(brain):
    moving, _ = laid(brain, (35, 20, 10), (50, 0, 0))
    assert np.array_equal(align_brains(brain, moving), align_brains(brain, moving))


def test_the_centre_of_mass_is_where_the_header_says(brain):
    moving, pose = laid(brain, (10, 50, 30), (1, 2, 3))
    expected = nb.affines.apply_affine(pose, centre_of_mass(brain))
    np.testing.assert_allclose(centre_of_mass(moving), expected, atol=0.01)
