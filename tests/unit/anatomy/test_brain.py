"""The brain in a head: a user's own mask, what a method needs, and what the tables say of it."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy import brain
from mndmri.anatomy.brain import METHOD_CODES, extract_by_network, find_brain, take_mask
from mndmri.grids import make_image, voxel_sizes, world_coordinates
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


class ShyNetwork:
    """A network that finds what is bright, though nothing within 10 mm of the end of an image, as deepbet may."""

    def __init__(self):
        self.runs = 0

    def __call__(self, head):
        self.runs += 1
        found = np.asarray(head.dataobj) > 50
        for axis, n in enumerate(np.ceil(10 / voxel_sizes(head)).astype(int)):
            across = np.moveaxis(found, axis, 0)
            across[:n] = across[-n:] = False
        return make_image(found, head)


def ball(radius_mm, *, length=41):
    """Head whose brain, a bright ball about the middle, lies in the dark."""
    affine = np.diag([2.0, 2.5, 3.0, 1])
    affine[:3, 3] = -affine[:3, :3] @ ((np.full(3, length) - 1) / 2)
    grid = nb.Nifti1Image(np.zeros((length,) * 3, np.float32), affine)
    inside = np.linalg.norm(world_coordinates(grid), axis=-1) < radius_mm
    rng = np.random.default_rng(0)
    return make_image((100 * inside + rng.uniform(1, 9, inside.shape)).astype(np.float32), grid), inside


@pytest.mark.parametrize("side", range(6))
def test_a_brain_that_is_cut_is_found_up_to_the_end_of_the_image(monkeypatch, side):
    monkeypatch.setattr(brain, "_by_deepbet", network := ShyNetwork())
    head, inside = ball(30)
    axis, high = divmod(side, 2)
    part = [slice(None)] * 3
    part[axis] = slice(None, 25) if high else slice(16, None)
    mask = extract_by_network(head.slicer[tuple(part)])
    assert network.runs == 2
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, inside[tuple(part)])
    # zeros in place of the rest of the grid are the same end
    values = np.zeros(head.shape, np.float32)
    values[tuple(part)] = np.asarray(head.dataobj)[tuple(part)]
    padded = np.asarray(extract_by_network(make_image(values, head)).dataobj) > 0
    np.testing.assert_array_equal(padded[tuple(part)], inside[tuple(part)])
    assert padded.sum() == inside[tuple(part)].sum()


def test_the_mask_of_a_whole_head_is_the_networks_own(monkeypatch):
    monkeypatch.setattr(brain, "_by_deepbet", network := ShyNetwork())
    head, inside = ball(25)
    np.testing.assert_array_equal(np.asarray(extract_by_network(head).dataobj) > 0, inside)
    assert network.runs == 1
    # near an end of the image, and whole
    near = head.slicer[:36]
    np.testing.assert_array_equal(np.asarray(extract_by_network(near).dataobj), np.asarray(ShyNetwork()(near).dataobj))
    assert network.runs == 3


@pytest.mark.parametrize("floor", [0, -1024])
def test_a_whole_brain_without_its_skull_is_not_near_an_end_of_the_image(monkeypatch, floor):
    """There the signal ends with the brain, and the grid does not."""
    monkeypatch.setattr(brain, "_by_deepbet", network := ShyNetwork())
    head, inside = ball(25)
    stripped = make_image(np.where(inside, np.asarray(head.dataobj), floor).astype(np.float32), head)
    np.testing.assert_array_equal(np.asarray(extract_by_network(stripped).dataobj) > 0, inside)
    assert network.runs == 1
    # that it is cut by the grid is found nevertheless
    cut = stripped.slicer[:, :, 18:]
    np.testing.assert_array_equal(np.asarray(extract_by_network(cut).dataobj) > 0, inside[:, :, 18:])
    assert network.runs == 3
