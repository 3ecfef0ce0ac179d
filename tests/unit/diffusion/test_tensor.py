"""Tensor maps against tensors that were put in."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy.spatial.transform import Rotation

from mndmri.diffusion import tensor
from mndmri.diffusion.gradients import Gradients, read_gradients, to_fsl
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError

SHAPE = (7, 8, 9)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])
EVALS = np.array([1.7, 0.4, 0.3]) * 1e-3
MEAN = EVALS.mean()
FA = np.sqrt(1.5 * np.sum((EVALS - MEAN) ** 2) / np.sum(EVALS**2))
BVALS = np.r_[0.0, 0.0, np.full(15, 1000.0)]


def gradients():
    vectors = np.random.default_rng(1).normal(size=(15, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Gradients(BVALS, np.vstack([np.zeros((2, 3)), vectors]))


def phantom(axis=(0.6, 0.0, 0.8), s0=900.0, affine=AFFINE):
    """Series with one tensor everywhere, whose long axis is given in the world."""
    frame = Rotation.align_vectors([np.asarray(axis)], [[1, 0, 0]])[0].as_matrix()
    diffusion = frame @ np.diag(EVALS) @ frame.T
    table = gradients()
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
    files = BVALS, to_fsl(table.bvecs, stored.affine)
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
    once = fit_tensor(noisy, table, whole(dwi))
    monkeypatch.setattr(tensor, "VOXELS_AT_ONCE", 13)
    np.testing.assert_array_equal(
        once.maps["fa"].get_fdata(), fit_tensor(noisy, table, whole(dwi)).maps["fa"].get_fdata()
    )


def test_noise_and_holes_give_finite_maps_and_are_counted():
    dwi, table = phantom()
    data = dwi.get_fdata()
    data[0, 0, 0, 5] = 0  # a hole in one weighted volume
    data[1, 1, 1, 0] = 0  # no signal at b = 0
    data[2, 2, 2, 4] = np.nan
    data[3:, ..., 2:] = np.random.default_rng(3).uniform(400, 1500, (4, 8, 9, 15))  # brighter than b = 0
    fit = fit_tensor(make_image(data, dwi), table, whole(dwi))
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
