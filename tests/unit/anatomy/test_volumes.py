"""Volumes of a made-up brain whose truth is known."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.volumes import measure_volumes
from mndmri.grids import make_image, voxel_volume_ml, world_coordinates

AFFINE = np.array([[2.0, 0, 0, -20], [0, 2.5, 0, -20], [0, 0, 3.0, -15], [0, 0, 0, 1]])
SHAPE = (21, 17, 11)


@pytest.fixture
def grid() -> nb.Nifti1Image:
    return nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE)


@pytest.fixture
def atlas(grid):
    """Two gyri on each side; the left ones have x < 0."""
    x, y = world_coordinates(grid)[..., 0], world_coordinates(grid)[..., 1]
    maps = {}
    for hemi, side in (("L", x < 0), ("R", x > 0)):
        maps["precentral", hemi] = side * np.where(y > 0, 0.8, 0.3)
        maps["postcentral", hemi] = side * np.where(y > 0, 0.1, 0.6)
        maps["paracentral", hemi] = side * (np.abs(x) < 6) * 0.9
    table = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(maps)], columns=["index", "region", "hemi"])
    return make_image(np.stack(list(maps.values()), axis=-1).astype(np.float32), grid), table


def volumes(tissue, atlas, regions=("precentral", "postcentral", "paracentral"), **options):
    return measure_volumes(tissue, *atlas, regions, **options).set_index(["region", "hemi"])


def tissue_of(grid, gm) -> dict:
    other = (1 - gm) / 2
    return {"GM": make_image(gm, grid), "WM": make_image(other, grid), "CSF": make_image(other, grid)}


def test_volumes_add_up_to_the_brain(grid, atlas):
    gm = np.full(SHAPE, 0.6, np.float32)
    found = volumes(tissue_of(grid, gm), atlas)["value"]
    assert found["tiv", "both"] == pytest.approx(np.prod(SHAPE) * voxel_volume_ml(grid))
    assert found["gm", "both"] == pytest.approx(0.6 * found["tiv", "both"], rel=1e-5)


def test_a_gyrus_is_where_it_is_the_likeliest(grid, atlas):
    found = volumes(tissue_of(grid, np.ones(SHAPE, np.float32)), atlas)["value"]
    xyz = world_coordinates(grid)
    for region, front in (("precentral", True), ("postcentral", False)):
        own = (xyz[..., 0] < 0) & ((xyz[..., 1] > 0) == front)
        assert found[region, "L"] == pytest.approx(own.sum() * voxel_volume_ml(grid), rel=1e-5)


def test_loss_on_the_left_is_found_on_the_left(grid, atlas):
    gm = np.ones(SHAPE, np.float32)
    x, y = world_coordinates(grid)[..., 0], world_coordinates(grid)[..., 1]
    gm[(x < 0) & (y > 0)] = 0.7
    found = volumes(tissue_of(grid, gm), atlas)["value"]
    assert found["precentral", "L"] == pytest.approx(0.7 * found["precentral", "R"], rel=0.01)
    assert found["postcentral", "L"] == pytest.approx(found["postcentral", "R"], rel=0.01)


def test_an_empty_region_is_a_row_with_a_missing_value(grid, atlas):
    found = volumes(tissue_of(grid, np.zeros(SHAPE, np.float32)), atlas)
    lost = found.loc[("precentral", "L")]
    assert np.isnan(lost["value"])
    assert lost["n_voxels"] == 0
    assert "no grey matter" in lost["status"]


def test_what_cannot_be_measured_is_missing_with_its_reason_and_nothing_else_is(grid, atlas):
    tissue = tissue_of(grid, np.full(SHAPE, 0.6, np.float32))
    whole = volumes(tissue, atlas)
    reasons = {("tiv", "both"): "the image ends inside the brain", ("precentral", "R"): "cut off"}
    found = volumes(tissue, atlas, reasons=reasons)
    for place, why in reasons.items():
        assert np.isnan(found.loc[place, "value"])
        assert found.loc[place, "status"] == why
        assert found.loc[place, "n_voxels"] == whole.loc[place, "n_voxels"]
    rest = whole.index.difference(list(reasons))
    pd.testing.assert_frame_equal(found.loc[rest], whole.loc[rest])
