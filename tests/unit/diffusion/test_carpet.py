"""A slice that lost its signal shows in its own cell of the carpet."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.carpet import slice_carpet
from mndmri.diffusion.gradients import Gradients
from mndmri.io import InputError

SHAPE, ZOOMS = (24, 28, 9), (2.5, 2.0, 3.0)


def grid():
    return np.diag([*ZOOMS, 1.0])


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(30, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Gradients(np.r_[0, 0, np.full(30, 1000.0)], np.vstack([np.zeros((2, 3)), directions]))


@pytest.fixture(scope="module")
def series(table):
    """Tensors that differ from voxel to voxel, without noise."""
    rng = np.random.default_rng(1)
    eigenvalues = rng.uniform(0.3e-3, 1.5e-3, (*SHAPE, 3))
    exponent = np.einsum("...i,ni->...n", eigenvalues, table.bvecs**2) * table.bvals
    return (1000 * np.exp(-exponent)).astype(np.float32)


def image(data):
    return nb.Nifti1Image(data, grid())


def whole():
    return image(np.ones(SHAPE, np.uint8))


def test_a_lost_slice_is_in_its_own_cell_of_the_scanned_series(series, table):
    scanned = series.copy()
    scanned[:, :, 3, 12] *= 0.5
    signal, residual = slice_carpet(image(scanned), image(series), table, whole())
    assert signal.shape == residual.shape == (9, 32)
    assert np.unravel_index(signal.argmin(), signal.shape) == (3, 12)
    assert signal[3, 12] == pytest.approx(-0.5, abs=0.03)
    others = np.delete(signal.ravel(), 3 * 32 + 12)
    assert np.abs(others).max() < 0.1
    assert np.abs(residual).max() < 0.01  # what a tensor predicts without error


def test_a_slice_that_differs_from_its_prediction_is_in_the_residual(series, table):
    left = series.copy()
    left[:, :, 6, 20] *= 0.7
    _, residual = slice_carpet(image(series), image(left), table, whole())
    assert np.unravel_index(residual.argmin(), residual.shape) == (6, 20)
    assert residual[6, 20] == pytest.approx(-0.3, abs=0.05)


def test_a_b0_is_compared_with_b0s_and_not_with_weighted_volumes(series, table):
    signal, _ = slice_carpet(image(series), image(series), table, whole())
    assert np.abs(signal[:, table.is_b0]).max() < 1e-6


def test_a_low_shell_is_not_compared_with_b0s():
    table = Gradients(np.array([0.0, 5, 200, 200, 200]), np.vstack([np.zeros((2, 3)), np.eye(3)]))
    image_of = np.exp(-1e-3 * table.bvals).astype(np.float32) * np.ones((*SHAPE, 1), np.float32)
    signal, _ = slice_carpet(image(image_of), image(image_of), table, whole())
    assert np.abs(signal).max() < 0.01


def test_slices_without_brain_are_missing(series, table):
    inside = np.ones(SHAPE, np.uint8)
    inside[:, :, :2] = 0
    for carpet in slice_carpet(image(series), image(series), table, image(inside)):
        assert np.isnan(carpet[:2]).all() and np.isfinite(carpet[2:]).all()


def test_another_grid_is_refused(series, table):
    with pytest.raises(InputError):
        slice_carpet(image(series[1:]), image(series), table, whole())
