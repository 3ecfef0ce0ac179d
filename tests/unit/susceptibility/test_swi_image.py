import nibabel as nb
import numpy as np
import pytest

from mndmri.gradient_echo.phase import to_radians
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError
from mndmri.susceptibility.regions import precentral_regions
from mndmri.susceptibility.swi import high_pass, make_swi, normalise, weigh_susceptibility
from mndmri.tables.protocols import HOMODYNE_SWI, MAGNITUDE, VENDOR_SWI

ZOOMS = (0.8, 0.8, 2.0)
SHAPE = (61, 54, 7)
VEIN_SHIFT = 1.2  # rad


@pytest.fixture(scope="module")
def scene():
    """Magnitude and wrapped phase of a head with a vein and a pallidum, paramagnetic positive."""
    affine = np.diag([*ZOOMS, 1.0])
    affine[:3, 3] = [-24, -21, 10]
    x, y, z = np.moveaxis(
        nb.affines.apply_affine(affine, np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)), -1, 0
    )
    head = (x / 20) ** 2 + (y / 18) ** 2 < 1
    vein = head & (np.hypot(x + 8, y - 2) < 1.3)
    pallidum = head & (np.hypot((x - 7) / 1.0, (y + 4) / 1.6) < 2.0)
    white = head & (np.hypot(x, y) < 14) & (np.hypot(x + 8, y - 2) > 4) & (np.hypot(x - 7, y + 4) > 6)
    rng = np.random.default_rng(3)
    magnitude = np.where(head, 900.0, 0.0) + np.abs(rng.normal(0, 10, SHAPE))
    shift = VEIN_SHIFT * vein + 0.5 * pallidum
    background = 0.22 * x - 0.15 * y + 0.004 * x * y + 0.1 * z
    noise = np.where(head, rng.normal(0, 0.02, SHAPE), rng.uniform(-np.pi, np.pi, SHAPE))

    def phase_of(sign=1, scale=1.0):
        return nb.Nifti1Image(np.angle(np.exp(1j * (scale * (background + sign * shift) + noise))), affine)

    def mask(m):
        return nb.Nifti1Image(m.astype(np.uint8), affine)

    return {
        "magnitude": nb.Nifti1Image(magnitude, affine),
        "phase_of": phase_of,
        "vein": mask(vein),
        "pallidum": mask(pallidum),
        "white": mask(white),
    }


def median(image, mask):
    return np.median(image.get_fdata()[np.asarray(mask.dataobj) > 0])


def reorient(image, codes):
    start = nb.orientations.io_orientation(image.affine)
    change = nb.orientations.ornt_transform(start, nb.orientations.axcodes2ornt(codes))
    return image.as_reoriented(change)


def test_high_pass_removes_the_background_and_keeps_the_vein(scene):
    filtered = high_pass(scene["magnitude"], scene["phase_of"]())
    white = filtered.get_fdata()[np.asarray(scene["white"].dataobj) > 0]
    assert abs(white.mean()) < 0.03 and white.std() < 0.08  # the wrapped background spans several turns
    assert median(filtered, scene["vein"]) > 0.5 * VEIN_SHIFT


@pytest.mark.parametrize("sign", [-1, 1])
def test_paramagnetic_tissue_is_dark_by_the_right_sign_only(scene, sign):
    phase = scene["phase_of"](sign)
    right = make_swi([scene["magnitude"]], [phase], paramagnetic_sign=sign)
    wrong = make_swi([scene["magnitude"]], [phase], paramagnetic_sign=-sign)
    white = median(right, scene["white"])
    assert median(right, scene["vein"]) < 0.6 * white
    assert median(right, scene["pallidum"]) < 0.95 * white
    assert median(wrong, scene["vein"]) > 0.95 * white


def test_phase_mask_is_haackes_fourth_power(scene):
    phase = scene["phase_of"]()
    filtered = high_pass(scene["magnitude"], phase).get_fdata()
    swi = make_swi([scene["magnitude"]], [phase], paramagnetic_sign=1).get_fdata()
    weight = np.where(filtered > 0, (1 - filtered / np.pi) ** 4, 1.0)
    np.testing.assert_allclose(swi, scene["magnitude"].get_fdata() * weight, rtol=1e-5)


@pytest.mark.parametrize("codes", ["LAS", "PSR", "IPL"])
def test_storage_order_does_not_change_the_swi(scene, codes):
    expected = make_swi([scene["magnitude"]], [scene["phase_of"]()], paramagnetic_sign=1)
    stored = [reorient(i, codes) for i in (scene["magnitude"], scene["phase_of"]())]
    found = make_swi([stored[0]], [stored[1]], paramagnetic_sign=1)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-9)
    np.testing.assert_allclose(found.get_fdata(), expected.get_fdata(), rtol=1e-4, atol=1e-2)


def test_every_phase_scale_gives_the_same_swi(scene):
    phase = scene["phase_of"]()
    radians, head = phase.get_fdata(), scene["magnitude"].get_fdata() > 500
    expected = make_swi([scene["magnitude"]], [to_radians(phase)], paramagnetic_sign=1).get_fdata()
    for stored in (
        np.rint(radians / np.pi * 2048) * 2,
        np.rint((radians + np.pi) / (2 * np.pi) * 4096).clip(0, 4095),
        np.mod(radians, 2 * np.pi),
        radians * 1000,
    ):
        found = make_swi([scene["magnitude"]], [to_radians(make_image(stored, phase))], paramagnetic_sign=1)
        # outside the head the phase is noise, and the mask jumps where it wraps
        np.testing.assert_allclose(found.get_fdata()[head], expected[head], rtol=0.01)


def test_echoes_are_averaged(scene):
    one, two = scene["phase_of"](scale=0.5), scene["phase_of"]()
    later = make_image(0.7 * scene["magnitude"].get_fdata(), scene["magnitude"])
    single = [make_swi([m], [p], paramagnetic_sign=1).get_fdata() for m, p in ((scene["magnitude"], one), (later, two))]
    both = make_swi([scene["magnitude"], later], [one, two], paramagnetic_sign=1)
    np.testing.assert_allclose(both.get_fdata(), np.mean(single, axis=0), rtol=1e-5)


def test_echoes_that_do_not_pair_up_and_a_zero_sign_are_refused(scene):
    phase = scene["phase_of"]()
    with pytest.raises(InputError, match="1 magnitude and 2 phase images"):
        make_swi([scene["magnitude"]], [phase, phase], paramagnetic_sign=1)
    with pytest.raises(InputError, match="expected -1 or 1"):
        make_swi([scene["magnitude"]], [phase], paramagnetic_sign=0)
    with pytest.raises(InputError, match="expected one 3D echo"):
        four = nb.Nifti1Image(np.zeros((*SHAPE, 2)), phase.affine)
        high_pass(four, four)


def test_normalisation_removes_shading_and_scale_but_keeps_the_band(build_slab, paint):
    slab = build_slab((1.5, 1.0, 1.5))
    masks, _ = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
    reference = make_image(np.asarray(masks.dataobj)[..., -1], masks)
    truth = paint(slab, noise=0.0)
    truth[slab.band] *= 0.8
    brain = make_image(slab.grey | slab.white, slab.grid)
    shading = 1 + 0.3 * slab.x / 28
    found = normalise(make_image(700 * truth * shading, slab.grid), brain, reference).get_fdata()
    assert np.median(found[np.asarray(reference.dataobj) > 0]) == pytest.approx(1, abs=1e-5)
    for side in (slab.x < 0, slab.x > 0):
        assert np.median(found[slab.white & ~slab.band & side]) == pytest.approx(1, abs=0.04)  # 0.85, 1.15 before
        bank = slab.grey & side & (slab.z > 56) & (slab.z < 64) & (np.abs(slab.y) < 3.25)
        dark, bright = found[bank & slab.band], found[bank & (slab.y > 0)]
        assert np.median(dark) / np.median(bright) == pytest.approx(0.8, abs=0.01)
    assert not found[slab.csf].any()


def test_normalisation_without_reference_is_refused(slab, paint):
    swi, brain = make_image(paint(slab), slab.grid), make_image(slab.white, slab.grid)
    with pytest.raises(InputError, match="0 voxels of reference white matter with signal, expected at least 100"):
        normalise(swi, brain, make_image(np.zeros(slab.grid.shape, bool), slab.grid))


def test_canonical_storage_is_what_comes_back(scene):
    stored = reorient(scene["magnitude"], "LAS")
    assert high_pass(stored, reorient(scene["phase_of"](), "LAS")).affine == pytest.approx(to_canonical(stored).affine)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_scan_is_weighted_by_its_phase_where_the_sign_is_known(scene, sign):
    magnitude, phase = [scene["magnitude"]], [scene["phase_of"](sign)]
    found = weigh_susceptibility(magnitude, phase, paramagnetic_sign=sign)
    expected = make_swi(magnitude, [to_radians(phase[0])], paramagnetic_sign=sign)
    np.testing.assert_array_equal(found.image.get_fdata(), expected.get_fdata())
    assert found.by_phase and found.kind == HOMODYNE_SWI


def test_without_phase_or_its_sign_the_magnitude_is_the_image_and_it_is_said(scene):
    magnitude = [scene["magnitude"]]
    for phase, why in (([], "no usable phase"), ([scene["phase_of"](1)], "sign of the phase is unknown")):
        found = weigh_susceptibility(magnitude, phase, paramagnetic_sign=None)
        np.testing.assert_allclose(found.image.get_fdata(), scene["magnitude"].get_fdata(), rtol=1e-6)
        assert not found.by_phase and found.kind == MAGNITUDE
        assert found.note.startswith("magnitude alone") and why in found.note


def test_the_scanners_own_swi_is_taken_as_it_is(scene):
    found = weigh_susceptibility([], [], paramagnetic_sign=None, vendor=scene["magnitude"])
    assert found.image is scene["magnitude"] and found.by_phase and found.kind == VENDOR_SWI


def test_normalisation_without_bias_correction_only_divides(slab, paint):
    masks, _ = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
    reference = make_image(np.asarray(masks.dataobj)[..., -1], masks)
    data, brain = paint(slab), slab.grey | slab.white
    image = make_image(500 * data, slab.grid)
    found = normalise(image, make_image(brain, slab.grid), reference, bias_iterations=()).get_fdata()
    median = np.median(data[np.asarray(reference.dataobj) > 0])
    np.testing.assert_allclose(found[brain], (data / median)[brain], rtol=1e-5)
