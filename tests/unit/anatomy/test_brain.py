"""The brain in a head: a user's own mask, what a method needs, and what the tables say of it."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.brain import METHOD_CODES, find_brain, take_mask
from mndmri.io import InputError

AFFINE = np.array([[2.0, 0, 0, -20], [0, 2.5, 0, -20], [0, 0, 3.0, -15], [0, 0, 0, 1]])
SHAPE = (21, 17, 11)


@pytest.fixture
def grid() -> nb.Nifti1Image:
    return nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE)


def test_a_users_mask_on_another_grid_is_refused(grid):
    other = nb.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE + np.diag([0.5, 0, 0, 0]))
    with pytest.raises(InputError, match="different grids"):
        take_mask(other, grid)
    with pytest.raises(InputError, match="empty"):
        take_mask(grid, grid)


@pytest.mark.parametrize("method", ["deepbet", "template"])
def test_an_image_without_a_brain_is_refused(method):
    air = np.zeros((40, 40, 40), np.float32)
    with pytest.raises(InputError, match="no brain"):
        find_brain(nb.Nifti1Image(air, np.diag([4, 4, 4, 1])), method=method)


def test_a_users_head_template_without_a_mask_is_not_confused_with_its_mask(grid):
    bare = nb.Nifti1Image(np.ones(SHAPE, np.float32), AFFINE)
    with pytest.raises(InputError, match="mask of the head template is empty"):
        find_brain(bare, method="template", head_template=bare, head_template_mask=grid)


def test_a_users_mask_goes_before_any_method_and_the_table_says_so(grid):
    own = np.zeros(SHAPE, np.uint8)
    own[5:9, 4:8, 3:6] = 1
    mask, quality = find_brain(grid, own_mask=nb.Nifti1Image(own, AFFINE), method="deepbet")
    assert np.array_equal(mask.dataobj, own)
    (found,) = quality.to_dict("records")
    assert (found["measure"], found["value"], found["n_voxels"]) == ("brain_extraction", METHOD_CODES["mask"], 48)
