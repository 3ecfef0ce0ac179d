"""From the phase as a scanner stores it to susceptibility, and maps that are brought."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mndmri.gradient_echo.dipole import dipole_field
from mndmri.gradient_echo.phase import CONVENTIONS
from mndmri.grids import make_image, voxel_sizes, world_coordinates
from mndmri.io import InputError
from mndmri.susceptibility.mapping import chi_veins, map_phase, mapping_quality, take_chimap
from mndmri.susceptibility.qsm import b0_axis_of

from .heads import NOISE, RADIANS_PER_PPM, build_head

TIMES = (0.01, 0.02)  # s


def build_scan(*, mirror=False):
    """Two echoes of the head, and its regions as `preprocessing.locate` gives them."""
    head = build_head(mirror=mirror)
    rng = np.random.default_rng(4)
    echoes = []
    for time in TIMES:
        radians = RADIANS_PER_PPM * time / 0.02 * head.field.get_fdata()
        noise = NOISE * rng.standard_normal((2, *head.mask.shape))
        echoes.append(np.where(head.mask.get_fdata() > 0, np.exp(1j * radians), 0) + noise[0] + 1j * noise[1])
    rows = [("pallidum", "L", "left"), ("pallidum", "R", "right"), ("csf", "both", "fluid")]
    masks = [head.parts[name].get_fdata() for *_, name in rows] + [head.white.get_fdata()]
    names = pd.DataFrame([*(row[:2] for row in rows), ("reference_wm", "both")], columns=["region", "hemi"])
    head.masks = make_image(np.stack(masks, axis=-1).astype(np.uint8), head.mask)
    head.names = names.assign(index=range(len(names)))
    # a brain has fluid round it that gives signal too
    head.brain = make_image(ndimage.binary_erosion(head.mask.get_fdata() > 0), head.mask)
    head.magnitude = [make_image(1000 * np.abs(echo), head.mask) for echo in echoes]
    head.angles = [np.angle(echo) for echo in echoes]
    return head


@pytest.fixture(scope="module")
def scan():
    return build_scan()


def mapped(scan, angles=None, **options):
    phase = [make_image(angle, scan.mask) for angle in (scan.angles if angles is None else angles)]
    settings = {"echo_times_s": TIMES, "field_strength_T": 3.0, "method": "closed_form"} | options
    return map_phase(scan.magnitude, phase, scan.brain, scan.masks, scan.names, **settings)


def mean(scan, found, part):
    inside = (scan.parts[part].get_fdata() > 0) & (found.mask.get_fdata() > 0)
    return found.chi.get_fdata()[inside].mean()


def stored(angles, convention):
    scale = CONVENTIONS[convention]
    values = angles * scale.turn / (2 * np.pi)
    if convention == "siemens_unsigned":
        return np.clip(np.rint(values + scale.turn / 2), scale.low, scale.high)
    values = np.where(values < scale.low, values + scale.turn, values)
    return np.rint(values) if scale.turn > 100 else values


def test_planted_susceptibility_is_found_from_wrapped_echoes(scan):
    found = mapped(scan, method="total_variation")
    kept = found.mask.get_fdata() > 0
    assert kept[scan.brain.get_fdata() > 0].mean() > 0.9
    truth = scan.chi - scan.chi[kept].mean()
    for part in scan.parts:
        inside = (scan.parts[part].get_fdata() > 0) & kept
        # the band reaches the edge of what is kept, on voxels of 2 x 2 x 3 mm; of its true field alone it loses 0.011
        within = 0.02 if part == "band" else 0.011
        assert mean(scan, found, part) == pytest.approx(truth[inside].mean(), abs=within), part
    assert found.sign == 1 and not found.unknown


@pytest.mark.parametrize("convention", [name for name in CONVENTIONS if name != "radians"])
def test_every_phase_convention_gives_the_same_susceptibility(scan, convention):
    expected, found = mapped(scan), mapped(scan, [stored(angle, convention) for angle in scan.angles])
    apart = np.abs(found.chi.get_fdata() - expected.chi.get_fdata())
    assert (apart < 2e-3).mean() > 0.999  # rounding decides of a few voxels at the edge whether they are reliable
    assert mean(scan, found, "band") == pytest.approx(mean(scan, expected, "band"), abs=5e-4)


def test_echoes_read_forwards_and_backwards_in_turn_give_the_map_of_those_that_are_not(scan):
    times, noise = (0.01, 0.02, 0.03), np.random.default_rng(6).standard_normal((3, 2, *scan.mask.shape))
    signal = [np.where(scan.mask.get_fdata() > 0, 1, 0) * np.exp(-time / 0.05) for time in times]
    radians = [RADIANS_PER_PPM * time / 0.02 * scan.field.get_fdata() for time in times]
    line = 0.4 - 0.15 * np.indices(scan.mask.shape)[1]
    maps = []
    for slope in (0, 1):
        echoes = [
            (m * np.exp(1j * angle) + NOISE * (n[0] + 1j * n[1])) * np.exp(1j * slope * (-1) ** number * line)
            for number, (m, angle, n) in enumerate(zip(signal, radians, noise, strict=True))
        ]
        maps.append(
            map_phase(
                [make_image(1000 * np.abs(echo), scan.mask) for echo in echoes],
                [make_image(np.angle(echo), scan.mask) for echo in echoes],
                *(scan.brain, scan.masks, scan.names),
                echo_times_s=times,
                field_strength_T=3.0,
                method="closed_form",
            )
        )
    straight, turned = maps
    assert "bipolar" in turned.note and "bipolar" not in straight.note
    kept = (straight.mask.get_fdata() > 0) & (turned.mask.get_fdata() > 0)
    assert kept.sum() > 0.99 * (straight.mask.get_fdata() > 0).sum()
    difference = (turned.chi.get_fdata() - straight.chi.get_fdata())[kept]
    assert np.sqrt(np.mean(difference**2)) < 0.003  # ppm
    assert turned.sign == straight.sign


def test_inverted_phase_is_recognised_by_the_pallidum(scan):
    expected, found = mapped(scan), mapped(scan, [-angle for angle in scan.angles])
    assert (expected.sign, found.sign) == (1, -1)
    np.testing.assert_allclose(found.chi.get_fdata(), expected.chi.get_fdata(), atol=1e-5)
    np.testing.assert_allclose(found.local.get_fdata(), expected.local.get_fdata(), atol=1e-5)


def test_above_the_pallidum_veins_tell_the_sign(scan):
    x, _, z = np.moveaxis(world_coordinates(scan.mask), -1, 0)
    vein = (np.hypot(x - 8, z + 15) < 2.5) & (scan.brain.get_fdata() > 0)
    axis = b0_axis_of(scan.mask)
    blood = dipole_field(np.where(vein, 0.3, 0.0).astype(np.float32), voxel_sizes(scan.mask), axis)
    slab = SimpleNamespace(**vars(scan))
    slab.masks = make_image(np.asarray(scan.masks.dataobj) * np.array([0, 0, 1, 1], np.uint8), scan.mask)
    slab.magnitude = [make_image(m.get_fdata() * np.where(vein, 0.3, 1.0), scan.mask) for m in scan.magnitude]
    angles = [
        np.angle(np.exp(1j * (angle + RADIANS_PER_PPM * time / 0.02 * blood)))
        for angle, time in zip(scan.angles, TIMES, strict=True)
    ]
    assert mapped(slab, angles).sign == 1
    assert mapped(slab, [-angle for angle in angles]).sign == -1


def test_sides_swap_with_the_scan(scan):
    mirrored = build_scan(mirror=True)
    here, there = (head.parts["band"].get_fdata() > 0 for head in (scan, mirrored))
    for head, band, other in ((scan, here, there), (mirrored, there, here)):
        chi = mapped(head, sign=1).chi.get_fdata()
        assert chi[band & (chi != 0)].mean() > chi[other & (chi != 0)].mean() + 0.03


def test_a_sign_that_cannot_be_told_leaves_no_map_and_the_reason(scan):
    white = np.asarray(scan.masks.dataobj)[..., 3]
    half = white * (np.indices(white.shape).sum(axis=0) % 2)
    masks = np.stack([half, half, white, white], axis=-1).astype(np.uint8)
    phase = [make_image(angle, scan.mask) for angle in scan.angles]
    found = map_phase(
        scan.magnitude,
        phase,
        scan.brain,
        make_image(masks, scan.mask),
        scan.names,
        echo_times_s=TIMES,
        field_strength_T=3.0,
        method="closed_form",
    )
    assert found.sign is None and "config" in found.unknown
    assert not found.mask.get_fdata().any() and not found.chi.get_fdata().any() and not found.local.get_fdata().any()
    assert mapping_quality(found, scan.mask).value.item() == 0


def test_fluid_is_zero_where_it_is_the_reference(scan):
    assert mean(scan, mapped(scan, reference="csf"), "fluid") == pytest.approx(0, abs=2e-3)


def test_a_phase_given_as_magnitude_and_degrees_are_refused(scan):
    phase = [make_image(angle, scan.mask) for angle in scan.angles]
    options = {"echo_times_s": TIMES, "field_strength_T": 3.0}
    with pytest.raises(InputError, match="magnitude"):
        map_phase(phase, phase, scan.mask, scan.masks, scan.names, **options)
    with pytest.raises(InputError, match="degrees"):
        mapped(scan, [np.rad2deg(angle) for angle in scan.angles])


def test_one_s_own_map_is_taken_as_it_is_and_ppb_are_refused(scan):
    chi = make_image(scan.chi.astype(np.float32), scan.mask)
    found = take_chimap(chi, scan.mask)
    inside = found.mask.get_fdata() > 0
    np.testing.assert_allclose(found.chi.get_fdata()[inside], scan.chi[inside], atol=1e-6)
    assert found.sign is None and not found.unknown
    with pytest.raises(InputError, match="divide it by 1000"):
        take_chimap(make_image(1000 * chi.get_fdata(), scan.mask), scan.mask)
    with pytest.raises(InputError, match="grids"):
        take_chimap(chi.slicer[1:], scan.mask)


def test_veins_are_found_on_a_susceptibility_map():
    x, y, z = np.indices((24, 26, 20)) - 12
    vein = np.hypot(x, y) < 1.3
    grid = make_image(np.ones(x.shape, np.uint8), build_head().mask)
    chi = make_image(np.where(vein, 0.3, 0.01).astype(np.float32), grid)
    image = type(chi)(chi.dataobj, np.eye(4))
    everywhere = type(chi)(np.ones(x.shape, np.uint8), np.eye(4))
    found = chi_veins(image, everywhere).get_fdata() > 0
    assert found[vein & (np.abs(z) < 6)].mean() > 0.9
    assert found[np.hypot(x, y) > 5].mean() < 0.02
