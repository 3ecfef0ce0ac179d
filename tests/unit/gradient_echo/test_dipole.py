import numpy as np
import pytest
from scipy import fft

from mndmri.gradient_echo.dipole import dipole_field, dipole_kernel

VOXEL = np.array([1.0, 1.0, 1.5])


def test_kernel_is_ordered_as_the_real_transform():
    axis = np.array([0.48, 0.6, 0.64])
    shape = (11, 15, 9)  # at the highest frequency of an even number, an oblique axis has two answers
    chi = np.random.default_rng(0).random(shape)
    k = np.meshgrid(*(np.fft.fftfreq(n, v) for n, v in zip(shape, VOXEL, strict=True)), indexing="ij")
    squared = sum(c**2 for c in k)
    squared[0, 0, 0] = 1
    whole = 1 / 3 - sum(a * c for a, c in zip(axis, k, strict=True)) ** 2 / squared
    whole[0, 0, 0] = 0
    expected = fft.ifftn(fft.fftn(chi) * whole).real
    found = fft.irfftn(fft.rfftn(chi) * dipole_kernel(shape, VOXEL, axis), shape)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_kernel_has_no_say_on_the_mean_and_lies_between_its_limits():
    kernel = dipole_kernel((10, 12, 14), VOXEL, np.array([0.0, 0, 1]))
    assert kernel[0, 0, 0] == 0
    assert kernel.min() == pytest.approx(-2 / 3, abs=1e-6)
    assert kernel.max() == pytest.approx(1 / 3, abs=1e-6)


def test_opposite_directions_of_the_main_field_are_one():
    axis = np.array([0.0, 0.6, 0.8])
    np.testing.assert_array_equal(dipole_kernel((8, 9, 10), VOXEL, axis), dipole_kernel((8, 9, 10), VOXEL, -axis))


def test_field_does_not_come_round_the_edge():
    chi = np.zeros((40, 40, 40))
    chi[:, :, :3] = 1.0
    far = dipole_field(chi, np.ones(3), np.array([0.0, 0, 1]))[20, 20, -5:]
    # a plate 40 mm wide, seen from 36 mm above: round the edge it would be 5 mm away
    charge = 3.0 * (1 / 3) * 40**2 / (4 * np.pi) * 2 / 36**3
    assert np.abs(far).max() < 3 * charge
