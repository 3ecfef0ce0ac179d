"""Volumes brought where the undistorted head at rest is."""

import nibabel as nb
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from mndmri.diffusion.distortion.encoding import unwarp
from mndmri.diffusion.resampling import distortion_on, phase_vector, resample_series, slice_numbers
from mndmri.grids import make_image

SHAPE = (17, 18, 19)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [6, -5, 9], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])
AFFINE[:3, 3] = [-20, 5, 3]


def series(n=2, seed=0):
    noise = np.random.default_rng(seed).normal(size=(*SHAPE, n))
    return nb.Nifti1Image((100 + 100 * gaussian_filter(noise, (2, 2, 2, 0))).astype(np.float32), AFFINE)


def bump(size=1.5):
    place = np.indices(SHAPE) - np.array([8, 9, 9])[:, None, None, None]
    return make_image((size * np.exp(-(place**2).sum(axis=0) / 18)).astype(np.float32), series())


STILL = np.tile(np.eye(4), (2, 1, 1))


def test_nothing_moved_is_the_series_to_the_last_digit():
    image = series()
    np.testing.assert_array_equal(resample_series(image, STILL).get_fdata(), image.get_fdata())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_distortion_alone_is_undone_as_unwarp_does(axis):
    image, displacement = series(), bump()
    found = resample_series(image, STILL, displacement=displacement, axis=axis, order=1)
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(
        found.get_fdata()[inner], unwarp(image, displacement, axis).get_fdata()[inner], atol=1e-2
    )


def test_the_outermost_voxels_are_not_lost_to_rounding():
    image = series()
    found = resample_series(image, STILL, displacement=bump(0.0), axis=1, order=1)
    np.testing.assert_allclose(found.get_fdata(), image.get_fdata(), rtol=1e-4)


def test_signal_that_was_drawn_apart_keeps_its_sum():
    image = make_image(
        np.where(np.all(np.abs(np.indices(SHAPE).T - [8, 9, 9]).T < 6, axis=0), 100.0, 0.0)[..., None], series()
    )
    sums = [
        resample_series(image, STILL[:1], displacement=bump(size), axis=1, order=1).get_fdata().sum()
        for size in (0, 1.5)
    ]
    np.testing.assert_allclose(sums[1], sums[0], rtol=0.02)


def test_the_shift_is_along_the_phase_axis_in_the_world():
    shift, gain = distortion_on(series(), bump(), 1)
    np.testing.assert_allclose(shift[8, 9, 9], 1.5 * phase_vector(AFFINE, 1), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(phase_vector(AFFINE, 1)), 2.5)
    assert gain[8, 7, 9] > 1 > gain[8, 11, 9]


def test_the_field_moves_with_the_head_and_shifts_along_the_scanners_axis():
    image, displacement = series(), bump()
    motion = np.eye(4)
    motion[:3, 3] = [3.0, -2.0, 4.0]
    found = resample_series(
        image, motion[None].repeat(2, axis=0), displacement=displacement, axis=1, order=1
    ).get_fdata()
    moved = resample_series(image, motion[None].repeat(2, axis=0), order=1)
    # where the head is only shifted, moving first and shifting then is one shift after the other
    expected = unwarp(moved, displacement, 1).get_fdata()
    inner = (slice(5, 12),) * 3
    assert np.corrcoef(found[inner].ravel(), expected[inner].ravel())[0, 1] > 0.99


def test_slices_are_counted_as_scanned():
    image = series()
    up = np.eye(4)
    up[:3, 3] = 2 * AFFINE[:3, 2]
    np.testing.assert_allclose(slice_numbers(image, image, up, 2)[0, 0], np.arange(SHAPE[2]) + 2, atol=1e-6)
