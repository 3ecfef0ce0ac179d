"""Simulated heads that end inside the brain, on every side, by the grid or by padding."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.anatomy.field_of_view import border_area_cm2, find_recorded
from mndmri.grids import make_image, voxel_sizes, voxel_volume_ml
from mndmri.registration.transforms import resample
from tests.unit.anatomy.heads import build_head, scan_head

SIDES = "LRPAIS"
VOXEL_MM = 4.0


@pytest.fixture(scope="module")
def scan():
    """Head of 4 mm with air of noise, and its brain."""
    image, brain, _ = scan_head(build_head(VOXEL_MM), voxel_mm=VOXEL_MM)
    return image, brain


def cut(image, brain, side, mm):
    """Where an image ends if it loses so much of the brain on a side: the part of the grid that is left."""
    axis, high = divmod(SIDES.index(side), 2)
    along = np.flatnonzero(np.asarray(brain.dataobj).any(axis=tuple({0, 1, 2} - {axis})))
    n = round(mm / voxel_sizes(image)[axis])
    part = [slice(None)] * 3
    part[axis] = slice(None, along[-1] + 1 - n) if high else slice(along[0] + n, None)
    return tuple(part)


def section_cm2(brain, part, side):
    """Area of the brain in the last plane that is left."""
    axis, high = divmod(SIDES.index(side), 2)
    left = np.asarray(brain.dataobj)[part] > 0
    plane = left.take(-1 if high else 0, axis)
    return plane.sum() * np.prod(np.delete(voxel_sizes(brain), axis)) / 100


def padded(image, part):
    """Image on its whole grid, 0 outside a part of it."""
    values = np.zeros(image.shape, np.float32)
    values[part] = np.asarray(image.dataobj)[part]
    return make_image(values, image)


def test_a_whole_head_touches_nothing(scan):
    image, brain = scan
    recorded = find_recorded(image, brain)
    assert np.asarray(recorded.dataobj).all()
    assert border_area_cm2(brain, recorded) == 0


@pytest.mark.parametrize("mm", [5, 10, 20])
@pytest.mark.parametrize("side", SIDES)
def test_a_brain_that_is_cut_touches_the_end_of_the_image_with_its_section(scan, side, mm):
    image, brain = scan
    part = cut(image, brain, side, mm)
    cropped, left = image.slicer[part], brain.slicer[part]
    expected = section_cm2(brain, part, side)
    assert border_area_cm2(left, find_recorded(cropped, left)) == pytest.approx(expected)
    # zeros in place of the rest of the grid are the same end
    empty = padded(image, part)
    inside = make_image(np.asarray(padded(brain, part).dataobj, np.uint8), brain)
    recorded = find_recorded(empty, inside)
    assert border_area_cm2(inside, recorded) == pytest.approx(expected)
    beyond = np.ones(image.shape, bool)
    beyond[part] = False
    near = np.asarray(brain.dataobj) > 0
    assert not np.asarray(recorded.dataobj)[beyond & near].any()
    assert np.asarray(recorded.dataobj)[~beyond].all()


@pytest.mark.parametrize("fill", [0, -1000, np.nan])
@pytest.mark.parametrize("lowest", [None, -7], ids=["", "lower values left by interpolation"])
def test_padding_is_found_whatever_it_is_filled_with(scan, fill, lowest):
    image, brain = scan
    part = cut(image, brain, "R", 20)
    values = np.asarray(padded(image, part).dataobj).copy()
    beyond = np.ones(image.shape, bool)
    beyond[part] = False
    values[beyond] = fill
    if lowest is not None:
        values[2, 2, 2] = lowest
    inside = make_image(np.asarray(padded(brain, part).dataobj, np.uint8), brain)
    found = border_area_cm2(inside, find_recorded(make_image(values, image), inside))
    assert found == pytest.approx(section_cm2(brain, part, "R"))


def test_padding_is_found_after_the_head_was_turned_and_resampled(scan):
    image, brain = scan
    part = cut(image, brain, "L", 20)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [8, 5, -6], degrees=True).as_matrix()
    turned = resample(image.slicer[part], image, [turn])
    inside = resample(brain.slicer[part], image, [turn], interpolation="nearest")
    found = border_area_cm2(inside, find_recorded(turned, inside))
    # faces of voxels follow a slanting plane in steps
    assert section_cm2(brain, part, "L") * 0.95 < found < section_cm2(brain, part, "L") * 1.4


def test_zeros_in_the_air_the_skull_and_the_ventricles_are_no_end_of_the_image(scan):
    """As scanners write that set to zero what is dark: the skull is thinner than a block, the ventricles are inside."""
    image, brain = scan
    values = np.asarray(image.dataobj).copy()
    dark = np.percentile(values[np.asarray(brain.dataobj) > 0], 1)
    values[values < dark] = 0
    middle = np.argwhere(np.asarray(brain.dataobj) > 0).mean(axis=0).astype(int)
    ventricle = tuple(slice(n - 3, n + 4) for n in middle)
    values[ventricle] = 0
    assert (values == 0).mean() > 0.2
    recorded = find_recorded(make_image(values, image), brain)
    assert np.asarray(recorded.dataobj)[ventricle].all()
    assert border_area_cm2(brain, recorded) < 5


def test_a_head_whose_skull_was_removed_is_cut_where_its_grid_ends_alone(scan):
    image, brain = scan
    inside = np.asarray(brain.dataobj) > 0
    stripped = make_image(np.where(inside, np.asarray(image.dataobj), 0).astype(np.float32), image)
    assert border_area_cm2(brain, find_recorded(stripped, brain)) == 0
    part = cut(image, brain, "S", 20)
    left, mask = stripped.slicer[part], brain.slicer[part]
    assert border_area_cm2(mask, find_recorded(left, mask)) == pytest.approx(section_cm2(brain, part, "S"))


def test_a_removed_face_that_reaches_the_brain_is_an_end_of_the_image(scan):
    image, brain = scan
    values = np.asarray(image.dataobj).copy()
    part = cut(image, brain, "A", 10)
    front = np.ones(image.shape, bool)
    front[part] = False
    lower = np.zeros(image.shape, bool)
    lower[..., : np.flatnonzero(np.asarray(brain.dataobj).any(axis=(0, 1))).mean().astype(int)] = True
    values[front & lower] = 0
    kept = make_image((np.asarray(brain.dataobj) > 0) & ~(front & lower), brain)
    assert border_area_cm2(kept, find_recorded(make_image(values, image), kept)) > 10


def test_the_area_is_in_cm2_on_voxels_of_any_size():
    affine = np.diag([2.0, 2.5, 3.0, 1])
    recorded = nb.Nifti1Image(np.ones((20, 20, 20), np.uint8), affine)
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[8:, 5:15, 5:15] = 1
    # the mask's last plane, and what lies within 2 mm of it (none: voxels are 2.5 and 3 mm)
    assert border_area_cm2(make_image(mask, recorded), recorded) == pytest.approx(10 * 2.5 * 10 * 3 / 100)
    assert voxel_volume_ml(recorded) == pytest.approx(0.015)
