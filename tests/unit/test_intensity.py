"""Shading and tissue of a made-up brain."""

import nibabel as nb
import numpy as np

from mndmri.grids import make_image, world_coordinates
from mndmri.intensity import classify_tissue, correct_bias
from tests.unit.egg import rigid


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
    image = make_image((np.array([30.0, 60, 90])[classes] + rng.normal(0, 2, brain.shape)) * mask.get_fdata(), brain)
    found = [p.get_fdata() for p in classify_tissue(image, mask, smoothing=0.0)]
    inside = mask.get_fdata() > 0
    np.testing.assert_allclose(sum(found)[inside], 1, atol=1e-3)
    for n in range(3):
        assert found[n][inside & (classes == n)].mean() > 0.95


def test_tissue_of_an_oblique_image_is_that_of_an_upright_one(brain):
    turned = nb.Nifti1Image(brain.get_fdata(), rigid((3.1, -2.2, 3.7)) @ brain.affine)
    found = {}
    for name, image in (("upright", brain), ("oblique", turned)):
        mask = make_image(image.get_fdata() > 0, image)
        classes = classify_tissue(image, mask)
        found[name] = [p.get_fdata() for p in classify_tissue(image, mask, priors=classes)]
        np.testing.assert_allclose(classes[0].affine, image.affine)
    np.testing.assert_allclose(found["oblique"], found["upright"], atol=1e-4)
