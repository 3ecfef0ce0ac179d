"""Gradient tables against images whose fibres are known."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients, read_gradients, select_shell, to_fsl
from mndmri.diffusion.orientation import (
    ANOTHER_FITS,
    FITS,
    MARGIN,
    UNDECIDED,
    candidates,
    check_orientation,
    describe,
    suggest,
    verdict_rows,
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
    assert check.verdict == FITS
    assert check.best["order"] == "x y z"
    assert "fits the images" in describe(check)


@pytest.mark.parametrize("storage", STORED)
@pytest.mark.parametrize("order", [name for name, _ in candidates()[1:]])
def test_a_wrong_table_is_recognised_and_put_right(storage, order):
    fa, v1 = bundles(grid(storage), noise=0.1)
    wrong, matrix = seen_with(v1, order, grid(storage).affine)
    check = check_orientation(fa, wrong, grid(storage).affine)
    assert check.verdict == ANOTHER_FITS
    assert len(check.ranking) == 24
    assert check.best["order"] in describe(check)
    directions = np.random.default_rng(0).standard_normal((5, 3))
    table = suggest(Gradients(np.full(5, 1000.0), directions @ matrix.T), check)
    assert np.allclose(table.bvecs, directions) or np.allclose(table.bvecs, -directions)


def test_directions_that_have_nothing_to_do_with_the_images_are_not_called_wrong():
    fa, v1 = bundles(grid(), noise=100.0)
    check = check_orientation(fa, v1, grid().affine)
    assert check.ranking["coherence"][0] - check.ranking["coherence"][1] < MARGIN
    assert check.verdict == UNDECIDED
    assert "cannot be verified" in describe(check)


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
    affine = grid(storage).affine
    head = make_image(np.ones(fa.shape, np.uint8), fa)

    def check(gradients):
        tensor = fit_tensor(series, gradients, head)
        return check_orientation(tensor.maps["fa"], tensor.v1, affine)

    assert check(Gradients(bvals, directions)).verdict == FITS
    file = to_fsl(directions, affine)
    wrong = read_gradients(bvals, file[[1, 0, 2]], affine)
    found = check(wrong)
    assert found.verdict == ANOTHER_FITS
    repaired = to_fsl(suggest(wrong, found).bvecs, affine)
    np.testing.assert_allclose(np.abs(np.sum(repaired * file, axis=0))[1:], 1, atol=1e-6)


def test_a_loose_mask_does_not_hide_that_the_table_fits():
    """Round the head is a rim of noise as large as the head, half of whose voxels have an FA above 0.3."""
    fa, v1 = bundles(grid(), noise=0.1)
    rim = 8
    shape = tuple(n + 2 * rim for n in fa.shape)
    rng = np.random.default_rng(7)
    wide_fa = rng.uniform(0.1, 0.5, shape).astype(np.float32)
    wide_v1 = rng.standard_normal((*shape, 3)).astype(np.float32)
    wide_v1 /= np.linalg.norm(wide_v1, axis=-1, keepdims=True)
    head = tuple(slice(rim, rim + n) for n in fa.shape)
    wide_fa[head], wide_v1[head] = fa.get_fdata(), v1.get_fdata()
    wide = nb.Nifti1Image(wide_fa, fa.affine)
    assert (wide_fa[head].size / wide_fa.size) < 0.4
    assert check_orientation(wide, make_image(wide_v1, wide), grid().affine).verdict == FITS
    turned, _ = seen_with(make_image(wide_v1, wide), "y x z", grid().affine)
    assert check_orientation(wide, turned, grid().affine).verdict == ANOTHER_FITS


def test_the_verdict_is_a_row_of_the_quality_table():
    fa, v1 = bundles(grid(), noise=0.1)
    check = check_orientation(fa, v1, grid().affine)
    rows = verdict_rows(check)
    assert rows[["modality", "measure", "value", "status"]].values.tolist() == [["dwi", "gradient_verdict", 0, "ok"]]
    assert rows["n_voxels"][0] == check.n_voxels >= 500


REAL = {
    "real": ["philips01_dwi", "iu01_dir-AP_dwi", "iu01_dir-PA_dwi", "uih02_dir-AP_dwi", "uih02_dir-PA_dwi"],
    "real_repeats": ["crHFS_dwi", "crHFP_dwi", "crHFDL_dwi", "crHFDR_dwi"],
}


@pytest.mark.real
@pytest.mark.parametrize(("folder", "scan"), [(folder, scan) for folder, scans in REAL.items() for scan in scans])
@pytest.mark.parametrize("lowest_signal", [0.1, 0.4], ids=["loose mask", "brain"])
def test_the_tables_of_real_people_pass_and_all_wrong_ones_are_recognised(real_data, folder, scan, lowest_signal):
    """All 23 wrong ones for three people without a loose mask, four for the others, to save time.

    Of the 48 ways to reverse and exchange axes, two at a time (all three axes reversed) are the same to a tensor.
    """
    who = f"sub-{scan.split('_')[0]}"
    stem = real_data / folder / who / "dwi" / f"sub-{scan}"
    stored = nb.load(f"{stem}.nii.gz")
    given = [Path(f"{stem}.{kind}").read_text() for kind in ("bval", "bvec")]
    gradients = read_gradients(*given, stored.affine)
    volumes, _ = select_shell(gradients)
    dwi = to_canonical(stored)
    data = np.asarray(dwi.dataobj)[..., volumes]
    b0 = data[..., gradients.take(volumes).is_b0].mean(axis=-1)
    mask = make_image(b0 > lowest_signal * np.percentile(b0, 90), dwi)
    maps, v1, _ = fit_tensor(make_image(data, dwi), gradients.take(volumes), mask)
    check = check_orientation(maps["fa"], v1, stored.affine)
    assert check.verdict == FITS
    assert check.best["order"] == "x y z"
    every = scan in ("philips01_dwi", "iu01_dir-AP_dwi", "uih02_dir-AP_dwi") and lowest_signal == 0.4
    for order in [name for name, _ in candidates()[1:]] if every else ["-x y z", "x -y z", "x y -z", "y x z"]:
        wrong, matrix = seen_with(v1, order, stored.affine)
        found = check_orientation(maps["fa"], wrong, stored.affine)
        assert found.verdict == ANOTHER_FITS, order
        np.testing.assert_allclose(np.abs(found.matrix @ matrix), np.eye(3), atol=1e-6)
