"""The image that takes the place of a T1w image, of made-up gradient echoes whose tissue is known."""

import numpy as np
import pytest
from scipy import ndimage

from mndmri.anatomy import stand_in
from mndmri.anatomy.stand_in import average_echoes, imitate_t1w
from mndmri.anatomy.tissue import brain_tissue
from mndmri.atlas.regions import load_template
from mndmri.grids import make_image, resampled_grid, world_coordinates
from mndmri.io import InputError
from mndmri.registration.transforms import resample

# Brightness of grey matter, white matter and fluid
T2STAR, PROTON = (143.0, 122.0, 215.0), (345.0, 378.0, 256.0)


@pytest.fixture(scope="module")
def template():
    whole = load_template()
    brain = resample(whole, resampled_grid(whole, 4.0))
    brain = make_image(np.where(brain.get_fdata() > 0.2 * brain.get_fdata().max(), brain.get_fdata(), 0), brain)
    return brain, brain_tissue(brain)


@pytest.fixture(scope="module")
def mask(template):
    return make_image(template[0].get_fdata() > 0, template[0])


@pytest.fixture(scope="module", params=[T2STAR, PROTON], ids=["T2*", "proton density"])
def made(request, template, mask):
    """What is made of a scan with a cyst on the left and dark veins in the fluid; and where these are."""
    away = world_coordinates(template[0]) - (-30, -20, 30)
    cyst = np.linalg.norm(away, axis=-1) < 9
    fluid = template[1].get_fdata()[..., 2] > 0.8
    veins = fluid & (np.random.default_rng(1).random(fluid.shape) < 0.1)
    with pytest.MonkeyPatch.context() as patch:
        know_brain(patch, mask)
        return imitate_t1w(gradient_echo(template, request.param, veins=veins, cyst=cyst), *template), cyst, veins


def know_brain(patch, mask):
    """The network that finds a brain knows real heads."""
    patch.setattr(stand_in, "find_brain", lambda head: (mask, None))


def gradient_echo(template, levels, *, veins=None, cyst=None):
    """A scan of the template's tissue in noise, under a coil's shading; dark veins, and a cyst of fluid."""
    brain, tissue = template
    share = tissue.get_fdata()
    if cyst is not None:
        share[cyst] = 0, 0, 1
    signal = share @ np.array(levels)
    if veins is not None:
        signal[veins] = 0.15 * levels[1]
    light = np.exp(world_coordinates(brain)[..., 1] / 300)
    noisy = signal * light + np.random.default_rng(0).normal(0, 0.03 * levels[1], signal.shape)
    return make_image(np.abs(noisy).astype(np.float32), brain)


def medians(image, tissue):
    return [float(np.median(image.get_fdata()[share > 0.9])) for share in np.moveaxis(tissue.get_fdata(), -1, 0)]


def test_tissues_have_the_order_of_a_t1w_image_whatever_theirs_was(made, template):
    grey, white, fluid = medians(made[0].t1w, template[1])
    assert fluid < grey - 0.15 < white - 0.15
    assert white == pytest.approx(1, abs=0.1)


def test_the_brain_is_what_is_shown(made, mask):
    done, inside = made[0], np.asarray(mask.dataobj) > 0
    np.testing.assert_array_equal(np.asarray(done.mask.dataobj) > 0, inside)
    np.testing.assert_array_equal(done.t1w.get_fdata() > 0, inside)
    [(_, quality)] = done.quality.iterrows()
    assert (quality["modality"], quality["measure"], quality["value"]) == ("swi", "without_t1w", 1)


def test_what_is_on_the_left_stays_there(made, template):
    done, cyst, _ = made
    across = cyst[::-1]  # the template's grid is nearly symmetrical about the middle
    assert np.average(world_coordinates(template[0])[..., 0][across]) > 25
    values = done.t1w.get_fdata()
    assert np.median(values[cyst]) < np.median(values[across]) - 0.15


def test_veins_in_fluid_are_not_taken_for_white_matter(made, template):
    """Inverted, what is darkest would be brightest of all."""
    done, _, veins = made
    grey, _, _ = medians(done.t1w, template[1])
    values = done.t1w.get_fdata()
    assert np.percentile(values[veins], 90) < grey
    assert values.max() < 1.5


@pytest.mark.parametrize("levels", [(200.0, 130.0, 60.0), (200.0, 110.0, 150.0), (40.0, 150.0, 110.0)])
def test_a_scan_in_which_grey_matter_is_brightest_or_darkest_is_refused(template, mask, monkeypatch, levels):
    know_brain(monkeypatch, mask)
    with pytest.raises(InputError, match=r"grey matter is not between fluid and white matter .*; add a T1w image"):
        imitate_t1w(gradient_echo(template, levels), *template)


def test_a_scan_without_fluid_in_view_is_refused(template, mask, monkeypatch):
    know_brain(monkeypatch, mask)
    brain, tissue = template
    dry = make_image(tissue.get_fdata(dtype=np.float32) * [1, 1, 0], tissue)
    with pytest.raises(InputError, match="the gradient echo shows no CSF where the template has it"):
        imitate_t1w(gradient_echo(template, T2STAR), brain, dry)


def test_echoes_are_averaged_on_one_grid(template):
    first = gradient_echo(template, T2STAR)
    second = make_image(first.get_fdata() * 3, first)
    np.testing.assert_allclose(average_echoes([first, second]).get_fdata(), 2 * first.get_fdata(), rtol=1e-6)
    shifted = make_image(ndimage.shift(first.get_fdata(), 1)[1:], first)
    with pytest.raises(InputError):
        average_echoes([first, shifted])
