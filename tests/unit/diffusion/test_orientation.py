"""Gradient tables against images whose fibres are known."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.orientations import io_orientation, ornt_transform
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients, read_gradients, select_shell, to_fsl
from mndmri.diffusion.orientation import (
    COHERENT,
    candidates,
    check_orientation,
    check_table_by_images,
    describe,
    suggest,
)
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import InputError
from mndmri.phantom.dwi import gradient_directions

SHAPE = (32, 28, 24)
TILT = Rotation.from_euler("xyz", [12, -7, 9], degrees=True).as_matrix()
# both handednesses, and axes that are stored in another order
STORED = {
    "RAS": np.diag([2.0, 2.5, 3.0]),
    "LAS": np.diag([-2.0, 2.5, 3.0]),
    "PSR": np.array([[0, 0, 2.0], [-2.5, 0, 0], [0, 3.0, 0]]),
}


def grid(storage="RAS"):
    affine = np.eye(4)
    affine[:3, :3] = TILT @ STORED[storage]
    shape = SHAPE if storage != "PSR" else (SHAPE[1], SHAPE[2], SHAPE[0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def bundles(image, noise=0.0):
    """FA and main direction of straight bundles that cross a head in all directions, on the canonical grid."""
    image = to_canonical(image)
    xyz = world_coordinates(image)
    rng = np.random.default_rng(4)
    fa, v1 = np.full(image.shape, 0.1), np.zeros((*image.shape, 3))
    v1[..., 0] = 1
    for _ in range(40):
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        away = xyz - rng.uniform(-25, 25, 3)
        distance = np.linalg.norm(away - (away @ direction)[..., None] * direction, axis=-1)
        own = 0.8 * np.exp(-0.5 * (distance / 4) ** 2)
        v1[own > fa] = direction
        fa = np.maximum(fa, own)
    v1 = v1 + noise * rng.standard_normal(v1.shape)
    v1 /= np.linalg.norm(v1, axis=-1, keepdims=True)
    return make_image(fa.astype(np.float32), image), make_image(v1.astype(np.float32), image)


def seen_with(v1, order, affine):
    """Main directions of a tensor fitted with a bvec file whose axes are wrong in that way; and how."""
    axes = to_fsl(np.eye(3), affine)
    matrix = axes.T @ dict(candidates())[order] @ axes
    return make_image((np.asarray(v1.dataobj) @ matrix.T).astype(np.float32), v1), matrix


def test_the_candidates_are_24_and_no_two_are_the_same_to_a_tensor():
    matrices = [matrix for _, matrix in candidates()]
    assert candidates()[0][0] == "x y z"
    np.testing.assert_array_equal(matrices[0], np.eye(3))
    for n, first in enumerate(matrices):
        np.testing.assert_array_equal(first @ first.T, np.eye(3))
        for second in matrices[n + 1 :]:
            assert not np.array_equal(first, second)
            assert not np.array_equal(first, -second)
    assert len(matrices) == 24


def test_the_name_of_a_candidate_says_what_stands_where():
    np.testing.assert_array_equal(dict(candidates())["z -x y"] @ [1, 2, 3], [3, -1, 2])


@pytest.mark.parametrize("storage", STORED)
def test_a_right_table_passes(storage):
    fa, v1 = bundles(grid(storage), noise=0.1)
    check = check_orientation(fa, v1, grid(storage).affine)
    assert not check.clearly_wrong
    assert check.best["order"] == "x y z"
    assert "fits the images" in describe(check)


@pytest.mark.parametrize("storage", STORED)
@pytest.mark.parametrize("order", [name for name, _ in candidates()[1:]])
def test_a_wrong_table_is_recognised_and_put_right(storage, order):
    fa, v1 = bundles(grid(storage), noise=0.1)
    wrong, matrix = seen_with(v1, order, grid(storage).affine)
    check = check_orientation(fa, wrong, grid(storage).affine)
    assert check.clearly_wrong
    assert len(check.ranking) == 24
    assert check.best["order"] in describe(check)
    directions = np.random.default_rng(0).standard_normal((5, 3))
    table = suggest(Gradients(np.full(5, 1000.0), directions @ matrix.T), check)
    assert np.allclose(table.bvecs, directions) or np.allclose(table.bvecs, -directions)


def test_directions_that_have_nothing_to_do_with_the_images_are_not_called_wrong():
    fa, v1 = bundles(grid(), noise=100.0)
    check = check_orientation(fa, v1, grid().affine)
    assert check.best["coherence"] < COHERENT
    assert not check.clearly_wrong
    assert "cannot be verified" in describe(check)


def test_landmarks_tell_a_permuted_table_where_coherence_does_not():
    image = grid()
    xyz = world_coordinates(image)
    rng = np.random.default_rng(0)
    callosum, capsule = xyz[..., 2] > 0, xyz[..., 2] < 0
    direction = np.where(callosum[..., None], [1.0, 0, 0], [0, 0, 1.0])
    fa = rng.uniform(0.35, 0.9, image.shape).astype(np.float32)  # noise alone: no table is coherent
    table = pd.DataFrame(
        [(0, "cc_midbody", "both"), (1, "cst_plic", "L"), (2, "cst_plic", "R")], columns=["index", "region", "hemi"]
    )
    left = xyz[..., 0] < 0
    weights = make_image(np.stack([callosum, capsule & left, capsule & ~left], axis=-1).astype(np.float32), image)
    v1 = make_image(direction.astype(np.float32), image)
    right = check_orientation(make_image(fa, image), v1, image.affine, weights=weights, table=table)
    assert not right.clearly_wrong
    assert right.given["callosum_across"] == pytest.approx(1)
    assert right.given["capsule_upright"] == pytest.approx(1)
    turned = make_image(direction[..., [2, 1, 0]].astype(np.float32), image)
    wrong = check_orientation(make_image(fa, image), turned, image.affine, weights=weights, table=table)
    assert wrong.clearly_wrong
    assert wrong.best["callosum_across"] > 0.9


def test_too_little_white_matter_is_refused():
    fa, v1 = bundles(grid())
    with pytest.raises(InputError, match="have FA above"):
        check_orientation(make_image(0.3 * np.asarray(fa.dataobj), fa), v1, grid().affine)


@pytest.mark.parametrize("storage", STORED)
def test_a_series_is_checked_in_the_axes_in_which_it_was_stored(storage):
    fa, v1 = bundles(grid(storage))
    directions = np.vstack([np.zeros(3), gradient_directions(20)])
    along = np.einsum("...a,na->...n", v1.get_fdata(), directions) ** 2
    diffusivity = 0.8e-3 + 1.2e-3 * fa.get_fdata()[..., None] * (along - 1 / 3)
    bvals = np.r_[0, np.full(20, 1000.0)]
    series = make_image((1000 * np.exp(-bvals * diffusivity)).astype(np.float32), fa)
    stored = series.as_reoriented(ornt_transform(io_orientation(series.affine), io_orientation(grid(storage).affine)))
    head = make_image(np.ones(fa.shape, np.uint8), fa)
    right = Gradients(bvals, directions)
    assert not check_table_by_images(stored, right, head, max_b=1200).clearly_wrong
    file = to_fsl(directions, stored.affine)
    wrong = read_gradients(bvals, file[[1, 0, 2]], stored.affine)
    check = check_table_by_images(stored, wrong, head, max_b=1200)
    assert check.clearly_wrong
    repaired = to_fsl(suggest(wrong, check).bvecs, stored.affine)
    np.testing.assert_allclose(np.abs(np.sum(repaired * file, axis=0))[1:], 1, atol=1e-6)


@pytest.mark.real
@pytest.mark.parametrize("scan", ["sub-philips01_dwi", "sub-iu01_dir-AP_dwi", "sub-uih02_dir-AP_dwi"])
def test_the_tables_of_real_people_pass_and_all_wrong_ones_are_recognised(real_data, scan):
    stem = real_data / "real" / scan.split("_")[0] / "dwi" / scan
    stored = nb.load(f"{stem}.nii.gz")
    given = [Path(f"{stem}.{kind}").read_text() for kind in ("bval", "bvec")]
    gradients = read_gradients(*given, stored.affine)
    volumes, _ = select_shell(gradients)
    dwi = to_canonical(stored)
    data = np.asarray(dwi.dataobj)[..., volumes]
    b0 = data[..., gradients.take(volumes).is_b0].mean(axis=-1)
    mask = make_image(b0 > 0.4 * np.percentile(b0, 90), dwi)
    maps, v1, _ = fit_tensor(make_image(data, dwi), gradients.take(volumes), mask)
    check = check_orientation(maps["fa"], v1, stored.affine)
    assert not check.clearly_wrong
    assert check.best["order"] == "x y z"
    for order, _ in candidates()[1:]:
        wrong, matrix = seen_with(v1, order, stored.affine)
        found = check_orientation(maps["fa"], wrong, stored.affine)
        assert found.clearly_wrong, order
        np.testing.assert_allclose(np.abs(found.matrix @ matrix), np.eye(3), atol=1e-6)
