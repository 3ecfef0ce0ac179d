import sys
from types import ModuleType, SimpleNamespace

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage
from skimage.restoration import unwrap_phase

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ, dipole_field
from mndmri.gradient_echo.phase import CONVENTIONS, to_radians
from mndmri.grids import to_canonical
from mndmri.io import InputError
from mndmri.susceptibility.field import estimate_field

TESLA = 3.0
FIVE = (0.005, 0.010, 0.015, 0.020, 0.025)
ECHOES = {"five": FIVE, "uneven": (0.004, 0.010, 0.016, 0.026), "two": (0.0023, 0.0046), "one": (0.020,)}
SIZES = np.array([2.0, 1.6, 2.5])
SHAPE = (60, 90, 44)


def radians(ppm, time):
    return 2 * np.pi * GYROMAGNETIC_RATIO_HZ * TESLA * 1e-6 * time * ppm


@pytest.fixture(scope="module")
def head():
    """Oblique head with veins, iron, a frontal sinus and what the shim left; holes in its mask."""
    turn = nb.eulerangles.euler2mat(z=0.1, x=0.2)
    affine = nb.affines.from_matvec(turn * SIZES, [-60.0, -70.0, -50.0])
    mm = (np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1) - (np.array(SHAPE) - 1) / 2) * SIZES
    x, y, z = np.moveaxis(mm, -1, 0)
    radius = (x / 54) ** 2 + (y / 68) ** 2 + (z / 50) ** 2
    rng = np.random.default_rng(3)
    chi = np.where(((np.abs(x) - 18) / 8) ** 2 + (y / 10) ** 2 + (z / 8) ** 2 < 1, 0.12, 0.0)
    brain = radius < 1
    mask = brain.copy()
    for place in rng.uniform(-40, 40, (20, 3)):
        chi[(np.hypot(x - place[0], y - place[1]) < 1.6) & (np.abs(z - place[2]) < 12)] = 0.3
        mask &= np.linalg.norm(mm + place, axis=-1) > 4
    up = turn.T @ [0.0, 0.0, 1.0]
    away = mm - [0.0, 62.0, -44.0]
    far = np.maximum(np.linalg.norm(away, axis=-1), 12.0)
    sinus = -6.0 * (12.0 / far) ** 3 * (3 * (away @ up / far) ** 2 - 1)  # of a ball of air at least
    shim = 0.8 * x * z / 1e4 - 1.2 * (z / 100) ** 2 + 0.6 * (x**2 + y**2) / 2e4 + y / 200
    return SimpleNamespace(
        affine=affine,
        mm=mm,
        magnitude=np.where(brain, 1.0, 0.1) * (1 - 0.3 * radius.clip(0, 1.5)) * np.where(chi > 0.2, 0.5, 1.0),
        mask=mask,
        field=dipole_field(chi * brain, SIZES, up) + sinus + shim,
        sinus=sinus,
        coil=1 + 1.3 * (x / 60) ** 2 - (y / 70) ** 2 + 0.8 * z / 50,
    )


def scan(head, times, *, noise=0.05, offset=None):
    """Magnitudes, phases (radians, float64) as arrays."""
    rng = np.random.default_rng(5)
    offset = head.coil if offset is None else offset
    signals = []
    for time in times:
        clean = head.magnitude * np.exp(-time / 0.04 + 1j * (offset + radians(head.field, time)))
        signals.append(clean + noise * (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)))
    return [np.abs(s) for s in signals], [np.angle(s) for s in signals]


def estimate(head, magnitude, phase, times, **options):
    def image(data):
        return nb.Nifti1Image(np.asarray(data, np.float32), head.affine)

    return estimate_field(
        [image(m) for m in magnitude],
        [image(p) for p in phase],
        image(options.pop("mask", head.mask)),
        echo_times_s=times,
        field_strength_T=TESLA,
        **options,
    )


def arrays(found):
    return found.ppm.get_fdata(), np.asarray(found.reliable.dataobj) > 0


def largest_step(values, inside):
    """Largest difference between neighbours inside."""
    steps = []
    for axis in range(3):
        both = inside.take(range(1, inside.shape[axis]), axis) & inside.take(range(inside.shape[axis] - 1), axis)
        steps.append(np.abs(np.diff(values, axis=axis))[both].max())
    return max(steps)


@pytest.mark.parametrize("kind", ECHOES)
def test_planted_field_is_found_within_the_noise_and_no_voxel_is_off_by_a_turn(head, kind):
    times = ECHOES[kind]
    offset = 0.0 if kind == "one" else head.coil  # which one echo cannot tell from the field
    found = estimate(head, *scan(head, times, offset=offset), times)
    ppm, reliable = arrays(found)
    wraps = np.ptp(radians(head.field, times[-1])[head.mask]) / (2 * np.pi)
    assert wraps > (1 if kind == "two" else 8)
    assert reliable.sum() > 0.96 * head.mask.sum()
    assert not (reliable & ~head.mask).any()
    error = ppm - head.field
    error -= np.median(error[reliable])
    noise = found.noise_ppm.get_fdata()
    assert np.abs(radians(error, times[-1]))[reliable].max() < np.pi
    assert 0.9 < (error[reliable] / noise[reliable]).std() < 1.15
    assert (np.abs(error[reliable]) > 8 * noise[reliable]).sum() == 0
    assert (ppm[~head.mask] == 0).all()
    assert found.ppm.get_data_dtype() == np.float32
    assert f"{len(times)} echo" in found.note


def test_coils_offset_leaves_the_field_as_it_is(head):
    noise_free = [estimate(head, *scan(head, FIVE, noise=0.0, offset=o), FIVE) for o in (head.coil, 0.0)]
    (ppm, reliable), (other, also) = map(arrays, noise_free)
    difference = (ppm - other)[reliable & also]
    assert difference.std() < 0.001
    assert np.abs(difference - np.median(difference)).max() < 0.005


def stored(phase, convention):
    return {
        "radians": phase,
        "radians_positive": np.mod(phase, 2 * np.pi),
        "milliradians": np.rint(1000 * phase),
        "siemens_signed": ((np.rint(phase / np.pi * 2048) + 2048) % 4096 - 2048) * 2,
        "siemens_unsigned": np.rint((phase + np.pi) / (2 * np.pi) * 4096) % 4096,
    }[convention]


@pytest.mark.parametrize("kind", ["five", "one"])
def test_every_phase_convention_gives_the_same_field(head, kind):
    times = ECHOES[kind]
    magnitude, phase = scan(head, times)
    ppm, reliable = arrays(estimate(head, magnitude, phase, times))
    for convention in CONVENTIONS:
        images = [nb.Nifti1Image(stored(p, convention).astype(np.float32), head.affine) for p in phase]
        converted = [to_radians(image).get_fdata() for image in images]
        other, also = arrays(estimate(head, magnitude, converted, times))
        assert (reliable ^ also).sum() < 1e-3 * reliable.sum()
        both = reliable & also
        assert np.abs(radians(other - ppm, np.mean(times)))[both].max() < 1e-3, convention  # 12 bits: 0.8e-3


@pytest.mark.parametrize("kind", ["five", "one"])
def test_inverted_phase_gives_the_negated_field_exactly(head, kind):
    magnitude, phase = scan(head, ECHOES[kind])
    field = estimate(head, magnitude, phase, ECHOES[kind])
    inverted = estimate(head, magnitude, [-p for p in phase], ECHOES[kind])
    np.testing.assert_array_equal(inverted.ppm.get_fdata(), -field.ppm.get_fdata())
    np.testing.assert_array_equal(inverted.reliable.get_fdata(), field.reliable.get_fdata())


@pytest.mark.parametrize("kind", ["five", "one"])
def test_swapped_sides_swap_the_field(head, kind):
    magnitude, phase = scan(head, ECHOES[kind])
    ppm, reliable = arrays(estimate(head, magnitude, phase, ECHOES[kind]))
    swapped = estimate(head, [m[::-1] for m in magnitude], [p[::-1] for p in phase], ECHOES[kind], mask=head.mask[::-1])
    other, also = (a[::-1] for a in arrays(swapped))
    assert (reliable ^ also).sum() < 1e-3 * reliable.sum()
    np.testing.assert_allclose(other[reliable & also], ppm[reliable & also], atol=1e-5)


def test_order_of_the_echoes_does_not_matter(head):
    magnitude, phase = scan(head, FIVE)
    forth, back = estimate(head, magnitude, phase, FIVE), estimate(head, magnitude[::-1], phase[::-1], FIVE[::-1])
    np.testing.assert_array_equal(forth.ppm.get_fdata(), back.ppm.get_fdata())


def test_open_ended_fringe_leaves_no_jump_and_only_its_seam_is_unreliable(head):
    """A coil combination's singularity runs through the head: a loop round it gains a turn."""
    x, y, _ = np.moveaxis(head.mm, -1, 0)
    vortex = np.angle((x - 15.3) + 1j * (y - 5.1))
    magnitude, phase = scan(head, (0.01,), offset=vortex)
    ppm, reliable = arrays(estimate(head, magnitude, phase, (0.01,)))
    assert largest_step(radians(ppm, 0.01), reliable) < np.pi
    left_out = head.mask & ~reliable
    assert 0.001 * head.mask.sum() < left_out.sum() < 0.06 * head.mask.sum()
    # what is kept is the phase, but for whole turns
    rest = np.exp(1j * (phase[0] - radians(ppm, 0.01)))[reliable]
    assert np.abs(np.angle(rest / rest.mean())).max() < 1e-3


def test_singularity_of_the_coils_has_no_seam_where_echoes_tell_it_from_the_field(head):
    x, y, _ = np.moveaxis(head.mm, -1, 0)
    vortex = np.angle((x - 15.3) + 1j * (y - 5.1))
    ppm, reliable = arrays(estimate(head, *scan(head, FIVE, offset=vortex), FIVE))
    away = reliable & (np.hypot(x - 15.3, y - 5.1) > 8)
    error = ppm - head.field
    assert np.abs(radians(error - np.median(error[away]), FIVE[-1]))[away].max() < np.pi
    assert away.sum() > 0.97 * head.mask.sum()


@pytest.mark.parametrize("kind", ["five", "one"])
def test_slopes_steeper_than_half_a_turn_a_voxel_are_left_out(head, kind):
    steep = SimpleNamespace(**vars(head) | {"field": head.field + 2 * head.sinus})
    times = ECHOES[kind]
    ppm, reliable = arrays(estimate(steep, *scan(steep, times, noise=0.12, offset=0.0), times))
    error = radians(ppm - steep.field, times[-1])
    off = np.abs(error - np.median(error[reliable])) > np.pi
    assert (off & head.mask).sum() > 20  # nobody could unwrap these
    assert not (off & reliable).any()
    assert reliable.sum() > 0.95 * head.mask.sum()


@pytest.mark.parametrize(("noise", "wrong", "wrong_of_reliable"), [(0.2, 1e-3, 1e-4), (0.35, 0.05, 4e-3)])
def test_few_voxels_are_off_by_a_turn_even_in_strong_noise(head, noise, wrong, wrong_of_reliable):
    ppm, reliable = arrays(estimate(head, *scan(head, FIVE, noise=noise), FIVE))
    error = radians(ppm - head.field, FIVE[-1])
    off = np.abs(error - np.median(error[reliable])) > np.pi
    assert off[head.mask].mean() < wrong
    assert off[reliable].mean() < wrong_of_reliable


@pytest.mark.parametrize("kind", ["five", "one"])
def test_voxels_of_noise_are_unreliable_and_spoil_no_others(head, kind):
    times = ECHOES[kind]
    magnitude, phase = scan(head, times)
    lost = np.linalg.norm(head.mm - [20.0, -20.0, 15.0], axis=-1) < 9
    rng = np.random.default_rng(8)
    for m, p in zip(magnitude, phase, strict=True):
        signal = 0.05 * (rng.normal(size=lost.sum()) + 1j * rng.normal(size=lost.sum()))
        m[lost], p[lost] = np.abs(signal), np.angle(signal)
    ppm, reliable = arrays(estimate(head, magnitude, phase, times))
    assert (reliable & lost).sum() < 0.1 * (lost & head.mask).sum()
    rest = reliable & ~ndimage.binary_dilation(lost)
    error = ppm - head.field
    assert np.abs(radians(error - np.median(error[rest]), times[-1]))[rest].max() < np.pi
    assert rest.sum() > 0.95 * head.mask.sum()


@pytest.mark.real
def test_real_dual_echo_phase_is_unwrapped_without_a_residue(real_data):
    folder = real_data / "real" / "sub-philips01" / "anat"
    parts = {
        part: [to_canonical(nb.load(folder / f"sub-philips01_echo-{e}_part-{part}_MEGRE.nii.gz")) for e in (1, 2)]
        for part in ("mag", "phase")
    }
    times = (0.0023, 0.0046)
    bright = parts["mag"][0].get_fdata() > 1e6
    labels, _ = ndimage.label(ndimage.binary_erosion(bright, iterations=2))
    brain = ndimage.binary_dilation(labels == np.bincount(labels[labels > 0]).argmax())
    mask = nb.Nifti1Image(brain.astype(np.uint8), parts["mag"][0].affine)
    both = estimate_field(parts["mag"], parts["phase"], mask, echo_times_s=times, field_strength_T=3.0)
    single = estimate_field(parts["mag"][1:], parts["phase"][1:], mask, echo_times_s=times[1:], field_strength_T=3.0)
    ppm, reliable = arrays(both)
    alone, also = arrays(single)
    assert reliable.sum() > 0.98 * brain.sum()
    assert largest_step(radians(ppm, times[0]), reliable) < np.pi
    assert largest_step(radians(alone, times[1]), also) < np.pi
    # what the echoes have besides the field is one and the same offset
    rest = [p.get_fdata() - radians(ppm, t) for p, t in zip(parts["phase"], times, strict=True)]
    difference = np.angle(np.exp(1j * (rest[1] - rest[0])))[reliable]
    assert np.median(np.abs(difference)) < 0.05
    assert (np.abs(difference) > np.pi / 2).mean() < 1e-3


def test_echoes_that_do_not_pair_up_are_refused(head):
    magnitude, phase = scan(head, FIVE)
    with pytest.raises(InputError, match="5 magnitude images, 4 phase images and 5 echo times"):
        estimate(head, magnitude, phase[:4], FIVE)


@pytest.mark.parametrize(
    ("times", "message"),
    [((5.0, 10.0), "expected seconds"), ((0.0, 0.01), "above 0"), ((0.01, 0.01), "all different")],
    ids=["milliseconds", "zero", "same"],
)
def test_implausible_echo_times_are_refused(head, times, message):
    magnitude, phase = scan(head, FIVE[:2])
    with pytest.raises(InputError, match=message):
        estimate(head, magnitude, phase, times)


def test_phase_on_another_scale_and_an_empty_mask_are_refused(head):
    magnitude, phase = scan(head, FIVE[:1])
    with pytest.raises(InputError, match=r"expected -pi to pi; convert it with phase\.to_radians"):
        estimate(head, magnitude, [p * 1000 for p in phase], FIVE[:1])
    with pytest.raises(InputError, match="the mask contains no voxel with signal"):
        estimate(head, magnitude, phase, FIVE[:1], mask=np.zeros(SHAPE))


def test_unwrapping_that_is_not_there_is_refused_with_the_one_that_is(head, monkeypatch):
    magnitude, phase = scan(head, FIVE[:1])
    with pytest.raises(InputError, match="'prelude' is unknown; use skimage or romeo"):
        estimate(head, magnitude, phase, FIVE[:1], unwrapper="prelude")
    monkeypatch.setitem(sys.modules, "warpkit", None)
    with pytest.raises(InputError, match="pip install warpkit', or use the built-in unwrapping, skimage"):
        estimate(head, magnitude, phase, FIVE[:1], unwrapper="romeo")


def test_romeo_unwraps_where_it_is_installed(head, monkeypatch):
    """By a stand-in with warpkit's signature, which scikit-image serves."""

    def romeo_unwrap3d(phase, weights, mag, mask, **options):
        assert phase.dtype == mag.dtype == np.float32
        assert mask.dtype == bool
        return unwrap_phase(np.ma.array(phase, mask=~mask), rng=0).data.astype(np.float32)

    warpkit = ModuleType("warpkit")
    warpkit.romeo_unwrap3d = romeo_unwrap3d
    monkeypatch.setitem(sys.modules, "warpkit", warpkit)
    magnitude, phase = scan(head, FIVE)
    by_romeo = estimate(head, magnitude, phase, FIVE, unwrapper="romeo")
    built_in = estimate(head, magnitude, phase, FIVE)
    np.testing.assert_allclose(by_romeo.ppm.get_fdata(), built_in.ppm.get_fdata(), atol=1e-5)
    assert "ROMEO" in by_romeo.note
