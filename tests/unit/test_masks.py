"""Masks grow and close by millimetres, whatever the voxel sizes."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.masks import close_mask, dilate, distance_inside

SIZES = np.array([2.0, 2.5, 3.0])


def image(values) -> nb.Nifti1Image:
    return nb.Nifti1Image(np.asarray(values), np.diag([*SIZES, 1.0]))


@pytest.fixture
def point():
    values = np.zeros((13, 11, 9), np.float32)
    values[6, 5, 4] = 0.7
    values[0, 0, 0] = 0.5
    return image(values)


def test_a_mask_is_dilated_by_millimetres_along_each_axis(point):
    away = np.linalg.norm((np.indices(point.shape).T - (6, 5, 4)) * SIZES, axis=-1).T
    for radius in (2.0, 4.0, 6.1):
        assert np.array_equal(np.asarray(dilate(point, radius).dataobj) == 1, away <= radius)


def test_half_a_voxel_is_outside_and_an_empty_mask_stays_empty(point):
    assert np.asarray(dilate(point, 0.0).dataobj).sum() == 1
    assert not np.asarray(dilate(image(np.zeros((5, 4, 3), np.uint8)), 50.0).dataobj).any()


def test_the_border_lies_half_way_between_voxels():
    values = np.zeros((12, 5, 5), np.uint8)
    values[6:] = 1
    along = distance_inside(nb.Nifti1Image(values, np.eye(4)))[:, 2, 2]
    np.testing.assert_allclose(along[3:9], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])


def test_closing_fills_a_gap_narrower_than_the_ball_and_no_wider_one():
    values = np.zeros((41, 21, 21), np.uint8)
    values[5:36, 4:17, 4:17] = 1
    values[12:14, 9:] = 0  # 2 mm wide, open to one side
    values[22:32, 9:] = 0  # 10 mm wide
    closed = np.asarray(close_mask(nb.Nifti1Image(values, np.eye(4)), 3.0).dataobj)
    assert closed[12:14, 11, 10].all() and not closed[26:28, 11, 10].any()
