"""Tensor maps against tensors that were put in."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy.spatial.transform import Rotation

from mndmri.diffusion import tensor
from mndmri.diffusion.gradients import Gradients, design_matrix, read_gradients, to_fsl
from mndmri.diffusion.tensor import fit_tensor, fractional_anisotropy, solve_tensor
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError
from tests.unit.diffusion import mrtrix

SHAPE = (7, 8, 9)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])
EVALS = np.array([1.7, 0.4, 0.3]) * 1e-3
MEAN = EVALS.mean()
FA = np.sqrt(1.5 * np.sum((EVALS - MEAN) ** 2) / np.sum(EVALS**2))


def gradients(n=15):
    vectors = np.random.default_rng(1).normal(size=(n, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Gradients(np.r_[0.0, 0.0, np.full(n, 1000.0)], np.vstack([np.zeros((2, 3)), vectors]))


def phantom(axis=(0.6, 0.0, 0.8), s0=900.0, affine=AFFINE, n=15):
    """Series with one tensor everywhere, whose long axis is given in the world."""
    frame = Rotation.align_vectors([np.asarray(axis)], [[1, 0, 0]])[0].as_matrix()
    diffusion = frame @ np.diag(EVALS) @ frame.T
    table = gradients(n)
    signal = s0 * np.exp(-table.bvals * np.einsum("ni,ij,nj->n", table.bvecs, diffusion, table.bvecs))
    return nb.Nifti1Image(np.tile(signal.astype(np.float32), (*SHAPE, 1)), affine), table


def whole(image):
    return make_image(np.ones(image.shape[:3], np.uint8), image)


def test_known_tensor_is_found():
    dwi, table = phantom()
    fit = fit_tensor(dwi, table, whole(dwi))
    expected = {"fa": FA, "md": 1e3 * MEAN, "ad": 1.7, "rd": 0.35}
    for name, value in expected.items():
        np.testing.assert_allclose(fit.maps[name].get_fdata(), value, rtol=1e-4)
    np.testing.assert_allclose(np.abs(fit.v1.get_fdata() @ [0.6, 0.0, 0.8]), 1, atol=1e-5)
    assert fit.negative_fraction == 0


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR"])
def test_main_direction_in_the_world_does_not_depend_on_storage(codes):
    dwi, table = phantom()
    stored = dwi.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(codes)))
    files = table.bvals, to_fsl(table.bvecs, stored.affine)
    image, read = to_canonical(stored), read_gradients(*files, stored.affine)
    fit = fit_tensor(image, read, whole(image))
    np.testing.assert_allclose(np.abs(fit.v1.get_fdata() @ [0.6, 0.0, 0.8]), 1, atol=1e-5)


def test_left_half_keeps_its_values():
    dwi, table = phantom()
    x_left = nb.affines.apply_affine(AFFINE, np.moveaxis(np.indices(SHAPE), 0, -1))[..., 0] < 8
    data = np.where(x_left[..., None], dwi.get_fdata(), 500.0)
    fit = fit_tensor(make_image(data, dwi), table, whole(dwi))
    np.testing.assert_allclose(fit.maps["fa"].get_fdata()[x_left], FA, rtol=1e-4)
    np.testing.assert_allclose(fit.maps["fa"].get_fdata()[~x_left], 0, atol=1e-4)


def test_chunks_do_not_show(monkeypatch):
    dwi, table = phantom()
    noisy = make_image(dwi.get_fdata() + np.random.default_rng(0).normal(0, 20, dwi.shape), dwi)
    once = fit_tensor(noisy, table, whole(dwi)).maps["fa"].get_fdata()
    monkeypatch.setattr(tensor, "VOXELS_AT_ONCE", 13)
    # not to the last bit: BLAS adds up in another order when there are fewer rows
    np.testing.assert_allclose(once, fit_tensor(noisy, table, whole(dwi)).maps["fa"].get_fdata(), atol=1e-6)


def test_voxels_are_weighted_each_in_its_own_way():
    rng, design = np.random.default_rng(4), design_matrix(gradients())
    log, weights = rng.normal(6, 0.3, (5, 17)), rng.uniform(0.1, 1, (5, 17))
    found = solve_tensor(log, design, weights)
    for row, y, w in zip(found, log, weights, strict=True):
        expected = np.linalg.lstsq(np.sqrt(w)[:, None] * design, np.sqrt(w) * y, rcond=None)[0]
        np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_weights_that_determine_nothing_give_numbers():
    design, weights = design_matrix(gradients()), np.zeros((2, 17))
    weights[:, :5] = 1  # five volumes for seven unknowns
    assert np.isfinite(solve_tensor(np.ones((2, 17)), design, weights)).all()


def corrupted(dwi, *, factor, seed=5):
    """Series with noise, in which each voxel has three weighted volumes of another brightness; and the noise alone."""
    rng = np.random.default_rng(seed)
    noisy = dwi.get_fdata() + rng.normal(0, 15, dwi.shape)
    wrong = noisy.copy()
    volumes = 2 + np.argsort(rng.random((*SHAPE, dwi.shape[3] - 2)), axis=-1)[..., :3]
    np.put_along_axis(wrong, volumes, factor * np.take_along_axis(noisy, volumes, axis=-1), axis=-1)
    return make_image(wrong, dwi), make_image(noisy, dwi)


@pytest.mark.parametrize("factor", [0.4, 1.8])
def test_robust_fit_finds_fa_where_three_volumes_of_a_voxel_are_wrong(factor):
    dwi, table = phantom(n=30)
    wrong, noisy = corrupted(dwi, factor=factor)
    error = {}
    for name, image, method in (("clean", noisy, "wls"), ("wls", wrong, "wls"), ("robust", wrong, "robust")):
        found = fit_tensor(image, table, whole(dwi), method=method).maps["fa"].get_fdata() - FA
        error[name] = np.sqrt(np.mean(found**2))
    assert error["robust"] < 0.4 * error["wls"]
    assert error["robust"] < 2 * error["clean"]


def test_robust_fit_of_clean_data_loses_little_precision():
    dwi, table = phantom()
    _, noisy = corrupted(dwi, factor=1.0)
    spread = {
        method: np.std(fit_tensor(noisy, table, whole(dwi), method=method).maps["fa"].get_fdata())
        for method in ("wls", "robust")
    }
    assert spread["robust"] < 1.2 * spread["wls"]


def test_robust_fit_of_too_few_volumes_is_refused():
    dwi, table = phantom()
    few = make_image(dwi.get_fdata()[..., :13], dwi)
    with pytest.raises(InputError, match="13 volumes for the tensor, a robust fit needs at least 14"):
        fit_tensor(few, table.take(np.arange(13)), whole(dwi), method="robust")


def test_unknown_method_is_refused():
    dwi, table = phantom()
    with pytest.raises(InputError, match="'restore'; expected wls or robust"):
        fit_tensor(dwi, table, whole(dwi), method="restore")


def test_anisotropy_ends_at_one_and_is_zero_without_diffusion():
    values = np.array([[1.7, -0.2, -0.4], [0, 0, 0], [1, 0, 0], [0.7, 0.7, 0.7]])
    np.testing.assert_allclose(fractional_anisotropy(values), [1, 0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("method", ["wls", "robust"])
def test_noise_and_holes_give_finite_maps_and_are_counted(method):
    dwi, table = phantom()
    data = dwi.get_fdata()
    data[0, 0, 0, 5] = 0  # a hole in one weighted volume
    data[1, 1, 1, 0] = 0  # no signal at b = 0
    data[2, 2, 2, 4] = np.nan
    data[2, 2, 3, 2:] = 0
    data[3:, ..., 2:] = np.random.default_rng(3).uniform(400, 1500, (4, 8, 9, 15))  # brighter than b = 0
    fit = fit_tensor(make_image(data, dwi), table, whole(dwi), method=method)
    for image in (*fit.maps.values(), fit.v1):
        assert np.isfinite(image.get_fdata()).all()
    assert fit.maps["fa"].get_fdata().max() <= 1
    assert fit.maps["md"].get_fdata()[1, 1, 1] == fit.maps["md"].get_fdata()[2, 2, 2] == 0
    assert 0.3 < fit.negative_fraction <= 4 / 7 + 0.01


def test_table_of_another_series_is_refused():
    dwi, table = phantom()
    with pytest.raises(InputError, match="has 16 entries"):
        fit_tensor(dwi, table.take(np.arange(16)), whole(dwi))


def test_empty_mask_is_refused():
    dwi, table = phantom()
    with pytest.raises(InputError, match="no voxel of the brain mask"):
        fit_tensor(dwi, table, make_image(np.zeros(SHAPE, np.uint8), dwi))


@pytest.mark.real
@pytest.mark.parametrize("who", mrtrix.SERIES)
def test_fa_of_white_matter_is_that_of_mrtrix(real_data, tmp_path, who):
    dwi, table, mask = mrtrix.real_series(real_data, who)
    theirs, _ = mrtrix.dwi2tensor(tmp_path, dwi, table)
    fit = fit_tensor(dwi, table, mask)
    inside = (theirs["fa"] > 0.2) & (theirs["fa"] < 1) & (np.abs(1e3 * theirs["md"] - 0.7) < 0.4)
    white = inside & (np.asarray(mask.dataobj) > 0)
    fa = fit.maps["fa"].get_fdata()[white]
    difference = fa - theirs["fa"][white]
    agreement = np.corrcoef(fa, theirs["fa"][white])[0, 1]
    angle = np.degrees(np.arccos(np.minimum(np.abs(np.sum(fit.v1.get_fdata() * theirs["v1"], axis=-1)[white]), 1)))
    print(f"\n{who}: r = {agreement:.5f}, mean {difference.mean():+.6f}, absolute {np.abs(difference).mean():.6f}")
    assert agreement >= 0.999
    assert np.abs(difference).mean() <= 0.002
    assert np.median(angle) < 0.1
