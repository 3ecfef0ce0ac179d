"""Displacement from a field map."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.diffusion.distortion.correction import field_map
from mndmri.diffusion.distortion.encoding import PhaseEncoding
from mndmri.diffusion.distortion.field_map import (
    align_field_map,
    displacement_from_field,
    field_from_map,
    field_from_phases,
)
from mndmri.gradient_echo.phase import CONVENTIONS
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import InputError
from tests.unit.diffusion.distorted import brain, push_mm, rigid, scan, scanner, signal, true_voxels

DWI = scanner()
GRE = scanner(voxel_mm=(4.0, 4.5, 5.0), shape=(42, 46, 32), tilt_deg=8.0)
READOUT_S = 0.03
TIMES = (0.005, 0.015)  # far enough apart for the field of the head in front, some 70 Hz, to wrap
INSIDE = np.asarray(brain(GRE).dataobj) > 0


def true_hz(points):
    """Field that pushes signal by `push_mm` where phase encoding runs to the front."""
    return push_mm(points) / np.linalg.norm(DWI.affine[:3, 1]) / READOUT_S


def gradient_echo(movement=None, *, noise=0.03):
    """Magnitude, and complex signal of both echoes, of the head after a movement."""
    points = nb.affines.apply_affine(np.linalg.inv(np.eye(4) if movement is None else movement), world_coordinates(GRE))
    rng = np.random.default_rng(4)
    echoes = [
        signal(points) * np.exp(2j * np.pi * true_hz(points) * time + 0.7j)
        + 1000 * noise * (rng.standard_normal(GRE.shape) + 1j * rng.standard_normal(GRE.shape))
        for time in TIMES
    ]
    return make_image(np.abs(echoes[0]).astype(np.float32), GRE), echoes


def stored(angle, scale):
    low, high, turn = CONVENTIONS[scale]
    values = angle * turn / (2 * np.pi) + (low + high) / 2
    if scale == "radians_positive":
        values = np.mod(angle, 2 * np.pi)
    return make_image(np.clip(values, low, high).astype(np.float32), GRE)


def difference(echoes):
    return np.angle(echoes[1] * np.conj(echoes[0]))


def off_hz(field):
    return np.abs(field.get_fdata() - true_hz(world_coordinates(GRE)))[INSIDE]


@pytest.mark.parametrize("scale", ["radians", "radians_positive", "siemens_signed", "siemens_unsigned"])
def test_field_is_found_whatever_the_scale_of_the_phase_difference(scale):
    magnitude, echoes = gradient_echo()
    assert np.abs(true_hz(world_coordinates(GRE))[INSIDE]).max() > 0.5 / (TIMES[1] - TIMES[0])  # it wraps
    field = field_from_phases([stored(difference(echoes), scale)], magnitude, echo_times_s=TIMES)
    assert np.median(off_hz(field)) < 1.0
    assert np.percentile(off_hz(field), 95) < 4.0


def test_two_phases_give_the_field_of_their_difference_in_either_order():
    magnitude, echoes = gradient_echo()
    phases = [stored(np.angle(echo), "siemens_signed") for echo in echoes]
    field = field_from_phases(phases, magnitude, echo_times_s=TIMES)
    assert np.median(off_hz(field)) < 1.0
    turned = field_from_phases(phases[::-1], magnitude, echo_times_s=TIMES[::-1])
    np.testing.assert_allclose(turned.get_fdata()[INSIDE], field.get_fdata()[INSIDE], atol=0.5)


def test_ready_field_is_taken_in_its_unit():
    magnitude, _ = gradient_echo()
    hz = true_hz(world_coordinates(GRE)).astype(np.float32)
    in_hz = field_from_map(make_image(hz, GRE), magnitude, units="Hz")
    in_rad = field_from_map(make_image(2 * np.pi * hz, GRE), magnitude, units="rad/s")
    np.testing.assert_allclose(in_rad.get_fdata(), in_hz.get_fdata(), atol=1e-3)
    assert np.median(off_hz(in_hz)) < 1.0
    with pytest.raises(InputError, match=r"in 'T', expected Hz or rad/s"):
        field_from_map(make_image(hz, GRE), magnitude, units="T")


@pytest.mark.parametrize("codes", ["LPS", "PIR"])
def test_a_field_map_lies_on_the_canonical_grid_whichever_way_it_was_stored(codes):
    magnitude, echoes = gradient_echo()
    phases = [make_image(np.angle(echo).astype(np.float32), GRE) for echo in echoes]
    turn = ornt_transform(io_orientation(GRE.affine), axcodes2ornt(codes))
    stored = [image.as_reoriented(turn) for image in (*phases, magnitude)]
    found = field_map(stored[:2], stored[2], kind="phases", echo_times_s=TIMES, units=None)
    expected = field_from_phases([to_canonical(i) for i in phases], to_canonical(magnitude), echo_times_s=TIMES)
    np.testing.assert_allclose(found.field_hz.get_fdata(), expected.get_fdata(), atol=1e-3)
    np.testing.assert_array_equal(found.magnitude.get_fdata(), to_canonical(magnitude).get_fdata())


def test_voxels_off_by_a_turn_and_noise_outside_do_not_show():
    magnitude, _ = gradient_echo(noise=0.0)
    rng = np.random.default_rng(5)
    hz = true_hz(world_coordinates(GRE))
    hz[rng.random(GRE.shape) < 0.03] += 400
    hz[magnitude.get_fdata() < 50] = rng.uniform(-200, 200, GRE.shape)[magnitude.get_fdata() < 50]
    field = field_from_map(make_image(hz.astype(np.float32), GRE), magnitude, units="Hz")
    assert np.percentile(off_hz(field), 99) < 5.0
    # beyond the head it stays near what is next to it
    assert np.abs(field.get_fdata()).max() < 80


@pytest.mark.parametrize("polarity", [1, -1])
def test_displacement_is_field_times_readout_the_way_of_the_encoding(polarity):
    magnitude, echoes = gradient_echo()
    field = field_from_phases([stored(difference(echoes), "radians")], magnitude, echo_times_s=TIMES)
    found = displacement_from_field(field, np.eye(4), DWI, PhaseEncoding(1, polarity, READOUT_S))
    inside = np.asarray(brain(DWI).dataobj) > 0
    off = np.abs(found.get_fdata() - true_voxels(DWI, 1, polarity))[inside]
    assert np.median(off) < 0.05
    assert np.percentile(off, 95) < 0.2


def test_head_that_moved_between_the_scans_takes_its_field_along():
    movement = rigid([4, -3, 3], [3, 4, -3])
    magnitude, echoes = gradient_echo(movement)
    encoding = PhaseEncoding(1, 1, READOUT_S)
    field = field_from_phases([stored(difference(echoes), "siemens_signed")], magnitude, echo_times_s=TIMES)
    to_field = align_field_map(scan(DWI, 1, 1.0, noise=0.03), magnitude, field, encoding)
    inside = np.asarray(brain(DWI).dataobj) > 0
    points = world_coordinates(DWI)[inside]
    missed = nb.affines.apply_affine(to_field, points) - nb.affines.apply_affine(movement, points)
    assert np.median(np.linalg.norm(missed, axis=1)) < 1.0
    found = displacement_from_field(field, to_field, DWI, encoding)
    assert np.median(np.abs(found.get_fdata() - true_voxels(DWI, 1))[inside]) < 0.1


def test_without_polarity_or_readout_time_a_field_tells_no_displacement():
    field = make_image(np.zeros(DWI.shape, np.float32), DWI)
    with pytest.raises(InputError, match="only with PhaseEncodingDirection and TotalReadoutTime of"):
        displacement_from_field(field, np.eye(4), DWI, PhaseEncoding(1, None, None))
    with pytest.raises(InputError, match="only with TotalReadoutTime of"):
        displacement_from_field(field, np.eye(4), DWI, PhaseEncoding(1, -1, None))


def test_phases_that_do_not_make_a_pair_are_refused():
    magnitude, echoes = gradient_echo()
    phase = stored(difference(echoes), "radians")
    with pytest.raises(InputError, match="3 phase images"):
        field_from_phases([phase] * 3, magnitude, echo_times_s=TIMES)
    with pytest.raises(InputError, match="2 images and echo times"):
        field_from_phases([phase], magnitude, echo_times_s=TIMES[:1])
    with pytest.raises(InputError, match="no known phase scale"):
        field_from_phases([magnitude], magnitude, echo_times_s=TIMES)
    with pytest.raises(InputError, match="no value above 0"):
        field_from_phases([phase], make_image(np.zeros(GRE.shape, np.float32), GRE), echo_times_s=TIMES)
