"""Who has no volume, and why: regions that the image does not show, a brain that it cuts, voxels that are too long."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.suitability import suitability_rows, too_coarse, unmeasurable
from mndmri.anatomy.volumes import WHOLE_BRAIN
from tests.unit.egg import rigid

LIMITS = {"min_coverage": 0.98, "max_border_cm2": 10}


def image(*voxel_mm):
    return nb.Nifti1Image(np.zeros((3, 4, 5), np.float32), rigid((10, 5, 0), (1, 2, 3)) @ np.diag([*voxel_mm, 1]))


def coverage(**seen):
    index = pd.MultiIndex.from_tuples([tuple(name.rsplit("_", 1)) for name in seen], names=["region", "hemi"])
    return pd.Series(list(seen.values()), index, dtype=float)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_the_longest_edge_of_a_voxel_decides_in_every_direction(order):
    thin, thick = np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.0, 4.8])
    assert too_coarse(image(*thin[list(order)]), max_voxel_mm=3) == ""
    assert "4.8 mm" in too_coarse(image(*thick[list(order)]), max_voxel_mm=3)


def test_a_scanners_rounding_is_no_longer_voxel():
    assert too_coarse(image(1, 1, 3.0004), max_voxel_mm=3) == ""


def test_all_is_measured_in_a_whole_head():
    assert unmeasurable(coverage(precentral_L=1, precentral_R=0.99), 3.0, "", **LIMITS) == {}


def test_a_region_that_is_cut_has_no_volume_and_the_others_have():
    found = unmeasurable(coverage(precentral_L=1, precentral_R=0.6, postcentral_R=0.985), 8.0, "", **LIMITS)
    assert found == {("precentral", "R"): "field of view covers 60% of the region"}


def test_a_brain_that_is_cut_has_no_tissue_volumes_whichever_of_its_regions_is_whole():
    found = unmeasurable(coverage(precentral_L=1), 40.0, "", **LIMITS)
    assert set(found) == {(name, "both") for name in WHOLE_BRAIN}
    assert "ends inside the brain, over 40 cm2" in found["tiv", "both"]


def test_nothing_is_measured_on_voxels_that_are_too_long():
    found = unmeasurable(coverage(precentral_L=1, precentral_R=0.2), 40.0, "voxels of 5 mm", **LIMITS)
    assert set(found.values()) == {"voxels of 5 mm"}
    assert ("precentral", "L") in found and ("gm", "both") in found


def test_a_region_that_the_atlas_lacks_is_not_said_to_lie_outside_the_image():
    assert unmeasurable(coverage(precentral_L=np.nan), 0.0, "", **LIMITS) == {}


def test_the_quality_table_has_what_the_rules_rest_on():
    rows = suitability_rows(image(1, 1, 4.8), coverage(precentral_L=1, paracentral_R=np.nan), 12.5, n_voxels=7)
    rows = rows.set_index(["measure", "region", "hemi"])
    assert rows["value"]["border_area", "brain", "both"] == 12.5
    assert rows["value"]["longest_voxel", "brain", "both"] == pytest.approx(4.8)
    assert rows["value"]["region_coverage", "precentral", "L"] == 1
    assert rows["status"]["region_coverage", "paracentral", "R"] == "the atlas has no such region"
