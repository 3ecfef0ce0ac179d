"""The atlas's tract against landmarks that it was not made from."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial import cKDTree

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.regions import select
from mndmri.grids import to_canonical, world_coordinates
from mndmri.registration.transforms import resample

pytestmark = pytest.mark.real

# JHU labels (Mori et al. 2008): tract in the brainstem, cerebral peduncle, posterior limb, superior corona radiata
JHU = {
    "cst_pons": {"R": 7, "L": 8},
    "cst_peduncle": {"R": 15, "L": 16},
    "cst_plic": {"R": 19, "L": 20},
    "cst_corona_radiata": {"R": 25, "L": 26},
}
# Least share of the level within 2 mm of its label. That of the corona radiata holds all projection fibres from y = -31
# to 17 mm and ends medial of the fan to the hand and face, which lies in unlabelled white matter and in the superior
# longitudinal fasciculus' label: less than half of the level is in it, and its middle is not the tract's.
LEAST_SHARE = {"cst_pons": 0.9, "cst_peduncle": 0.95, "cst_plic": 0.85, "cst_corona_radiata": 0.45}
# Published peaks on the tract, MNI coordinates, mm
PEAKS = {
    "L": [(-13, -28, 58), (-24, -19, 35), (-24, -11, 12), (-7, -23, -36)],
    "R": [(18, -21, 42), (23, -12, 7), (7, -26, -37)],
}


@pytest.fixture(scope="module")
def atlas(builtin_atlas):
    return builtin_atlas


@pytest.fixture(scope="module")
def labels(real_data, atlas):
    stored = to_canonical(nb.load(real_data / "atlases" / "JHU_space-MNI152NLin6_res-1x1x1.nii.gz"))
    return np.asarray(resample(stored, atlas[0], interpolation="nearest").dataobj)


@pytest.mark.parametrize("hemi", ["L", "R"])
@pytest.mark.parametrize("level", JHU)
def test_a_level_lies_on_its_label_and_on_none_of_the_other_side(atlas, labels, level, hemi):
    weight = select(*atlas, level, hemi).get_fdata()
    inside = np.argwhere(weight > 0)  # voxels of 1 mm
    near = cKDTree(np.argwhere(labels == JHU[level][hemi])).query(inside)[0] <= 2
    assert weight[tuple(inside[near].T)].sum() / weight.sum() > LEAST_SHARE[level]
    other = labels == JHU[level]["R" if hemi == "L" else "L"]
    assert weight[other].sum() < 0.02 * weight.sum()


@pytest.mark.parametrize("hemi", ["L", "R"])
@pytest.mark.parametrize(("level", "mm"), [("cst_pons", 2), ("cst_peduncle", 2), ("cst_plic", 5)])
def test_the_centre_of_a_level_is_near_that_of_its_label(atlas, labels, level, mm, hemi):
    weight, xyz = select(*atlas, level, hemi).get_fdata(), world_coordinates(atlas[0])
    low, high = CST_LEVELS_Z_MM[level]
    label = (labels == JHU[level][hemi]) & (xyz[..., 2] >= low) & (xyz[..., 2] < high)
    inside = weight > 0
    centre = np.average(xyz[inside], axis=0, weights=weight[inside])
    assert np.linalg.norm(centre - xyz[label].mean(axis=0)) < mm


@pytest.mark.parametrize(("hemi", "peak"), [("L", (-24, -19, 35)), ("R", (18, -21, 42))])
def test_of_the_corona_radiata_label_the_tract_is_the_part_about_the_published_peak(atlas, labels, hemi, peak):
    weight, xyz = select(*atlas, "cst_corona_radiata", hemi).get_fdata(), world_coordinates(atlas[0])
    label = labels == JHU["cst_corona_radiata"][hemi]
    y, z = xyz[..., 1], xyz[..., 2]
    inside = label & (np.abs(z - peak[2]) <= 4) & (weight > 0)
    centre = np.average(xyz[inside], axis=0, weights=weight[inside])
    assert np.linalg.norm((centre - peak)[:2]) < 5
    assert weight[label & (y > 0)].mean() < 0.05 < 0.3 < weight[label & (y < -8)].mean()


@pytest.mark.parametrize("hemi", ["L", "R"])
def test_the_published_peaks_lie_in_the_tract(atlas, hemi):
    tract, xyz = select(*atlas, "cst", hemi).get_fdata(), world_coordinates(atlas[0])
    core = xyz[tract >= 0.25]
    for peak in PEAKS[hemi]:
        assert np.linalg.norm(core - peak, axis=1).min() < 2, peak
