"""Diffusion images of a made-up head with a lopsided brainstem, brought to the template."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.diffusion.placement import place_dwi, smooth_in_template
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import compose, map_points, resample
from tests.unit.registration.stem import HEAD, PONS, TEMPLATE, TO_SCAN, grid, head, softened


def template_tissue():
    """Grey matter on the left of white matter, and fluid round both."""
    solid = softened().get_fdata(dtype=np.float32)
    left = world_coordinates(TEMPLATE)[..., 0] < 0
    return make_image(np.stack([solid * left, solid * ~left, 1 - solid], axis=-1), TEMPLATE)


def t1w_shows(z_mm):
    """Where a T1w image shows the head that ends at a height of the template."""
    _, brain = head()
    template = nb.affines.apply_affine(np.linalg.inv(HEAD), world_coordinates(brain))
    return make_image(template[..., 2] >= z_mm, brain)


def diffusivity(scan, shift, shown):
    """Mean diffusivity of the head, whose brainstem distortion has shifted, inside a mask from the T1w image."""
    truth = nb.affines.from_matvec(np.eye(3), shift) @ TO_SCAN @ HEAD
    tissue = resample(softened(), scan, [np.linalg.inv(truth)]).get_fdata()
    masked = resample(shown, scan, [np.linalg.inv(TO_SCAN)], interpolation="nearest").get_fdata() > 0
    masked &= ndimage.binary_dilation(tissue > 0.5, iterations=2)  # with fluid round the brain
    return make_image(np.where(masked, 0.8 * tissue + 3.0 * (1 - tissue), 0).astype(np.float32), scan), truth


@pytest.mark.parametrize("end_mm", [-90.0, -30.0])
@pytest.mark.parametrize("shift", [(0, 0, 0), (-3, 2, 0)])
@pytest.mark.parametrize("storage", ["RAS", "LPS"])
def test_the_brainstem_is_found_whole_or_cut_and_left_stays_left(storage, shift, end_mm):
    """A T1w image that ends in the pons cuts the mask of the brain there: its end is no outline of the brainstem."""
    warp, brain = head()
    scan = grid((2.0, 2.0, 2.5), (-60, -85, -70), (65, 60, 40))
    turn = nb.orientations.ornt_transform(nb.io_orientation(scan.affine), nb.orientations.axcodes2ornt(storage))
    scan = scan.as_reoriented(turn)
    shown = t1w_shows(end_mm)
    md, truth = diffusivity(scan, shift, shown)
    placed = place_dwi(
        md,
        make_image(np.ones(scan.shape, np.uint8), scan),
        t1w=warp,
        t1w_recorded=shown,
        brain=make_image(brain.get_fdata(dtype=np.float32) * shown.get_fdata(), brain),
        to_dwi=TO_SCAN,
        template_tissue=template_tissue(),
    )
    expected = nb.affines.apply_affine(truth, PONS)
    np.testing.assert_allclose(map_points(PONS, [placed.moving_to_fixed]), expected, atol=1.0)
    np.testing.assert_allclose(map_points(expected, [placed.fixed_to_moving]), PONS, atol=1.0)


def test_a_mark_on_the_left_of_the_scan_is_on_the_left_in_the_template():
    warp, brain = head()
    scan = grid((2.0, 2.0, 2.5), (-80, -110, -70), (85, 85, 85))
    shown = t1w_shows(-90.0)
    md, truth = diffusivity(scan, (0, 0, 0), shown)
    placed = place_dwi(
        md,
        make_image(np.ones(scan.shape, np.uint8), scan),
        t1w=warp,
        t1w_recorded=shown,
        brain=brain,
        to_dwi=TO_SCAN,
        template_tissue=template_tissue(),
    )
    for centre in ([-6.0, -25.0, -26.0], [-25.0, -20.0, 40.0]):  # in the pons, and where the deformation leads
        away = world_coordinates(scan) - nb.affines.apply_affine(truth, centre)
        mark = make_image(np.exp(-0.5 * np.sum(away**2, axis=-1) / 4**2).astype(np.float32), scan)
        there = resample(mark, TEMPLATE, [placed.moving_to_fixed]).get_fdata()
        found = [np.average(axis, weights=there) for axis in np.moveaxis(world_coordinates(TEMPLATE), -1, 0)]
        np.testing.assert_allclose(found, centre, atol=1.0)


@pytest.mark.parametrize("side_mm", [-12.0, 12.0])
def test_fa_is_averaged_over_the_white_matter_that_came_the_same_way(side_mm):
    """A tract beside the midline, of which FA and white matter are known in the diffusion images and the T1w image."""
    template = grid(2.0, (-40, -60, -60), (40, 20, 20))
    to_dwi = nb.affines.from_matvec(nb.eulerangles.euler2mat(y=0.1), [9.0, -7.0, 5.0])  # of the T1w image
    _, brain = head()

    def tract(points):
        return np.hypot(points[..., 0] - side_mm, points[..., 1] + 25) < 5

    white = make_image(
        tract(nb.affines.apply_affine(np.linalg.inv(HEAD), world_coordinates(brain))).astype(np.float32), brain
    )
    points = world_coordinates(template)
    fa = make_image(np.where(tract(points), 0.6, 0.1).astype(np.float32), template)
    way = {"to_template": compose([to_dwi @ HEAD], template), "to_dwi": to_dwi, "fwhm_mm": 6.0}
    found = smooth_in_template(fa, white, **way).get_fdata()
    middle = np.abs(points[..., 2] + 20) < 20
    core = np.hypot(points[..., 0] - side_mm, points[..., 1] + 25) < 3
    assert found[core & middle].mean() == pytest.approx(0.6, abs=0.06)  # what the edge loses on voxels of 3 mm
    mirrored = np.hypot(points[..., 0] + side_mm, points[..., 1] + 25) < 3
    assert np.isnan(found[mirrored & middle]).all()
