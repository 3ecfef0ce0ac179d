import nibabel as nb
import numpy as np
import pytest

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ
from mndmri.gradient_echo.filtering import LEAST_SLOW_PPM, slow_field_ppm

SIZES, SHAPE = np.array([1.5, 1.5, 2.0]), (72, 88, 52)


@pytest.fixture(scope="module")
def head():
    """Mask of an ellipsoid, and a field in it: the shim's rest, ppm, and a small nucleus."""
    x, y, z = (
        np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    )
    x, y, z = x * SIZES[0], y * SIZES[1], z * SIZES[2]
    mask = (x / 46) ** 2 + (y / 58) ** 2 + (z / 44) ** 2 < 1
    field = 0.4 * x * z / 1e4 - 0.8 * (z / 100) ** 2 + 0.05 * (((x - 18) ** 2 + y**2 + z**2) < 49)
    return mask, field


def image(data):
    return nb.Nifti1Image(np.asarray(data, np.float32), np.diag([*SIZES, 1]))


def signal_of(mask, field, echo_time_s, tesla):
    rng = np.random.default_rng(1)
    angle = 2 * np.pi * GYROMAGNETIC_RATIO_HZ * tesla * 1e-6 * echo_time_s * field + 1.0  # and the receiver's phase
    return np.where(mask, 1, 0.05) * np.exp(1j * angle) + 0.03 * (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE))


def filtered(signal, lines):
    """Phase less that of the signal's own centre of k-space, slice by slice, as a product SWI sequence has it."""
    window = [np.zeros(n) for n in SHAPE[:2]]
    for own, n in zip(window, SHAPE[:2], strict=True):
        own[n // 2 - lines // 2 : n // 2 + lines // 2] = np.hanning(lines)
    spectrum = np.fft.fftshift(np.fft.fft2(signal, axes=(0, 1)), axes=(0, 1)) * np.outer(*window)[..., None]
    return signal * np.conj(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(0, 1)), axes=(0, 1)))


def slow(mask, signal, echo_time_s, tesla):
    parts = image(np.abs(signal)), image(np.angle(signal)), image(mask)
    return slow_field_ppm(*parts, echo_time_s=echo_time_s, field_strength_T=tesla)


@pytest.mark.parametrize(("echo_time_s", "tesla"), [(0.02, 3.0), (0.01, 3.0), (0.02, 7.0), (0.04, 1.5)])
def test_phase_as_acquired_has_a_slow_field_and_a_filtered_one_has_none(head, echo_time_s, tesla):
    signal = signal_of(*head, echo_time_s, tesla)
    assert slow(head[0], signal, echo_time_s, tesla) > 2 * LEAST_SLOW_PPM
    for lines in (16, 24, 32):
        assert slow(head[0], filtered(signal, lines), echo_time_s, tesla) < LEAST_SLOW_PPM / 2


def test_the_slow_field_is_in_ppm_whatever_the_echo_time(head):
    found = [slow(head[0], signal_of(*head, time, 3.0), time, 3.0) for time in (0.003, 0.006, 0.012)]
    np.testing.assert_allclose(found, found[0], rtol=0.1)


def test_the_slow_field_is_the_same_however_the_head_is_stored(head):
    mask, field = head
    signal = signal_of(mask, field, 0.02, 3.0)
    assert slow(mask[::-1], signal[::-1], 0.02, 3.0) == pytest.approx(slow(mask, signal, 0.02, 3.0), rel=1e-4)
