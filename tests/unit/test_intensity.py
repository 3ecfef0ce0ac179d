"""Shading and tissue of a made-up brain."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image, world_coordinates
from mndmri.intensity import TissueMaps, classify_tissue, correct_bias, extend_correction
from mndmri.io import InputError
from tests.unit.egg import rigid

PURE = np.array([30.0, 60.0, 90.0])


@pytest.fixture
def mixture(brain):
    """Shares of CSF, grey and white that change smoothly, with pure parts; image and mask."""
    xyz = world_coordinates(brain)
    level = np.clip(1.5 * np.sin(xyz[..., 0] / 9) + np.sin(xyz[..., 1] / 7) * np.cos(xyz[..., 2] / 8) + 1.2, 0, 2)
    white, csf = np.clip(level - 1, 0, 1), np.clip(1 - level, 0, 1)
    shares = np.stack([csf, 1 - white - csf, white], axis=-1)
    mask = make_image(brain.get_fdata() > 0, brain)
    noise = np.random.default_rng(5).normal(0, 2, brain.shape)
    return shares, make_image((shares @ PURE + noise) * mask.get_fdata(), brain), mask


def test_shading_is_corrected_in_the_mask_alone_and_a_mask_on_another_grid_is_refused(brain):
    left = make_image((brain.get_fdata() > 0) & (world_coordinates(brain)[..., 0] < 0), brain)
    shaded = make_image(100 * np.exp(0.01 * world_coordinates(brain)[..., 1]), brain)
    change = correct_bias(shaded, left, iterations=(5, 5)).get_fdata() - shaded.get_fdata(dtype=np.float32)
    inside = left.get_fdata() > 0
    assert not change[~inside].any() and change[inside].all()
    affine = left.affine.copy()
    affine[0, 3] += 5
    beside = nb.Nifti1Image(inside.astype(np.uint8), affine)
    with pytest.raises(InputError, match="different grids"):
        correct_bias(shaded, beside)


def test_shading_is_removed(brain):
    xyz = world_coordinates(brain)
    mask = make_image(brain.get_fdata() > 0, brain)
    flat = make_image(np.where(mask.get_fdata() > 0, 100.0, 0), brain)
    shaded = make_image(flat.get_fdata() * np.exp(0.4 * xyz[..., 1] / 50), brain)
    found = correct_bias(shaded, mask).get_fdata()[mask.get_fdata() > 0]
    spread = shaded.get_fdata()[mask.get_fdata() > 0]
    assert found.std() / found.mean() < 0.2 * spread.std() / spread.mean()


def test_tissue_classes_come_in_order_of_intensity_and_sum_to_one(brain):
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 3, brain.shape)
    mask = make_image(brain.get_fdata() > 0, brain)
    image = make_image((PURE[classes] + rng.normal(0, 2, brain.shape)) * mask.get_fdata(), brain)
    found = [p.get_fdata() for p in classify_tissue(image, mask)]
    inside = mask.get_fdata() > 0
    np.testing.assert_allclose(sum(found)[inside], 1, atol=1e-3)
    for n in range(3):
        assert found[n][inside & (classes == n)].mean() > 0.95
        assert not found[n][~inside].any()


def test_a_mixed_voxel_has_a_share_of_both_tissues(mixture):
    shares, image, mask = mixture
    inside = mask.get_fdata() > 0
    for true, found in zip(np.moveaxis(shares, -1, 0), classify_tissue(image, mask), strict=True):
        error = (found.get_fdata() - true)[inside]
        assert np.abs(error).mean() < 0.08
        assert abs(error.mean()) < 0.02


def test_units_of_the_scanner_do_not_matter(mixture):
    _, image, mask = mixture
    large = make_image(image.get_fdata() * 1e4, image)
    for one, other in zip(classify_tissue(image, mask), classify_tissue(large, mask), strict=True):
        np.testing.assert_allclose(one.get_fdata(), other.get_fdata(), atol=0.01)


def test_a_swap_of_the_sides_swaps_the_answer(mixture):
    shares, image, mask = mixture
    priors = TissueMaps(
        *(make_image(np.clip(p, 0.1, 0.8).astype(np.float32), image) for p in np.moveaxis(shares, -1, 0))
    )

    def swapped(part):
        return make_image(np.asarray(part.dataobj)[::-1], part)

    straight = classify_tissue(image, mask, priors=priors)
    mirrored = classify_tissue(swapped(image), swapped(mask), priors=TissueMaps(*map(swapped, priors)))
    for one, other in zip(straight, mirrored, strict=True):
        np.testing.assert_allclose(other.get_fdata()[::-1], one.get_fdata(), atol=1e-4)


def test_tissue_of_an_oblique_image_is_that_of_an_upright_one(brain):
    turned = nb.Nifti1Image(brain.get_fdata(), rigid((3.1, -2.2, 3.7)) @ brain.affine)
    found = {}
    for name, image in (("upright", brain), ("oblique", turned)):
        mask = make_image(image.get_fdata() > 0, image)
        classes = classify_tissue(image, mask)
        found[name] = [p.get_fdata() for p in classify_tissue(image, mask, priors=classes)]
        np.testing.assert_allclose(classes.csf.affine, image.affine)
    np.testing.assert_allclose(found["oblique"], found["upright"], atol=1e-4)


def test_a_brain_without_contrast_is_refused(brain):
    mask = make_image(brain.get_fdata() > 0, brain)
    with pytest.raises(InputError, match="check the brain mask"):
        classify_tissue(make_image(np.full(brain.shape, 7.0), brain), mask)
    with pytest.raises(InputError, match="check the brain mask"):
        classify_tissue(brain, make_image(np.zeros(brain.shape), brain))


def nucleus_of(mixture, *, level):
    """The mixture with a block in it whose brightness lies at this level from grey (0) to white matter (1)."""
    _, image, mask = mixture
    block = np.zeros(image.shape, bool)
    block[16:22, 16:22, 10:16] = True
    noise = np.random.default_rng(6).normal(0, 2, image.shape)
    values = np.where(block, PURE[1] + level * (PURE[2] - PURE[1]) + noise, image.get_fdata())
    prior = np.where(block, 0.9, 0)[..., None].astype(np.float32)
    return make_image(values * mask.get_fdata(), image), mask, make_image(prior, image), block & (mask.get_fdata() > 0)


@pytest.mark.parametrize("level", [0.6, 0.9])
def test_a_nucleus_brighter_than_the_cortex_is_grey_matter(mixture, level):
    image, mask, prior, block = nucleus_of(mixture, level=level)
    plain, found = (classify_tissue(image, mask, nuclei=nuclei).gm.get_fdata() for nuclei in (None, prior))
    assert plain[block].mean() < 0.7
    assert found[block].mean() > 0.95
    assert np.abs(found - plain)[~block & (mask.get_fdata() > 0)].mean() < 0.01


def test_white_matter_within_the_prior_of_a_darker_nucleus_stays_white(mixture):
    image, mask, prior, block = nucleus_of(mixture, level=0.4)
    white = block.copy()
    white[16:20] = False  # a third of the block is not what the prior says
    values = image.get_fdata()
    values[white] = PURE[2]
    found = classify_tissue(make_image(values, image), mask, nuclei=prior)
    assert found.wm.get_fdata()[white].mean() > 0.9
    assert found.gm.get_fdata()[block & ~white].mean() > 0.9


def test_a_nucleus_outside_the_image_changes_nothing(mixture):
    _, image, mask = mixture
    absent = make_image(np.zeros((*image.shape, 2), np.float32), image)
    plain, found = (classify_tissue(image, mask, nuclei=nuclei) for nuclei in (None, absent))
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(other.get_fdata(), one.get_fdata(), atol=0.01)


def test_a_correction_of_the_brain_is_carried_on_beyond_its_edge():
    shape = (20, 24, 18)
    x = np.linspace(-1, 1, shape[0])[:, None, None] * np.ones(shape)
    field = np.exp(1 + 0.3 * x)  # brighter on one side
    inside = np.zeros(shape, np.uint8)
    inside[4:16, 5:19, 4:14] = 1
    scanned = nb.Nifti1Image((100 * field).astype(np.float32), np.diag([2, 2, 2, 1]))
    corrected = make_image(np.where(inside, 100, 100 * field).astype(np.float32), scanned)
    found = extend_correction(corrected, scanned, make_image(inside, scanned)).get_fdata()
    np.testing.assert_allclose(found[inside > 0], 100)
    # as the nearest voxel inside: no step at the edge, and the trend beyond it is left
    np.testing.assert_allclose(found[3, 10, 8], 100 * field[3, 10, 8] / field[4, 10, 8], rtol=1e-5)
    assert (
        abs(np.diff(found[:, 10, 8])).max() < 0.05 * 100 < abs(np.diff(np.asarray(corrected.dataobj)[:, 10, 8])).max()
    )
