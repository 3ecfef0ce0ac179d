"""Width of made-up central sulci: straight and slanting, with a known gap of fluid on each side."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.sulcal_width import measure_width
from mndmri.grids import make_image
from tests.unit.anatomy.test_thickness import AFFINE, banks
from tests.unit.egg import rigid


def widths(*given, **options) -> list[float]:
    table = measure_width(*given, **options).measures
    assert table["hemi"].tolist() == ["L", "R"]
    assert set(table["region"]) == {"central_sulcus"} and set(table["unit"]) == {"mm"}
    return table["value"].tolist()


@pytest.mark.parametrize("voxel", [1.0, 2.0])
@pytest.mark.parametrize("fluid", [(0.5, 3.0), (1.0, 2.0), (4.0, 1.5)])
def test_each_side_has_its_width(fluid, voxel):
    found = widths(*banks(fluid=dict(zip("LR", fluid, strict=True)), voxel=voxel))
    assert found == pytest.approx(fluid, abs=0.1 if voxel == 1 else 0.2)


def test_a_sulcus_that_is_a_fifth_wider_is_found_to_be():
    before, after = (widths(*banks(fluid={"L": mm, "R": 2.0})) for mm in (2.0, 2.4))
    assert after[0] - before[0] == pytest.approx(0.4, abs=0.05)
    assert after[1] == pytest.approx(before[1], abs=0.03)


def test_swapped_sides_swap_the_answer_and_an_oblique_affine_changes_nothing():
    fluid = {"L": 1.0, "R": 3.0}
    straight = widths(*banks(fluid=fluid))
    assert widths(*banks(fluid=fluid, affine=rigid((9, -4, 12)) @ AFFINE)) == pytest.approx(straight, abs=0.01)
    gm, wm, atlas, table = banks(fluid=fluid)
    swapped = table.assign(hemi=table["hemi"].map({"L": "R", "R": "L"}))
    assert widths(gm, wm, atlas, swapped) == pytest.approx(straight[::-1], abs=0.01)


def test_an_atlas_that_is_two_millimetres_off_finds_the_same_width():
    gm, wm, atlas, table = banks()
    shifted = make_image(np.roll(np.asarray(atlas.dataobj), 2, axis=1), gm)
    assert widths(gm, wm, shifted, table) == pytest.approx(widths(gm, wm, atlas, table), abs=0.05)


def test_a_sulcus_of_one_gyrus_alone_is_not_the_central_one():
    gm, wm, atlas, table = banks(fluid={"L": 2.0, "R": 2.0})
    maps = np.array(atlas.dataobj)
    maps[..., 0] += maps[..., 2]  # the gyrus behind it is a precentral one too
    maps[..., 2] = 0
    found = measure_width(gm, wm, make_image(maps, gm), table).measures.set_index("hemi")
    assert np.isnan(found.loc["L", "value"]) and "0 voxels of the sulcus" in found.loc["L", "status"]
    assert found.loc["R", "value"] == pytest.approx(2.0, abs=0.1)


def test_coarse_voxels_and_a_gyrus_that_is_cut_have_no_width():
    gm, wm, atlas, table = banks(voxel=2.5)
    coarse = measure_width(gm, wm, atlas, table).measures
    assert coarse["value"].isna().all() and coarse["status"].str.contains("do not resolve the sulcus").all()
    gm, wm, atlas, table = banks()
    cut = table.assign(coverage=np.where((table["region"] == "postcentral") & (table["hemi"] == "R"), 0.9, 1.0))
    left, right = measure_width(gm, wm, atlas, cut).measures["status"]
    assert left == "ok" and right == "field of view covers 90% of the region"


def test_a_side_without_tissue_is_a_row_with_the_reason():
    gm, wm, atlas, table = banks()
    x = nb.affines.apply_affine(gm.affine, np.argwhere(np.ones(gm.shape)))[:, 0].reshape(gm.shape)
    gm, wm = (make_image(np.asarray(part.dataobj) * (x > 0), gm) for part in (gm, wm))
    left, right = measure_width(gm, wm, atlas, table).measures["value"]
    assert np.isnan(left) and right == pytest.approx(1.0, abs=0.1)


def test_the_middle_of_the_sulcus_lies_in_its_fluid():
    gm, wm, atlas, table = banks(fluid={"L": 3.0, "R": 3.0})
    middle = np.asarray(measure_width(gm, wm, atlas, table).middle.dataobj) > 0
    fluid = 1 - np.asarray(gm.dataobj) - np.asarray(wm.dataobj)
    assert middle.sum() > 200 and fluid[middle].min() > 0.5
