"""Noise and ringing go, the signal stays."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.diffusion.denoise import reduce_noise, remove_gibbs
from mndmri.grids import make_image
from tests.unit.diffusion import mrtrix

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


def test_noise_of_another_size_is_found_where_it_is(series):
    clean, _ = series
    size = np.where(np.arange(12) < 6, 4.0, 12.0)
    noisy = clean + size[:, None, None, None] * np.random.default_rng(5).normal(size=clean.shape)
    _, sigma = reduce_noise(nb.Nifti1Image(noisy.astype(np.float32), AFFINE))
    sides = sigma.get_fdata()[:5], sigma.get_fdata()[7:]  # a patch in between holds both
    assert [np.median(side) for side in sides] == pytest.approx([4, 12], rel=0.1)


@pytest.mark.parametrize("codes", ["LAS", "PSR"])
def test_result_does_not_depend_on_storage(series, codes):
    image = nb.Nifti1Image(series[1], AFFINE)
    stored = image.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(codes)))
    for there, here in zip(reduce_noise(stored), reduce_noise(image), strict=True):
        back = nb.as_closest_canonical(there)
        np.testing.assert_allclose(back.affine, AFFINE)
        np.testing.assert_allclose(back.get_fdata(), here.get_fdata(), rtol=1e-4)


def test_outside_the_mask_and_beside_holes_everything_is_as_it_was(series):
    noisy = series[1].copy()
    noisy[3, 3, 3, 4] = np.nan
    noisy[8:, 8:] = 0
    image = nb.Nifti1Image(noisy, AFFINE)
    mask = np.zeros(noisy.shape[:3], bool)
    mask[2:] = True
    found, sigma = (part.get_fdata() for part in reduce_noise(image, mask=make_image(mask, image)))
    np.testing.assert_array_equal(found[:2], noisy[:2])
    np.testing.assert_array_equal(found[3, 3, 3], noisy[3, 3, 3])
    np.testing.assert_array_equal(found[-1, -1], 0)
    assert sigma[0].max() == sigma[3, 3, 3] == sigma[-1, -1].max() == 0
    assert np.isfinite(found[4:]).all()
    assert (sigma[4, :4, :4] > 0).all()
    np.testing.assert_array_equal(image.get_fdata(), noisy)  # what was given is as it was


def test_image_thinner_than_a_patch_is_denoised(series):
    clean, noisy = (data[:, :, :2] for data in series)
    found, sigma = reduce_noise(nb.Nifti1Image(noisy, AFFINE))
    assert np.std(found.get_fdata() - clean) < 0.8 * np.std(noisy - clean)
    assert np.median(sigma.get_fdata()) == pytest.approx(5, rel=0.3)


@pytest.mark.real
@pytest.mark.parametrize("who", mrtrix.SERIES)
def test_noise_is_that_of_dwidenoise(real_data, tmp_path, who):
    dwi, _, mask = mrtrix.real_series(real_data, who)
    theirs, their_noise, _ = mrtrix.dwidenoise(tmp_path, dwi)
    inside = np.asarray(mask.dataobj) > 0
    found, noise = (part.get_fdata()[inside] for part in reduce_noise(dwi, mask=mask))
    given = dwi.get_fdata()[inside]
    removed, their_removed = np.std(given - found, axis=1), np.std(given - theirs[inside], axis=1)
    for name, ours, reference in (("noise", noise, their_noise[inside]), ("residual SD", removed, their_removed)):
        difference = np.abs(ours / reference - 1)
        median, most = np.median(difference), np.percentile(difference, 95)
        print(f"\n{who}, {name}: relative difference {median:.2e}, of 95% below {most:.2e}")
        assert median < 0.02
        assert most < 0.02


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
