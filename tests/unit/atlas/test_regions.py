"""Every region lies on the side of its name, and reference white matter in its lobe."""

import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from mndmri.atlas.lobes import PARTS, VENTRICLES, load_lobes
from mndmri.atlas.names import load_regions
from mndmri.atlas.regions import CST_LEVELS_Z_MM, load_nuclei, load_probabilities, load_template
from mndmri.grids import to_canonical, world_coordinates
from mndmri.io import load_image
from mndmri.registration.transforms import resample


@pytest.fixture(scope="module")
def centres(builtin_atlas):
    """Centre of mass of every region, mm."""
    image, table = builtin_atlas
    data = np.asarray(image.dataobj)
    return {
        (entry.region, entry.hemi): apply_affine(image.affine, ndimage.center_of_mass(data[..., entry.index]))
        for entry in table.itertuples()
    }


def test_left_regions_are_left_and_right_ones_right(centres):
    for (region, hemi), centre in centres.items():
        if hemi == "both":
            assert abs(centre[0]) < 2, region
        else:
            assert (centre[0] < 0) == (hemi == "L"), (region, hemi)


def test_reference_white_matter_is_in_front_and_behind(centres):
    for hemi in "LR":
        assert centres["frontal_wm", hemi][1] > 20
        assert centres["occipital_wm", hemi][1] < -60


def test_nuclei_lie_where_they_do_and_as_much_on_either_side():
    nuclei = load_nuclei()
    x, y, z = np.moveaxis(world_coordinates(nuclei), -1, 0)
    data = np.asarray(nuclei.dataobj)
    assert data.shape[3] == 4
    # |x|, y and z of the centre, mm (Talairach and Tournoux 1988, rounded)
    expected = [(11, -19, 7), (13, 9, 9), (25, 1, 0), (20, -5, -1)]
    for volume, centre in zip(np.moveaxis(data, -1, 0), expected, strict=True):
        found = [np.average(axis, weights=volume) for axis in (np.abs(x), y, z)]
        np.testing.assert_allclose(found, centre, atol=3)
        left, right = volume[x < 0].sum(), volume[x > 0].sum()
        assert left == pytest.approx(right, rel=0.1)
    assert data.sum(axis=-1).max() == 1


def test_levels_of_the_tract_follow_each_other_without_a_gap():
    levels = list(CST_LEVELS_Z_MM.values())
    assert [high for _, high in levels[:-1]] == [low for low, _ in levels[1:]]
    assert all(low < high for low, high in levels)


def test_the_capsule_is_as_high_as_the_thalamus_beside_it():
    nuclei = load_nuclei()
    z = world_coordinates(nuclei)[..., 2][np.asarray(nuclei.dataobj)[..., 0] > 0]
    assert CST_LEVELS_Z_MM["cst_plic"] == pytest.approx((z.min(), z.max()), abs=2)


def test_the_peduncle_begins_where_the_front_of_the_brainstem_falls_back_above_the_pons():
    midline = load_template().slicer[91:92]
    regions = load_regions("harvard_oxford", midline)
    x, y, z = np.moveaxis(world_coordinates(midline), -1, 0)
    assert (x == 0).all()
    brainstem = np.asarray(regions.labels.dataobj) == next(
        n for n, name in regions.names.items() if name == "Brain-Stem"
    )
    border = CST_LEVELS_Z_MM["cst_peduncle"][0]
    below, above = (y[brainstem & (np.abs(z - border - side) < 1)].max() for side in (-3, 3))
    assert below - above > 8


def test_nuclei_spare_the_internal_capsule(real_data):
    nuclei = load_nuclei()
    labels = to_canonical(load_image(real_data / "atlases/JHU_space-MNI152NLin6_res-1x1x1.nii.gz"))
    labels = resample(labels, nuclei, interpolation="nearest").get_fdata()
    inside = np.asarray(nuclei.dataobj).sum(axis=-1) > 0
    for limb in ((17, 18), (19, 20)):  # anterior, posterior; right and left
        for side in limb:
            assert inside[labels == side].mean() < 0.15


def test_lobes_lie_on_their_sides_and_where_they_do():
    template = load_template()
    labels = np.asarray(load_lobes(template).dataobj)
    xyz = world_coordinates(template)
    centre = {part: xyz[labels == n].mean(axis=0) for n, part in enumerate(PARTS, start=1)}
    assert all((at[0] < 0) == (hemi == "L") for (_, hemi), at in centre.items() if hemi != "both")
    for hemi in "LR":
        y = {lobe: centre[lobe, hemi][1] for lobe in ("frontal", "parietal", "temporal", "occipital")}
        assert y["frontal"] > 10 > y["temporal"] > y["parietal"] > y["occipital"]
        assert centre["temporal", hemi][2] < 0 < centre["parietal", hemi][2]
    assert abs(centre[VENTRICLES, "both"][0]) < 2


def test_lobes_hold_their_own_gyri_and_not_the_insula_cingulate_or_hippocampus():
    template = load_template()
    labels = np.asarray(load_lobes(template).dataobj)
    inside = {"Insular_Cortex": 0, "Cingulate_Gyrus_anterior_division": 0, "Hippocampus": 0, "Amygdala": 0}
    inside |= {"Precentral_Gyrus": 1, "Temporal_Pole": 1, "Occipital_Pole": 1}
    names = {(name, side): f"{side}_{name}" for name in inside for side in ("Left", "Right")}
    for (name, _), probability in load_probabilities("harvard_oxford", names, template).items():
        assert (labels[probability > 0.5] > 0).mean() == pytest.approx(inside[name], abs=0.02), name
