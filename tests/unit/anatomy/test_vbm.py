"""Grey matter as volume, where the truth is known."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.vbm import modulate, smooth
from mndmri.grids import make_image, voxel_volume_ml, world_coordinates
from mndmri.transforms import compose

AFFINE = np.array([[2.0, 0, 0, -20], [0, 2.5, 0, -20], [0, 0, 3.0, -15], [0, 0, 0, 1]])
SHAPE = (21, 17, 11)


@pytest.fixture
def grid() -> nb.Nifti1Image:
    return nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE)


def test_modulation_keeps_the_volume_that_a_warp_moves(grid):
    xyz = world_coordinates(grid)
    gm = make_image(np.exp(-((xyz / [9, 8, 7]) ** 2).sum(axis=-1)).astype(np.float32), grid)
    shrink = np.diag([1.1, 1.2, 0.9, 1.0])
    fine = nb.Nifti1Image(
        np.zeros((60, 60, 60), np.float32),
        np.array([[1.0, 0, 0, -30], [0, 1.0, 0, -30], [0, 0, 1.0, -30], [0, 0, 0, 1]]),
    )
    modulated = modulate(gm, compose([shrink], fine), fine)
    assert modulated.get_fdata().sum() * voxel_volume_ml(fine) == pytest.approx(
        gm.get_fdata().sum() * voxel_volume_ml(grid), rel=0.01
    )


def test_smoothing_has_the_width_it_is_given():
    data = np.zeros((41, 41, 41), np.float32)
    data[20, 20, 20] = 1
    line = smooth(nb.Nifti1Image(data, np.diag([2, 2, 2, 1])), 8.0).get_fdata()[:, 20, 20]
    assert line[22] / line[20] == pytest.approx(0.5, abs=0.02)  # 4 mm from the centre
