"""Names of places: every label on the side that its name says, at known landmarks, on any grid."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.names import ATLASES, BuiltinRegions, load_regions, name_at, name_regions, name_share
from mndmri.grids import world_coordinates


@pytest.fixture(scope="module")
def grid():
    """3 mm over the brain."""
    affine = np.array([[3.0, 0, 0, -76.5], [0, 3.0, 0, -112], [0, 0, 3.0, -70], [0, 0, 0, 1]])
    return nb.Nifti1Image(np.zeros((52, 65, 53), np.uint8), affine)


@pytest.fixture(scope="module")
def regions_of(grid):
    """Regions of each atlas on the grid, which take two seconds to read."""
    return {atlas: load_regions(atlas, grid) for atlas in ATLASES}


@pytest.mark.parametrize("atlas", ATLASES)
def test_every_region_lies_on_the_side_of_its_name(regions_of, grid, atlas):
    regions = regions_of[atlas]
    labels, x = np.asarray(regions.labels.dataobj), world_coordinates(grid)[..., 0]
    sides = {"Left": 0, "Right": 0}
    for label, name in regions.names.items():
        side = name.split()[0]
        if side in sides and (labels == label).any():
            assert (x[labels == label].mean() < 0) == (side == "Left"), name
            sides[side] += 1
    assert min(sides.values()) > 40


def test_known_places_have_their_names_on_both_sides(regions_of, grid):
    cortex, tracts = (regions_of[atlas] for atlas in ATLASES)

    def at(regions, xyz):
        return name_at(regions, np.rint(nb.affines.apply_affine(np.linalg.inv(grid.affine), xyz)).astype(int))

    for sign, side in ((-1, "Left"), (1, "Right")):
        assert at(cortex, (sign * 38, -20, 58)) == f"{side} Precentral Gyrus"
        assert at(cortex, (sign * 37, 4, 0)) == f"{side} Insular Cortex"
        assert at(tracts, (sign * 24, -19, 20)) == f"{side} Corticospinal tract"
    assert at(cortex, (60, 70, 70)) == ""


def test_a_grid_stored_from_right_to_left_has_the_same_names_at_the_same_places(regions_of, grid):
    affine = grid.affine @ np.array([[-1, 0, 0, grid.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turned = load_regions("harvard_oxford", nb.Nifti1Image(np.zeros(grid.shape, np.uint8), affine))
    straight = regions_of["harvard_oxford"]
    np.testing.assert_array_equal(turned.labels.get_fdata()[::-1], straight.labels.get_fdata())


def test_shares_are_of_all_voxels_and_small_ones_are_not_named(regions_of):
    regions = regions_of["harvard_oxford"]
    labels = np.asarray(regions.labels.dataobj)
    precentral, postcentral, pole = (
        next(n for n, name in regions.names.items() if name == f"Left {wanted}")
        for wanted in ("Precentral Gyrus", "Postcentral Gyrus", "Frontal Pole")
    )
    inside = np.zeros(labels.shape, bool)
    for label, count in ((precentral, 60), (postcentral, 30), (pole, 3), (0, 7)):
        inside.flat[np.flatnonzero(labels == label)[:count]] = True
    assert name_share(regions, inside) == "Left Precentral Gyrus 60%; Left Postcentral Gyrus 30%"
    assert name_share(regions, np.zeros(labels.shape, bool)) == ""


def test_the_regions_of_a_study_s_own_atlas_are_named_left_on_the_left():
    grid = nb.Nifti1Image(np.zeros((9, 5, 5), np.uint8), nb.affines.from_matvec(np.diag([10, 10, 10]), [-40, -20, -20]))
    x = np.arange(-40, 50, 10)[:, None, None] + np.zeros((9, 5, 5))
    maps = {("precentral", "L"): (x <= -30) * 0.6, ("cst", "R"): (x >= 20) * 0.5, ("cst_plic", "R"): (x >= 20) * 0.5}
    maps["postcentral", "L"] = (x <= -10) * 0.3
    table = pd.DataFrame([(n, *key) for n, key in enumerate(maps)], columns=["index", "region", "hemi"])
    atlas = nb.Nifti1Image(np.stack(list(maps.values()), axis=-1).astype(np.float32), grid.affine)
    regions = name_regions(atlas, table, grid)
    found = [name_at(regions, np.array([n, 2, 2])) for n in range(9)]
    assert found == ["Left precentral"] * 2 + ["Left postcentral"] * 2 + [""] * 2 + ["Right cst plic"] * 3


def test_builtin_atlases_are_read_when_they_are_asked_for(grid, monkeypatch):
    asked = []
    monkeypatch.setattr("mndmri.atlas.names.load_regions", lambda atlas, on: asked.append((atlas, on)) or atlas)
    regions = BuiltinRegions(grid)
    assert list(regions) == list(ATLASES) and len(regions) == len(ATLASES) and not asked
    assert [regions["juelich"], regions["juelich"]] == ["juelich", "juelich"]
    assert asked == [("juelich", grid)]
    with pytest.raises(KeyError):
        regions["another"]
