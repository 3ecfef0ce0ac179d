"""The error of a region's statistics, against maps made of the noise that is stated."""

import json

import numpy as np
import pytest
from scipy import fft, stats

from mndmri.gradient_echo.dipole import dipole_kernel
from mndmri.susceptibility.chi_error import CALIBRATION, ErrorModel, model_error, region_error, unexplained_sd

SHAPE, UPRIGHT = (60, 60, 40), np.array([0.0, 0.0, 1.0])
VOXEL_MM = np.array([1.0, 1.0, 1.5])
FIELD_SD, CHI_SD = 0.006, 0.03


def frequencies():
    axes = [fft.fftfreq(n, v) for n, v in zip(SHAPE[:2], VOXEL_MM, strict=False)] + [
        fft.rfftfreq(SHAPE[2], VOXEL_MM[2])
    ]
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij", sparse=True)))


def of_power(power, rng):
    """Noise with this power (ppm^2 mm^3) at each frequency, without borders."""
    white = fft.rfftn(rng.standard_normal(SHAPE)) * np.sqrt(power / np.prod(VOXEL_MM))
    white[0, 0, 0] = 0
    return fft.irfftn(white, SHAPE)


@pytest.fixture(scope="module")
def estimated():
    """Error of maps estimated as well as can be from noisy fields, noise alone in them, and their error model."""
    shells = 0.01 * np.arange(100)
    rough = np.exp(-shells / 0.1)
    # white noise has the variance of a voxel times its volume at every frequency
    scale = CHI_SD**2 * np.prod(VOXEL_MM) / np.interp(frequencies(), shells, rough).mean()
    model = ErrorModel(
        FIELD_SD,
        tuple(shells),
        tuple(np.full(len(shells), FIELD_SD**2 * np.prod(VOXEL_MM))),
        tuple(scale * rough),
    )
    chi_power = np.interp(frequencies(), shells, model.map)
    dipole = dipole_kernel(SHAPE, VOXEL_MM, UPRIGHT)
    best = dipole * chi_power / (dipole**2 * chi_power + model.left[0])
    rng = np.random.default_rng(5)
    errors, noises = [], []
    for _ in range(12):
        chi = of_power(chi_power, rng)
        noise = fft.rfftn(FIELD_SD * rng.standard_normal(SHAPE))
        errors.append(fft.irfftn(best * (dipole * fft.rfftn(chi) + noise), SHAPE) - chi)
        noises.append(fft.irfftn(best * noise, SHAPE))
    return model, np.stack(errors), np.stack(noises)


def ball(radius):
    x, y, z = np.indices(SHAPE) - 20
    return x**2 + y**2 + (1.5 * z) ** 2 <= radius**2


def sheet():
    return (
        np.abs(np.indices(SHAPE) - np.reshape([20, 20, 20], (3, 1, 1, 1))) <= np.reshape([9, 1, 4], (3, 1, 1, 1))
    ).all(0)


def everywhere(volumes, region):
    """Values of a region put into many places of each volume, one place a row."""
    steps = [(i, j, k) for i in range(0, 60, 12) for j in range(0, 60, 12) for k in range(0, 40, 10)]
    return np.stack([np.roll(volume, step, (0, 1, 2))[region] for volume in volumes for step in steps])


@pytest.mark.parametrize("region", [ball(3.2), ball(7), sheet()], ids=["small ball", "large ball", "sheet"])
def test_means_and_spreads_have_the_error_that_is_stated(estimated, region):
    model, errors, noises = estimated
    expected = region_error(region, VOXEL_MM, UPRIGHT, model)
    assert everywhere(errors, region).mean(axis=1).std() == pytest.approx(expected.mean / CALIBRATION, rel=0.15)
    alone = everywhere(noises, region)
    assert np.sqrt(alone.var(axis=1, ddof=1).mean()) == pytest.approx(expected.sd, rel=0.06)
    high = np.percentile(alone, 95, axis=1) - alone.mean(axis=1)
    assert np.median(high) == pytest.approx(expected.p95, rel=0.15)
    beyond = (np.abs(stats.skew(alone, axis=1)) > expected.skewness).mean()
    assert 0.01 < beyond < 0.12  # 0.05 for a normal distribution of skewness


def test_spectra_of_white_noise_are_flat_whatever_the_mask_and_the_voxels():
    rng = np.random.default_rng(2)
    mask = ball(17)
    left, chi = (np.where(mask, sd * rng.standard_normal(SHAPE), 0) for sd in (0.004, 0.02))
    model = model_error(chi, left, mask, VOXEL_MM, UPRIGHT)
    assert model.unexplained_ppm == pytest.approx(0.004, rel=0.03)
    for power, sd in ((model.left, 0.004), (model.map, 0.02)):
        np.testing.assert_allclose([np.mean(power[3:12]), np.mean(power[12:20])], sd**2 * 1.5, rtol=0.12)


def test_the_error_of_a_field_is_known_though_a_map_took_it_on(estimated):
    """All that a susceptibility can make of white noise is taken from it; near the magic angle it is all there."""
    noise = FIELD_SD * np.random.default_rng(8).standard_normal(SHAPE)
    dipole = dipole_kernel(SHAPE, VOXEL_MM, UPRIGHT)
    left = fft.irfftn(fft.rfftn(noise) * (np.abs(dipole) < 0.1), SHAPE)
    assert left.std() < 0.6 * FIELD_SD
    assert unexplained_sd(left, np.ones(SHAPE, bool), VOXEL_MM, UPRIGHT) == pytest.approx(FIELD_SD, rel=0.05)


def test_an_error_model_comes_back_from_its_file(estimated):
    model = estimated[0]
    assert ErrorModel.from_json(json.loads(json.dumps(model.as_json()))) == model
