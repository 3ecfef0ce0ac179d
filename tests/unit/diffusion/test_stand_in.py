"""The image that stands in for a T1w image, of made-up series whose tissue is known."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.placement import tissue_share
from mndmri.diffusion.stand_in import brain_of_series, make_stand_in
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import InputError

SIZES, SHAPE = (3.0, 3.0, 3.5), (56, 64, 46)


def grid():
    middle = (np.array(SHAPE) - 1) * SIZES / 2
    return nb.Nifti1Image(np.zeros(SHAPE, np.uint8), nb.affines.from_matvec(np.diag(SIZES), -middle))


def table():
    vectors = np.random.default_rng(3).normal(size=(12, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Gradients(np.r_[0.0, np.full(12, 1000.0)], np.vstack([np.zeros((1, 3)), vectors]))


def parts(points):
    """White matter, grey matter and fluid of a made-up head at points; white matter lies more on the left."""
    brain = np.linalg.norm(points / [65, 80, 62], axis=-1) < 1
    ventricle = np.linalg.norm(points / [10, 25, 12], axis=-1) < 1
    white = (np.linalg.norm(np.add(points, (12, 0, 0)) / [40, 55, 40], axis=-1) < 1) & ~ventricle
    return white, brain & ~white & ~ventricle, ventricle


def series(shade=0.0):
    """A head of three tissues in noise, with fat round it that the weighting does not touch, under a coil's shading."""
    points, gradients = world_coordinates(grid()), table()
    white, grey, fluid = parts(points)
    fat = np.abs(np.linalg.norm(points / [78, 93, 75], axis=-1) - 1) < 0.03
    rng = np.random.default_rng(0)
    volumes = []
    for b, g in zip(gradients.bvals, gradients.bvecs, strict=True):
        signal = white * 700 * np.exp(-b * (0.35e-3 + 1.1e-3 * g[2] ** 2))
        signal = signal + grey * 900 * np.exp(-b * 0.8e-3) + fluid * 2200 * np.exp(-b * 3e-3) + fat * 120
        light = np.exp(shade * points[..., 1] / 80)
        volumes.append(np.abs(signal * light + rng.normal(0, 8, signal.shape)))
    return nb.Nifti1Image(np.stack(volumes, axis=-1).astype(np.float32), grid().affine), gradients


@pytest.mark.parametrize("shade", [0.0, 0.5])
def test_the_brain_is_found_and_its_ventricles_are_in_it(shade):
    found = np.asarray(brain_of_series(*series(shade)).dataobj) > 0
    truth = np.any(parts(world_coordinates(grid())), axis=0)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


def test_tissues_have_the_contrast_of_a_t1w_image_and_stay_on_their_side():
    dwi, gradients = series()
    done = make_stand_in(dwi, gradients, max_b=1200)
    image = done.t1w.get_fdata()
    inside = np.asarray(done.mask.dataobj) > 0
    white, grey, fluid = (part & inside for part in parts(world_coordinates(grid())))
    assert np.median(image[white]) == pytest.approx(1.0, abs=0.02)
    assert np.median(image[grey]) == pytest.approx(0.7, abs=0.1)
    assert np.median(image[fluid]) == pytest.approx(0.25, abs=0.02)
    assert not image[~inside].any()
    assert np.average(world_coordinates(grid())[..., 0][image > 0.9]) == pytest.approx(-12, abs=2)
    assert list(done.quality["measure"]) == ["without_t1w"] and done.quality["value"].item() == 1


def test_a_series_stored_from_left_to_right_gives_the_same():
    dwi, gradients = series()
    turn = nb.orientations.ornt_transform(nb.io_orientation(dwi.affine), nb.orientations.axcodes2ornt("LPS"))
    again = make_stand_in(to_canonical(dwi.as_reoriented(turn)), gradients, max_b=1200)
    first = make_stand_in(to_canonical(dwi), gradients, max_b=1200)
    np.testing.assert_allclose(again.t1w.get_fdata(), first.t1w.get_fdata(), atol=1e-5)


def test_a_series_without_a_brain_is_refused():
    dwi, gradients = series()
    empty = make_image(np.abs(np.random.default_rng(1).normal(0, 8, dwi.shape)).astype(np.float32), dwi)
    with pytest.raises(InputError, match="ml, expected at least 300; add a T1w image"):
        make_stand_in(empty, gradients, max_b=1200)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kept", [np.s_[:, :, 18:], np.s_[:, :, :28], np.s_[20:], np.s_[:36], np.s_[:, 22:]])
def test_a_series_that_ends_inside_the_brain_is_refused(kept, padded):
    """Along any axis, whether the rest is left out or filled with zeros."""
    dwi, gradients = series()
    part = dwi.slicer[kept]
    if padded:
        values = np.zeros(dwi.shape, np.float32)
        values[kept] = np.asarray(part.dataobj)
        part = make_image(values, dwi)
    with pytest.raises(InputError, match=r"outermost slice holds [6-9]\d% of the brain's .*a slab needs a T1w image"):
        make_stand_in(part, gradients, max_b=1200)


def test_a_whole_brain_in_padding_is_accepted():
    dwi, gradients = series()
    wide = [(4, 3), (0, 5), (6, 2), (0, 0)]
    affine = nb.affines.from_matvec(np.diag(SIZES), nb.affines.apply_affine(dwi.affine, [-4, 0, -6]))
    padded = nb.Nifti1Image(np.pad(np.asarray(dwi.dataobj), wide), affine)
    assert np.asarray(make_stand_in(padded, gradients, max_b=1200).mask.dataobj).any()


def test_tissue_is_told_from_fluid_at_any_b_value():
    """High b-values lower what is measured, fluid's most."""
    white, grey, fluid = parts(world_coordinates(grid()))
    for tissue_md, fluid_md in ((0.8, 3.0), (0.55, 1.6)):
        md = make_image(((white | grey) * tissue_md + fluid * fluid_md).astype(np.float32), grid())
        share = tissue_share(md).get_fdata()
        assert (share[white | grey] == 1).all() and (share[fluid] < 0.05).all()
        assert not share[~(white | grey | fluid)].any()
