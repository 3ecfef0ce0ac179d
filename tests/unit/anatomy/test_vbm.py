"""Grey matter as volume, where the truth is known."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.vbm import correct_head_size, leave_out_unseen, map_to_compare, modulate
from mndmri.grids import make_image, voxel_volume_ml, world_coordinates
from mndmri.io import InputError
from mndmri.registration.transforms import compose

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


@pytest.fixture
def template() -> nb.Nifti1Image:
    """Template whose brain is a ball of 24 mm, 2 mm."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -34
    grid = nb.Nifti1Image(np.zeros((35, 35, 35), np.float32), affine)
    return make_image((np.linalg.norm(world_coordinates(grid), axis=-1) < 24).astype(np.float32), grid)


def person(template, size, *, atrophy=1.0):
    """Grey-matter map of a bent head of some size, and the field from the template's points to it."""
    xyz = world_coordinates(template)
    bend = 2.0 * np.sin(xyz / 12.0)
    lps = (((xyz + bend) * size) - xyz) * (-1, -1, 1)
    field = nb.Nifti1Image(lps[..., None, :].astype(np.float32), template.affine)
    grid = nb.Nifti1Image(np.zeros(template.shape, np.float32), template.affine @ np.diag([size, size, size, 1.0]))
    where = world_coordinates(grid) / size
    return make_image(atrophy * np.exp(-((where / [14, 12, 10]) ** 2).sum(axis=-1)).astype(np.float32), grid), field


def test_a_larger_head_has_the_same_map_once_corrected_for_its_size(template):
    maps = {}
    for size in (1.0, 1.1):
        gm, field = person(template, size)
        modulated = modulate(gm, field, template)
        maps[size] = modulated, correct_head_size(modulated, field, template)
    raw = [maps[size][0].get_fdata().sum() for size in maps]
    assert raw[1] / raw[0] == pytest.approx(1.1**3, rel=0.01)
    brain = template.get_fdata() > 0
    np.testing.assert_allclose(maps[1.1][1].get_fdata()[brain], maps[1.0][1].get_fdata()[brain], rtol=0.03, atol=0.005)


def test_lost_grey_matter_is_no_matter_of_head_size(template):
    found = [
        correct_head_size(modulate(gm, field, template), field, template).get_fdata().sum()
        for gm, field in (person(template, 1.0), person(template, 1.1, atrophy=0.8))
    ]
    assert found[1] / found[0] == pytest.approx(0.8, rel=0.01)


def test_modulation_by_a_bent_field_keeps_the_volume(template):
    gm, field = person(template, 1.1)
    modulated = modulate(gm, field, template)
    there = modulated.get_fdata().sum() * voxel_volume_ml(template)
    assert there == pytest.approx(gm.get_fdata().sum() * voxel_volume_ml(gm), rel=0.01)


def test_loss_on_the_left_stays_on_the_left(template):
    gm, field = person(template, 1.1)
    x = world_coordinates(gm)[..., 0]
    thin = make_image((gm.get_fdata() * np.where(x < 0, 0.5, 1)).astype(np.float32), gm)
    found = correct_head_size(modulate(thin, field, template), field, template).get_fdata()
    left = world_coordinates(template)[..., 0] < 0
    right = world_coordinates(template)[..., 0] > 0
    assert found[left].sum() / found[right].sum() == pytest.approx(0.5, rel=0.05)


def test_a_template_of_another_space_is_refused(template):
    gm, field = person(template, 1.0)
    elsewhere = template.affine.copy()
    elsewhere[:3, 3] += 500
    far = nb.Nifti1Image(template.get_fdata(), elsewhere)
    with pytest.raises(InputError, match="same space"):
        correct_head_size(modulate(gm, field, template), field, far)


def test_a_voxel_that_the_image_does_not_show_is_missing_and_not_zero(template):
    gm, field = person(template, 1.1)
    modulated = modulate(gm, field, template)
    part = (slice(0, 22), slice(None), slice(None))  # the right side is cut off
    cut = gm.slicer[part]
    recorded = make_image(np.ones(cut.shape, np.uint8), cut)
    found = leave_out_unseen(modulate(cut, field, template), field, recorded).get_fdata()
    x = world_coordinates(template)[..., 0]
    end = world_coordinates(cut)[-1, 0, 0, 0] / 1.1  # in the template, within the 2 mm of its bend
    assert np.isnan(found[x > end + 5]).all()
    seen = (x < end - 5) & (template.get_fdata() > 0)
    np.testing.assert_allclose(found[seen], modulated.get_fdata()[seen], atol=1e-4)
    # head size is found from all of the field, so a map that lacks a part is the same in the rest
    corrected = correct_head_size(make_image(found.astype(np.float32), template), field, template).get_fdata()
    whole = correct_head_size(modulated, field, template).get_fdata()
    np.testing.assert_allclose(corrected[seen], whole[seen], atol=1e-4)


def test_an_image_of_too_long_voxels_has_no_map(template):
    gm, field = person(template, 1.0)
    modulated = modulate(gm, field, template)
    assert np.isnan(map_to_compare(modulated, "voxels of 5 mm", fwhm_mm=8).get_fdata()).all()
    assert np.isfinite(map_to_compare(modulated, "", fwhm_mm=8).get_fdata()).all()
