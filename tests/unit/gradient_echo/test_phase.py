import nibabel as nb
import numpy as np
import pytest

from mndmri.gradient_echo.phase import (
    CONVENTIONS,
    check_magnitude,
    detect_convention,
    to_radians,
    undo_slice_alternation,
)
from mndmri.io import InputError

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
    with pytest.raises(InputError, match=f"values from {data.min():g} to {data.max():g} match no known phase scale"):
        detect_convention(image(data))


@pytest.mark.parametrize("shift", [0, 180])
def test_degrees_are_named_in_their_refusal(truth, shift):
    with pytest.raises(InputError, match="They look like degrees"):
        to_radians(image((np.degrees(truth) + shift).astype(np.float32)))


def rescaled(levels, slope, intercept):
    """Image of whole numbers behind a header's slope and intercept, as read from a file."""
    stored = nb.Nifti1Image(levels.astype(np.int16), AFFINE)
    stored.header.set_slope_inter(slope, intercept)
    return nb.Nifti1Image.from_bytes(nb.Nifti1Image(slope * levels + intercept, AFFINE, stored.header).to_bytes())


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (2.0, -4096.0, "siemens_signed"),  # -4096 to 4094
        (8191 / 4095, -4096.0, "siemens_signed"),  # -4096 to 4095
        (1.53455, -3142.0, "milliradians"),  # Philips
        (2 * np.pi / 4095, -np.pi, "radians"),
        (2 * np.pi / 4095, 0.0, "radians_positive"),
    ],
)
def test_phase_behind_a_rescale_slope_is_recognised(truth, slope, intercept, expected):
    levels = np.rint((truth + np.pi) / (2 * np.pi) * 4096) % 4096
    levels[0, 0, 0], levels[0, 0, 1] = 0, 4095
    stored = rescaled(levels, slope, intercept)
    assert stored.get_data_dtype() == np.int16
    assert detect_convention(stored) == expected
    found = to_radians(stored).get_fdata()
    origin = -np.pi if intercept < 0 else 0.0
    wanted = 2 * np.pi * levels / 4096 + origin
    assert np.abs(np.angle(np.exp(1j * (found - wanted)))).max() < 0.003


def test_ge_milliradians_in_whole_numbers_are_recognised(truth):
    stored = image(np.rint(1000 * truth).astype(np.int16))
    assert detect_convention(stored) == "milliradians"
    assert np.abs(to_radians(stored).get_fdata() - truth).max() < 0.001


def smooth_values(low, high):
    """A magnitude's, a field map's or an unwrapped phase's lack of wraps, stretched from low to high."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (17, 18, 19)), indexing="ij")
    bump = np.exp(-3 * (x**2 + y**2 + z**2)) + 0.1 * x
    return low + (bump - bump.min()) / np.ptp(bump) * (high - low)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_smooth_values_stretched_over_any_scale_are_refused(convention):
    scale = CONVENTIONS[convention]
    with pytest.raises(InputError, match="a wrapped phase has such jumps"):
        to_radians(image(smooth_values(scale.low, scale.high).astype(np.float32)))


def test_field_map_in_hertz_is_refused_by_its_values_and_by_its_units():
    field_map = image(smooth_values(-210, 340).astype(np.float32))
    with pytest.raises(InputError, match="no known phase scale"):
        to_radians(field_map)
    with pytest.raises(InputError, match="gives the phase in 'Hz', expected rad or arbitrary"):
        to_radians(field_map, units="Hz")


def test_units_in_radians_are_held_against_the_values(truth):
    for convention in ("radians", "radians_positive"):
        stored = image(as_stored(truth, convention))
        found = to_radians(stored, units="rad").get_fdata()
        np.testing.assert_array_equal(found, to_radians(stored).get_fdata())
    for convention in ("milliradians", "siemens_signed", "siemens_unsigned"):
        stored = image(as_stored(truth, convention))
        with pytest.raises(InputError, match=r"phase in rad, but its values run from .* more than one turn"):
            to_radians(stored, units="rad")
        with pytest.raises(InputError, match=f"phase in rad, the scale is named {convention}"):
            to_radians(stored, convention=convention, units="rad")
        assert to_radians(stored, units="arbitrary").shape == truth.shape


def test_units_settle_the_scale_of_a_phase_that_does_not_wrap(truth):
    narrow = image((0.05 * truth).astype(np.float32))
    np.testing.assert_allclose(to_radians(narrow, units="rad").get_fdata(), 0.05 * truth, atol=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_phase_given_as_magnitude_is_refused(truth, convention):
    with pytest.raises(InputError, match=f"a phase on the scale {convention}; give the magnitude series"):
        check_magnitude(image(as_stored(truth, convention)))


def test_phase_in_degrees_given_as_magnitude_is_refused(truth):
    with pytest.raises(InputError, match=r"negative in \d+% of its voxels"):
        check_magnitude(image(np.degrees(truth)))


def test_magnitude_is_taken_for_one_on_any_scale():
    for high in (1.0, 2 * np.pi, 4095.0, 1e7):
        check_magnitude(image(smooth_values(0, high).astype(np.float32)))


@pytest.fixture(scope="module")
def head():
    """Magnitude, bright in the middle over noise, and two echoes' phases that grow by a radian a slice at most."""
    shape = (20, 21, 16)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.8
    rng = np.random.default_rng(4)
    signals = [
        inside * np.exp(1j * growth * (7 * z + 3 * x * y))
        + 0.05 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
        for growth in (0.5, 1.0)
    ]
    return [np.abs(s) for s in signals], [np.angle(s).astype(np.float32) for s in signals]


@pytest.mark.parametrize("axes", [(2,), (0,), (1,), (0, 2)])
def test_half_turn_from_slice_to_slice_is_undone(head, axes):
    magnitude, phase = head
    turns = np.indices(phase[0].shape)[list(axes)].sum(axis=0) % 2
    alternating = [np.angle(np.exp(1j * (p + np.pi * turns))).astype(np.float32) for p in phase]
    straight, found = undo_slice_alternation([image(m) for m in magnitude], [image(p) for p in alternating])
    assert found == axes
    for one, other in zip(straight, phase, strict=True):
        data = one.get_fdata()
        assert np.abs(np.angle(np.exp(1j * (data - other)))).max() < 1e-5
        assert np.abs(data).max() <= np.pi + 1e-6


def test_phase_without_alternation_is_left_as_it_is(head):
    magnitude, phase = ([image(d) for d in part] for part in head)
    left, found = undo_slice_alternation(magnitude, phase)
    assert found == ()
    assert all(one is other for one, other in zip(left, phase, strict=True))
    with pytest.raises(InputError, match="2 magnitude and 1 phase images"):
        undo_slice_alternation(magnitude, phase[:1])


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
        check_magnitude(magnitude)
    for file in files:
        with pytest.raises(InputError, match="a phase on the scale siemens_signed; give the magnitude series"):
            check_magnitude(nb.load(file))


@pytest.mark.real
def test_real_phase_has_no_half_turn_from_slice_to_slice_and_a_planted_one_is_found(real_data):
    folder = real_data / "real" / "sub-philips01" / "anat"
    magnitude, phase = (
        [nb.load(folder / f"sub-philips01_echo-{echo}_part-{part}_MEGRE.nii.gz") for echo in (1, 2)]
        for part in ("mag", "phase")
    )
    assert undo_slice_alternation(magnitude, phase)[1] == ()
    turns = np.indices(phase[0].shape)[2] % 2
    planted = [nb.Nifti1Image(np.angle(np.exp(1j * (p.get_fdata() + np.pi * turns))), p.affine) for p in phase]
    straight, found = undo_slice_alternation(magnitude, planted)
    assert found == (2,)
    for one, other in zip(straight, phase, strict=True):
        assert np.abs(np.angle(np.exp(1j * (one.get_fdata() - other.get_fdata())))).max() < 1e-5
