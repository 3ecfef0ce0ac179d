"""Noise and ringing go, the signal stays."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.denoise import reduce_noise, remove_gibbs

AFFINE = np.diag([2.0, 2.5, 3.0, 1.0])


@pytest.fixture(scope="module")
def series():
    """A series of three smooth components, clean and with noise of a known size."""
    rng = np.random.default_rng(2)
    x, y, z = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 11), np.linspace(0, 1, 10), indexing="ij")
    maps = np.stack([1 + x, y**2, np.sin(3 * z)], axis=-1)
    clean = (100 * maps @ rng.uniform(0.2, 1, (3, 20))).astype(np.float32)
    return clean, clean + rng.normal(0, 5, clean.shape).astype(np.float32)


def test_noise_is_reduced_towards_the_truth_and_its_size_is_told(series):
    clean, noisy = series
    found, sigma = reduce_noise(nb.Nifti1Image(noisy, AFFINE))
    before, after = (np.sqrt(np.mean((d - clean) ** 2)) for d in (noisy, found.get_fdata()))
    assert after < 0.6 * before
    assert np.median(sigma.get_fdata()) == pytest.approx(5, rel=0.15)
    np.testing.assert_allclose(found.affine, AFFINE)


def test_ringing_beside_an_edge_is_removed_in_the_plane_of_the_slices(series):
    sharp = np.zeros((256, 256), np.float32)
    sharp[81:177, 66:190] = 100
    spectrum = np.fft.fftshift(np.fft.fft2(sharp))[96:160, 96:160]  # a scanner sees the middle of the spectrum only
    ringing = (np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))) / 16).astype(np.float32)
    given = np.repeat(np.repeat(ringing[:, None, :, None], 3, axis=1), 2, axis=3)
    found = remove_gibbs(nb.Nifti1Image(given, AFFINE), slice_axis=1).get_fdata()
    flat = (slice(22, 42), 1, slice(19, 45), 0)
    assert np.std(found[flat]) < 0.5 * np.std(given[flat])
    assert np.mean(found[flat]) == pytest.approx(100, abs=2)
    np.testing.assert_array_equal(given[:, 0], given[:, 2])  # what was given is as it was
