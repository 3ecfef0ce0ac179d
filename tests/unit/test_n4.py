"""The N4 algorithm, on made shading and beside ANTs' own."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.grids import make_image, voxel_sizes
from mndmri.n4 import log_bias_field
from mndmri.registration.ants import load_ants, to_ants

ITERATIONS = (6, 6, 6)


@pytest.fixture
def shaded():
    """Two tissues in a lopsided brain of (60, 72, 40) voxels, a smooth field brightest on the left, and the brain."""
    shape = (60, 72, 40)
    at = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = ((at - np.array([0.1, -0.05, 0.2])[:, None, None, None]) ** 2).sum(axis=0) < 0.7
    rng = np.random.default_rng(3)
    tissue = np.where(ndimage.gaussian_filter(rng.normal(size=shape), 3) > 0, 100.0, 60.0)
    field = np.exp(0.3 * at[0] + 0.2 * at[1] * at[2])
    return (tissue + rng.normal(0, 2, shape)) * field, inside, field


@pytest.mark.parametrize(
    ("size", "shrink", "mesh_mm"),
    [((2.5, 2.5, 2.5), 3, 200), ((1.0, 1.5, 5.0), 4, 100), ((2.2, 2.4, 2.6), 1, 150)],
)
def test_the_field_is_that_of_ants(shaded, size, shrink, mesh_mm):
    values, inside, _ = shaded
    values[30, 30:34, 20] = [0, 0, 0.5, 1]  # what has no logarithm stays as it is
    image = nb.Nifti1Image(values.astype(np.float32), np.diag([*size, 1]))
    expected = load_ants().n4_bias_field_correction(
        to_ants(image),
        mask=to_ants(make_image(inside, image)),
        shrink_factor=shrink,
        convergence={"iters": list(ITERATIONS), "tol": 1e-4},
        spline_param=mesh_mm,
        return_bias_field=True,
    )
    found = log_bias_field(
        np.asarray(image.dataobj), inside, voxel_sizes(image), shrink=shrink, iterations=ITERATIONS, mesh_mm=mesh_mm
    )
    np.testing.assert_allclose(found[inside], np.log(expected.numpy())[inside], atol=2e-4)


def test_a_field_is_found_on_its_own_side(shaded):
    values, inside, field = shaded
    found = log_bias_field(values, inside, np.full(3, 2.5), shrink=2, iterations=ITERATIONS, mesh_mm=100)
    left = np.log(field)[inside]
    error = found[inside] - found[inside].mean() - (left - left.mean())
    assert error.std() < 0.2 * left.std()


def test_an_even_image_and_one_without_a_brain_have_no_field(shaded):
    _, inside, _ = shaded
    for values, there in ((np.full(inside.shape, 7.0), inside), (np.ones(inside.shape), np.zeros_like(inside))):
        found = log_bias_field(values, there, np.full(3, 2.0), shrink=2, iterations=(5, 5), mesh_mm=100)
        assert found.shape == inside.shape
        assert np.ptp(found) < 1e-6


def test_a_voxel_without_a_number_is_not_fitted(shaded):
    values, inside, _ = shaded
    options = {"voxel_mm": np.full(3, 2.5), "shrink": 1, "iterations": (5, 5), "mesh_mm": 100}
    values[inside & (np.arange(40) == 20)] = np.nan
    without = log_bias_field(values, inside & np.isfinite(values), **options)
    np.testing.assert_array_equal(log_bias_field(values, inside, **options), without)
