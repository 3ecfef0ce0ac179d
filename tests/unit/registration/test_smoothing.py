"""Smoothing has the width it is given, and stays in the tissue where it is asked to."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.grids import make_image, world_coordinates
from mndmri.registration.smoothing import smooth, smooth_known, smooth_within

AFFINE = np.array([[2.0, 0, 0, -30], [0, 2.5, 0, -30], [0, 0, 3.0, -27], [0, 0, 0, 1]])
SHAPE = (31, 25, 19)


@pytest.fixture
def grid():
    return nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE)


def test_fluid_beside_the_cortex_does_not_reach_its_values(grid):
    cortex = np.abs(world_coordinates(grid)[..., 0]) < 8
    image = make_image(np.where(cortex, 1.0, 0.2).astype(np.float32), grid)
    found = smooth_within(image, make_image(cortex.astype(np.float32), grid), fwhm_mm=6.0).get_fdata()
    np.testing.assert_allclose(found[cortex], 1.0, atol=1e-5)
    assert np.isnan(found[np.abs(world_coordinates(grid)[..., 0]) > 24]).all()


def test_what_is_not_known_weighs_nothing(grid):
    values = np.full(SHAPE, 0.5, np.float32)
    values[:, :, 15:] = np.nan
    found = smooth_within(make_image(values, grid), make_image(np.ones(SHAPE, np.float32), grid), fwhm_mm=6.0)
    np.testing.assert_allclose(found.get_fdata()[:, :, :15], 0.5, atol=1e-5)
    assert np.isnan(found.get_fdata()[:, :, -1]).all()


def test_a_change_on_the_left_stays_on_the_left(grid):
    x = world_coordinates(grid)[..., 0]
    values = np.where(x < -10, 2.0, 1.0).astype(np.float32)
    found = smooth_within(make_image(values, grid), make_image(np.ones(SHAPE, np.float32), grid), fwhm_mm=4.0)
    assert found.get_fdata()[x < -20].mean() == pytest.approx(2.0, abs=0.01)
    assert found.get_fdata()[x > 10].mean() == pytest.approx(1.0, abs=0.01)


def test_smoothing_has_the_width_it_is_given():
    data = np.zeros((41, 41, 41), np.float32)
    data[20, 20, 20] = 1
    line = smooth(nb.Nifti1Image(data, np.diag([2, 2, 2, 1])), 8.0).get_fdata()[:, 20, 20]
    assert line[22] / line[20] == pytest.approx(0.5, abs=0.02)  # 4 mm from the centre


@pytest.mark.parametrize("volumes", [(), (2,)])
def test_smoothing_is_that_of_nilearn(volumes):
    from nilearn.image import smooth_img

    data = np.random.default_rng(1).normal(size=(*SHAPE, *volumes)).astype(np.float32)
    data[3, 4, 5] = np.nan
    image = nb.Nifti1Image(data, AFFINE)
    np.testing.assert_array_equal(smooth(image, 6.0).get_fdata(), smooth_img(image, 6.0).get_fdata())


def test_beside_a_missing_part_a_map_keeps_its_height_and_the_part_stays_missing(grid):
    values = np.full(SHAPE, 0.5, np.float32)
    values[:, :, 12:] = np.nan
    found = smooth_known(make_image(values, grid), 8.0).get_fdata()
    whole = smooth(make_image(np.full(SHAPE, 0.5, np.float32), grid), 8.0).get_fdata()
    assert np.isnan(found[:, :, 12:]).all()
    np.testing.assert_allclose(found[5:-5, 5:-5, 4:12], 0.5, atol=1e-5)
    np.testing.assert_allclose(found[..., :4], whole[..., :4], atol=1e-3)


def test_a_map_without_a_missing_part_is_smoothed_as_ever(grid):
    values = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
    found, expected = (f(make_image(values, grid), 8.0).get_fdata() for f in (smooth_known, smooth))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("where", [np.s_[3:6, 10:12, 8:9], np.s_[:2, 20:, :], np.s_[:], np.s_[0:0]])
def test_empty_space_changes_nothing_that_is_smoothed(grid, where):
    values = np.zeros((*SHAPE, 2), np.float32)
    values[where] = np.random.default_rng(4).normal(size=values[where].shape)
    values[0, 0, 0, 1] = np.nan
    expected = np.nan_to_num(values)
    for axis, size in enumerate((2.0, 2.5, 3.0)):
        expected = ndimage.gaussian_filter1d(expected, 5.0 / (np.sqrt(8 * np.log(2)) * size), axis=axis)
    np.testing.assert_array_equal(smooth(make_image(values, grid), 5.0).get_fdata(dtype=np.float32), expected)
