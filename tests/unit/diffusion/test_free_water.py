"""Free water against fractions that were put in."""

import nibabel as nb
import numpy as np
import pytest
from dipy.core.gradients import gradient_table
from dipy.reconst.fwdti import FreeWaterTensorModel
from scipy.spatial.transform import Rotation

from mndmri.diffusion import free_water
from mndmri.diffusion.free_water import fit_free_water
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.shells import has_two_shells
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError
from tests.unit.diffusion import mrtrix

SHAPE = (7, 8, 9)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])
FA, MD = 0.7, 0.75


def gradients(shells=(1000, 2000), n=30, n_b0=4, seed=1):
    vectors = np.random.default_rng(seed).normal(size=(n * len(shells), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bvals = np.r_[np.zeros(n_b0), np.repeat(shells, n)].astype(float)
    return Gradients(bvals, np.vstack([np.zeros((n_b0, 3)), vectors]))


def series(table, fraction, *, snr=None, fa=FA, affine=AFFINE, seed=2):
    """Free water of a given fraction (a number or a map) beside tissue that lies in all directions."""
    rng = np.random.default_rng(seed)
    fraction = np.broadcast_to(fraction, SHAPE)[..., None]
    axis = rng.normal(size=(*SHAPE, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    spread = fa / np.sqrt(3 - 2 * fa**2)
    across, along = 1e-3 * MD * (1 - spread), 1e-3 * MD * (1 + 2 * spread)
    tissue = np.exp(-table.bvals * (across + (along - across) * (axis @ table.bvecs.T) ** 2))
    signal = 900 * (fraction * np.exp(-3e-3 * table.bvals) + (1 - fraction) * tissue)
    if snr is not None:
        signal = np.abs(signal + rng.normal(0, 900 / snr, signal.shape))
    return nb.Nifti1Image(signal.astype(np.float32), affine)


def whole(image):
    return make_image(np.ones(image.shape[:3], np.uint8), image)


def arrays(maps):
    return [image.get_fdata() for image in maps]


@pytest.mark.parametrize("shells", [(500, 1500), (1000, 2000), (700, 1400, 2100)])
def test_known_fraction_and_tissue_are_found(shells):
    table = gradients(shells)
    fraction = np.linspace(0, 0.9, SHAPE[0])[:, None, None] * np.ones(SHAPE)
    image = series(table, fraction)
    found, fa, md = arrays(fit_free_water(image, table, whole(image)))
    np.testing.assert_allclose(found, fraction, atol=2e-3)
    np.testing.assert_allclose(fa, FA, atol=0.01)
    np.testing.assert_allclose(md, MD, atol=0.01)


@pytest.mark.parametrize("fa", [0.3, 0.7])
def test_noise_leaves_fraction_and_tissue_where_they_are(fa):
    table = gradients()
    image = series(table, 0.4, snr=40, fa=fa)
    found, tissue_fa, md = arrays(fit_free_water(image, table, whole(image)))
    assert np.median(found) == pytest.approx(0.4, abs=0.01)
    assert np.median(tissue_fa) == pytest.approx(fa, abs=0.02)
    assert np.median(md) == pytest.approx(MD, abs=0.02)


def test_left_keeps_its_fraction_in_an_image_stored_from_right_to_left():
    table = gradients()
    stored_affine = AFFINE @ np.diag([-1, 1, 1, 1])
    x = nb.affines.apply_affine(stored_affine, np.moveaxis(np.indices(SHAPE), 0, -1))[..., 0]
    image = to_canonical(series(table, np.where(x < -8, 0.6, 0.1), affine=stored_affine))
    found = fit_free_water(image, table, whole(image)).fraction
    x = nb.affines.apply_affine(found.affine, np.moveaxis(np.indices(SHAPE), 0, -1))[..., 0]
    np.testing.assert_allclose(found.get_fdata(), np.where(x < -8, 0.6, 0.1), atol=2e-3)


def test_result_is_that_of_dipy():
    table = gradients()
    fraction = np.random.default_rng(3).uniform(0, 0.8, SHAPE)
    image = series(table, fraction, snr=30)
    found, fa, _ = (values[:4].ravel() for values in arrays(fit_free_water(image, table, whole(image))))
    model = FreeWaterTensorModel(gradient_table(table.bvals, bvecs=table.bvecs), fit_method="NLS")
    theirs = model.fit(image.get_fdata()[:4].reshape(-1, len(table.bvals)))
    assert np.median(np.abs(found - theirs.f)) < 1e-3
    assert np.corrcoef(found, theirs.f)[0, 1] > 0.99
    assert np.median(np.abs(fa - theirs.fa)) < 2e-3


def test_chunks_do_not_show(monkeypatch):
    table = gradients()
    image = series(table, 0.3, snr=30)
    once = fit_free_water(image, table, whole(image)).fraction.get_fdata()
    monkeypatch.setattr(free_water, "VOXELS_AT_ONCE", 13)
    np.testing.assert_allclose(once, fit_free_water(image, table, whole(image)).fraction.get_fdata(), atol=1e-4)


def test_pure_water_has_no_tissue():
    table = gradients()
    image = series(table, 1.0, snr=100)
    found, fa, md = arrays(fit_free_water(image, table, whole(image)))
    assert (found == 1).all()
    assert fa.max() == md.max() == 0


def test_holes_and_noise_alone_give_finite_maps():
    table = gradients()
    data = series(table, 0.3, snr=30).get_fdata()
    data[0, 0, 0, 7] = 0
    data[1, 1, 1, 0] = 0  # no signal at b = 0
    data[2, 2, 2, 4] = np.nan
    data[3, ..., 4:] = 0
    data[4:] = np.random.default_rng(3).uniform(1, 1500, data[4:].shape)
    image = nb.Nifti1Image(data.astype(np.float32), AFFINE)
    maps = arrays(fit_free_water(image, table, whole(image)))
    assert all(np.isfinite(values).all() for values in maps)
    assert 0 <= maps[0].min() <= maps[0].max() <= 1
    assert 0 <= maps[1].min() <= maps[1].max() <= 1
    assert maps[0][1, 1, 1] == maps[2][1, 1, 1] == maps[2][2, 2, 2] == 0


def test_volumes_of_high_b_are_left_out():
    low, table = gradients(), gradients((1000, 2000, 3000))
    image = series(table, 0.3)
    data = image.get_fdata()
    data[..., table.bvals > 2500] = 500
    same = Gradients(table.bvals[: len(low.bvals)], table.bvecs[: len(low.bvals)])
    expected = fit_free_water(make_image(data[..., : len(low.bvals)], image), same, whole(image))
    found = fit_free_water(make_image(data, image), table, whole(image))
    np.testing.assert_array_equal(found.fraction.get_fdata(), expected.fraction.get_fdata())


def test_two_shells_are_recognised_and_said():
    table = gradients((995, 2005))
    said = "free water from 2 shells, s/mm2 and volumes: b = 1000 (30), b = 2000 (30)"
    assert has_two_shells(table) == (True, said)
    higher = gradients((995, 2005, 3000))
    assert has_two_shells(higher) == (True, f"{said}; 30 volumes with higher b were excluded")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (gradients((1000,)), r"has b = 1000 \(30\)"),
        (gradients((1000, 3000)), r"b up to 2100 s/mm2; the series has b = 1000 \(30\)"),
        (gradients((1000, 2000), n=5), r"6 different directions each.*has b = 1000 \(5\), b = 2000 \(5\)"),
        (gradients(n_b0=0), "has no b = 0 volume"),
        (gradients((3000,)), "has none"),
    ],
)
def test_series_without_two_shells_is_refused_with_the_reason(table, message):
    image = series(table, 0.3)
    with pytest.raises(InputError, match=message):
        fit_free_water(image, table, whole(image))


@pytest.mark.real
@pytest.mark.parametrize("who", mrtrix.SERIES)
def test_real_series_of_one_shell_say_so(real_data, who):
    _, table, _ = mrtrix.real_series(real_data, who)
    possible, why = has_two_shells(table)
    assert not possible
    assert "they need two shells" in why
