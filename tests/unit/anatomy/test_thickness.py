"""Thickness of made-up gyri: the banks of a straight sulcus."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.thickness import measure_thickness
from mndmri.grids import make_image, resampled_grid, world_coordinates
from tests.unit.egg import rigid

SHAPE = (40, 34, 18)
AFFINE = np.array([[1.0, 0, 0, -19.5], [0, 1.0, 0, -16.3], [0, 0, 1.0, 40], [0, 0, 0, 1]])
# mm, of the bank in front of the sulcus and of that behind it
TRUTH = {("precentral", "L"): 2.5, ("precentral", "R"): 3.2, ("postcentral", "L"): 2.0, ("postcentral", "R"): 2.0}
FLUID_MM = {"L": 1.0, "R": 1.0}
COLUMNS = ["index", "region", "hemi", "coverage"]
SUB = 4  # points along each voxel's edge


def banks(truth=TRUTH, *, voxel: float = 1.0, affine=AFFINE, fluid=FLUID_MM):
    """Grey and white matter of a slanting sulcus, in front of and behind it, and the gyri's atlas.

    It slants so that its borders cross voxels everywhere, as a gyrus's do: where both banks follow the grid, which of
    two voxels holds more of the fluid shifts 0.4 mm from one bank to the other.
    """
    shape = tuple(int(n / voxel) for n in SHAPE)
    scale = np.diag([voxel] * 3 + [1])
    parts = resampled_grid(nb.Nifti1Image(np.zeros(shape, np.float32), AFFINE @ scale), voxel / SUB)
    x, y, z = np.moveaxis(world_coordinates(parts), -1, 0)
    ahead = (0.25 * np.abs(x) + y + 0.35 * (z - 49) - 2) / np.hypot(np.hypot(0.25, 1), 0.35)
    front, away = ahead > 0, np.abs(ahead) - np.where(x < 0, fluid["L"], fluid["R"]) / 2
    gm, maps = np.zeros(parts.shape, bool), {}
    for (region, hemi), thickness in truth.items():
        side = (x < 0 if hemi == "L" else x > 0) & (front == (region == "precentral"))
        gm |= side & (away > 0) & (away < thickness)
        maps[region, hemi] = 0.8 * (side & (np.abs(x) > 5) & (np.abs(x) < 16) & (away < 8.5))

    def average(fine: np.ndarray) -> np.ndarray:
        blocks = fine.reshape([n for size in shape for n in (size, SUB)])
        return blocks.mean(axis=(1, 3, 5)).astype(np.float32)

    grid = nb.Nifti1Image(np.zeros(shape, np.float32), affine @ scale)
    wm = ~gm & (away > 0)
    table = pd.DataFrame([(n, r, h, 1.0) for n, (r, h) in enumerate(maps)], columns=COLUMNS)
    atlas = make_image(np.stack([average(m) for m in maps.values()], axis=-1), grid)
    return make_image(average(gm), grid), make_image(average(wm), grid), atlas, table


def measured(*given, **options) -> pd.DataFrame:
    return measure_thickness(*given, **options).set_index(["region", "hemi"])


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return measured(*banks())


def test_each_bank_has_its_thickness_on_its_side(found):
    for bank, thickness in TRUTH.items():
        assert found.loc[bank, "value"] == pytest.approx(thickness, abs=0.1), bank
    assert (found["unit"] == "mm").all()


def test_swapped_sides_swap_the_answer_and_an_oblique_affine_changes_nothing(found):
    other = {"L": "R", "R": "L"}
    turned = rigid() @ AFFINE
    swapped = measured(*banks({(r, other[h]): t for (r, h), t in TRUTH.items()}, affine=turned))
    for region, hemi in TRUTH:
        assert swapped.loc[(region, other[hemi]), "value"] == pytest.approx(
            found.loc[(region, hemi), "value"], abs=0.05
        )


def test_coarse_voxels_are_not_measured():
    coarse = measured(*banks(voxel=2.0))
    assert coarse["value"].isna().all()
    assert coarse["status"].str.contains("voxels of 2 mm do not resolve the cortex; at most 1.2 mm needed").all()


def test_a_gyrus_without_grey_matter_is_a_row_with_a_missing_value():
    gm, wm, atlas, table = banks()
    x = world_coordinates(gm)[..., 0]
    gm = make_image(np.where(x < 0, 0, gm.get_fdata()).astype(np.float32), gm)
    found = measured(gm, wm, atlas, table)
    assert np.isnan(found.loc[("precentral", "L"), "value"])
    assert found.loc[("precentral", "L"), "status"].endswith("voxels of cortex, at least 50 are needed")
    assert np.isfinite(found.loc[("precentral", "R"), "value"])


def test_a_gyrus_whose_cortex_has_no_white_matter_is_a_row_with_the_reason():
    gm, wm, atlas, table = banks()
    x = world_coordinates(gm)[..., 0]
    wm = make_image(np.where(x < 3, 0, wm.get_fdata()).astype(np.float32), wm)
    found = measured(gm, wm, atlas, table)
    for region in ("precentral", "postcentral"):
        assert np.isnan(found.loc[(region, "L"), "value"])
        assert found.loc[(region, "L"), "status"] == "no white matter borders its cortex"
        assert np.isfinite(found.loc[(region, "R"), "value"])


def test_a_gyrus_that_the_image_does_not_show_whole_has_no_thickness(found):
    gm, wm, atlas, table = banks()
    cut = (table["region"] == "precentral") & (table["hemi"] == "R")
    table = table.assign(coverage=table["coverage"].mask(cut, 0.6))
    lacking = measured(gm, wm, atlas, table)
    assert np.isnan(lacking.loc[("precentral", "R"), "value"])
    assert lacking.loc[("precentral", "R"), "status"] == "field of view covers 60% of the region"
    assert lacking["value"].drop(("precentral", "R")).equals(found["value"].drop(("precentral", "R")))
