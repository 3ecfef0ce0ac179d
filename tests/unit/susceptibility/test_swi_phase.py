import nibabel as nb
import numpy as np
import pytest

from mndmri.io import InputError
from mndmri.susceptibility.phase import CONVENTIONS, detect_convention, to_radians

AFFINE = np.array([[-2.0, 0.2, 0, 5], [0.2, 2.5, 0, -7], [0, 0, 3, 9], [0, 0, 0, 1]])


def image(data):
    return nb.Nifti1Image(np.asarray(data), AFFINE)


@pytest.fixture(scope="module")
def truth():
    """Wrapped ramp with noise, radians, -pi to pi."""
    x, y, z = np.meshgrid(*map(np.arange, (17, 18, 9)), indexing="ij")
    ramp = 0.9 * x + 0.5 * y - 0.7 * z + np.random.default_rng(1).normal(0, 0.1, x.shape)
    return np.angle(np.exp(1j * ramp))


def as_stored(truth, convention):
    return {
        "radians": truth.astype(np.float32),
        "radians_positive": np.mod(truth, 2 * np.pi).astype(np.float32),
        "milliradians": (1000 * truth).astype(np.float32),
        "siemens_signed": np.rint(truth / np.pi * 2048).clip(-2048, 2047).astype(np.int16) * 2,
        "siemens_unsigned": np.rint((truth + np.pi) / (2 * np.pi) * 4096).clip(0, 4095).astype(np.uint16),
    }[convention]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_scale_is_recognised_and_gives_the_same_radians(truth, convention):
    stored = image(as_stored(truth, convention))
    assert detect_convention(stored) == convention
    found = to_radians(stored).get_fdata()
    difference = np.angle(np.exp(1j * (found - truth)))
    assert np.abs(difference).max() < 0.002  # 12 bits
    assert np.abs(found).max() <= np.pi + 1e-6


def test_scale_named_by_the_user_serves_a_phase_that_does_not_wrap(truth):
    narrow = image((0.05 * truth).astype(np.float32))
    with pytest.raises(InputError, match="no known phase scale"):
        to_radians(narrow)
    np.testing.assert_allclose(to_radians(narrow, convention="radians").get_fdata(), 0.05 * truth, atol=1e-6)


def test_named_scale_that_does_not_hold_the_values_is_refused(truth):
    with pytest.raises(InputError, match=r"from -4096 to \d+ are not a phase on the scale radians"):
        to_radians(image(as_stored(truth, "siemens_signed")), convention="radians")
    with pytest.raises(InputError, match="'degrees' is unknown; use one of radians"):
        to_radians(image(truth), convention="degrees")


@pytest.mark.parametrize(
    "scale", [lambda p: np.degrees(p), lambda p: np.degrees(p) + 180, lambda p: 3 * p], ids=["180", "360", "unwrapped"]
)
def test_degrees_and_unwrapped_phase_are_refused_with_their_range(truth, scale):
    data = scale(truth).astype(np.float32)
    with pytest.raises(InputError, match=f"values from {data.min():g} to {data.max():g} are no known phase scale"):
        detect_convention(image(data))


def test_constant_image_is_refused():
    with pytest.raises(InputError, match=r"constant \(7 everywhere\)"):
        detect_convention(image(np.full((4, 5, 6), 7, np.int16)))


def test_magnitude_image_that_fills_twelve_bits_is_refused():
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (17, 18, 19)), indexing="ij")
    magnitude = 4095 * np.exp(-3 * (x**2 + y**2 + z**2))
    magnitude = np.rint((magnitude - magnitude.min()) / np.ptp(magnitude) * 4095).astype(np.uint16)
    with pytest.raises(InputError, match="magnitude image has not"):
        detect_convention(image(magnitude))


def test_real_scanners_scales_are_recognised(real_data):
    for pattern, expected in (("*_part-phase_MEGRE.nii.gz", "radians"), ("*_phasediff.nii.gz", "siemens_signed")):
        files = sorted((real_data / "real").rglob(pattern))
        assert files
        for file in files:
            assert detect_convention(nb.load(file)) == expected
    for file in sorted((real_data / "real").rglob("*_part-mag_MEGRE.nii.gz")):
        magnitude = nb.load(file)
        data = magnitude.get_fdata()
        with pytest.raises(InputError, match="magnitude image has not"):
            detect_convention(nb.Nifti1Image(data / data.max() * 4095, magnitude.affine))
