"""Tissue of heads whose truth is known, in several contrasts, resolutions and shadings."""

import nibabel as nb
import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template

from mndmri.anatomy.tissue import TISSUES, away_from_nuclei, brain_tissue, segment_tissue
from mndmri.grids import make_image, resampled_grid, to_canonical, voxel_volume_ml, world_coordinates
from mndmri.intensity import correct_bias
from mndmri.registration.transforms import resample

# CSF and grey matter against white matter: spin-warp at 1.5 T, MPRAGE at 3 T, MP2RAGE at 7 T
CONTRASTS = {"1.5 T": (0.40, 0.80), "3 T": (0.25, 0.70), "7 T": (0.10, 0.50)}
NOISE = 0.03  # share of white matter's signal
# by how much registration errs, so that no prior lies where the truth does
ASTRAY = np.diag([1.02, 0.98, 1.02, 1.0])
ASTRAY[:3, 3] = (1.0, -2.0, 1.0)


@pytest.fixture(scope="module")
def truth() -> nb.Nifti1Image:
    """Grey, white and CSF of the ICBM average, sharpened to have pure voxels, 3 mm."""
    mask = to_canonical(load_mni152_brain_mask(resolution=3))
    grey, white = (
        to_canonical(load(resolution=3)).get_fdata() for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    rest = np.clip(1 - grey - white, 0, 1)
    sharp = np.stack([grey, white, rest], axis=-1) ** 4
    inside = np.asarray(mask.dataobj)[..., None] > 0
    return make_image((sharp / sharp.sum(axis=-1, keepdims=True) * inside).astype(np.float32), mask)


def scan(truth, *, contrast="3 T", shading=0.0, seed=2):
    """T1-weighted image and brain mask of a head with this tissue."""
    csf, grey = CONTRASTS[contrast]
    signal = np.asarray(truth.dataobj) @ np.array([grey, 1.0, csf])
    place = (world_coordinates(truth) / 80) @ np.array([0.3, 1.0, -0.7])
    noise = np.random.default_rng(seed).normal(0, NOISE, signal.shape)
    image = 500 * (signal + noise) * np.exp(shading * place)
    mask = make_image(np.asarray(truth.dataobj).sum(axis=-1) > 0.5, truth)
    return make_image(np.clip(image, 0, None).astype(np.float32), truth), mask


def dice(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


def check(found, truth, *, min_dice, max_error):
    ml = voxel_volume_ml(truth)
    for k, name in enumerate(TISSUES):
        true, own = np.asarray(truth.dataobj)[..., k], found[name].get_fdata()
        if name != "CSF":
            assert dice(own > 0.5, true > 0.5) > min_dice
            assert own.sum() * ml == pytest.approx(true.sum() * ml, rel=max_error)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_tissue_is_found_at_the_contrast_of_every_field_strength(truth, contrast):
    found = segment_tissue(*scan(truth, contrast=contrast), truth, ASTRAY)
    check(found, truth, min_dice=0.9, max_error=0.05)


@pytest.mark.parametrize("voxel_mm", [0.8, 1.0, (1.0, 1.0, 3.0)])
def test_tissue_is_found_at_every_voxel_size(truth, voxel_mm):
    part = truth.slicer[14:32, 22:45, 20:38]
    grid = resampled_grid(part, voxel_mm)
    fine = resample(part, grid)
    found = segment_tissue(*scan(fine), truth, ASTRAY)
    check(found, fine, min_dice=0.85, max_error=0.05)


def test_tissue_is_found_under_strong_shading(truth):
    shaded, mask = scan(truth, shading=0.6)
    found = segment_tissue(correct_bias(shaded, mask), mask, truth, ASTRAY)
    check(found, truth, min_dice=0.88, max_error=0.06)


@pytest.mark.parametrize("side", ["L", "R"])
def test_loss_of_grey_matter_is_found_on_its_side(truth, side):
    xyz = world_coordinates(truth)
    own = (xyz[..., 0] < 0) == (side == "L")
    data = np.asarray(truth.dataobj).copy()
    lost = own & (xyz[..., 1] < -60)
    data[lost, 2] += data[lost, 0]
    data[lost, 0] = 0
    before, after = (
        segment_tissue(*scan(make_image(maps, truth)), truth, ASTRAY)["GM"].get_fdata()
        for maps in (np.asarray(truth.dataobj), data)
    )
    planted = np.asarray(truth.dataobj)[lost, 0].sum()
    assert (before - after)[own].sum() == pytest.approx(planted, rel=0.15)
    assert abs((before - after)[~own].sum()) < 0.02 * planted


def test_a_repeat_is_identical_and_shares_sum_to_one(truth):
    image, mask = scan(truth)
    first, second = (segment_tissue(image, mask, truth, ASTRAY) for _ in range(2))
    for name in TISSUES:
        np.testing.assert_array_equal(first[name].get_fdata(), second[name].get_fdata())
    total = sum(first[name].get_fdata() for name in TISSUES)
    np.testing.assert_allclose(total, np.asarray(mask.dataobj), atol=1e-5)


def test_tissue_of_a_brain_without_prior_is_that_of_its_intensities(truth):
    image, mask = scan(truth)
    brain = make_image(image.get_fdata() * np.asarray(mask.dataobj), image)
    found = brain_tissue(brain)
    check(
        {n: make_image(np.asarray(found.dataobj)[..., k], truth) for k, n in enumerate(TISSUES)},
        truth,
        min_dice=0.9,
        max_error=0.06,
    )


def with_nucleus(truth, *, side):
    """Tissue with a ball of 12 mm in the white matter of one side that is grey, and its probability."""
    xyz = world_coordinates(truth)
    centre = np.array([-27.0 if side == "L" else 27.0, -20.0, 24.0])
    ball = np.linalg.norm(xyz - centre, axis=-1) < 12
    probability = make_image(ball[..., None].astype(np.float32), truth)
    return ball & (np.asarray(truth.dataobj).sum(axis=-1) > 0.5), probability


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_nucleus_is_grey_matter_on_its_side_however_bright(truth, side):
    ball, probability = with_nucleus(truth, side=side)
    image, mask = scan(truth)
    values = image.get_fdata()
    values[ball] = 500 * (0.88 + np.random.default_rng(3).normal(0, NOISE, ball.sum()))  # cortex 0.70, white matter 1
    image = make_image(values.astype(np.float32), image)
    plain, found = (
        segment_tissue(image, mask, truth, ASTRAY, nuclei=nuclei)["GM"].get_fdata() for nuclei in (None, probability)
    )
    assert plain[ball].mean() < 0.6
    assert found[ball].mean() > 0.8
    other = (world_coordinates(truth)[..., 0] > 0) == (side == "L")
    assert np.abs(found - plain)[other].mean() < 0.005
    stored = make_image(np.asarray(probability.dataobj, np.uint8), probability)
    np.testing.assert_array_equal(segment_tissue(image, mask, truth, ASTRAY, nuclei=stored)["GM"].get_fdata(), found)


def test_brains_are_not_compared_in_and_about_the_nuclei(truth):
    ball, probability = with_nucleus(truth, side="L")
    compared = np.asarray(away_from_nuclei(probability).dataobj) > 0
    xyz = world_coordinates(truth)
    away = np.linalg.norm(xyz - xyz[ball].mean(axis=0), axis=-1)
    assert not compared[away < 13].any()
    assert compared[away > 20].all()
