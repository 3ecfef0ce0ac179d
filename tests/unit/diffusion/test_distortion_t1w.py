"""Displacement from the T1w image's tissue."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.distortion.correction import Tissue, find_displacement
from mndmri.diffusion.distortion.encoding import PhaseEncoding
from mndmri.diffusion.distortion.t1w import displacement_from_t1w
from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from tests.unit.diffusion.distorted import CENTRE, brain, rigid, scan, scanner, true_voxels

ALONG_Y = PhaseEncoding(1, None, None)
T1W = scanner(voxel_mm=(3.0, 3.0, 3.0), shape=(58, 66, 54))
DWI = scanner(tilt_deg=5.0)


def tissue_shares(points):
    """Grey matter, white matter and CSF of a lopsided brain with folds, shape (..., 3)."""
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    radius = np.sqrt((x / 60) ** 2 + (y / 75) ** 2 + (z / 56) ** 2)
    inside = 1 / (1 + np.exp((radius - 1) * 30))
    folds = np.cos(x / 7 + 0.4) * np.cos(y / 8) * np.cos(z / 7 + 0.2)
    ventricle = np.exp(-(((np.abs(x + 3) - 14) / 8) ** 2) - ((y - 5) / 28) ** 2 - ((z - 6) / 10) ** 2)
    csf = np.clip(ventricle + 0.9 * (radius > 0.75) * np.clip(folds - 0.2, 0, 1), 0, 1)
    white = (1 - csf) / (1 + np.exp(((radius + 0.25 * folds) - 0.75) * 25))
    return inside[..., None] * np.stack([1 - csf - white, white, csf], axis=-1)


def b0_signal(points):
    """Shaded, with contrast of its own."""
    shading = 1.2 - 0.5 * np.exp(-((np.linalg.norm(points - CENTRE, axis=-1) / 60) ** 2))
    return 400 * shading * (tissue_shares(points) @ [1.25, 1.0, 2.2])


@pytest.fixture(scope="module")
def tissue():
    return make_image(tissue_shares(world_coordinates(T1W)).astype(np.float32), T1W)


def off(found, axis=1, factor=1.0):
    """Difference from the truth in the brain, but for a constant, which is not seen."""
    inside = np.asarray(brain(DWI).dataobj) > 0
    difference = (found.displacement.get_fdata() - true_voxels(DWI, axis, factor))[inside]
    return np.abs(difference - np.median(difference))


def test_displacement_is_found_from_tissue_alone(tissue):
    b0 = scan(DWI, 1, 1.0, contrast=b0_signal, noise=0.01)
    found = displacement_from_t1w(b0, tissue, np.eye(4), ALONG_Y)
    undistorted = np.abs(true_voxels(DWI, 1))[np.asarray(brain(DWI).dataobj) > 0]
    assert np.median(off(found)) < 0.15
    # carefully: of the largest displacements a part is left
    assert np.percentile(off(found), 95) < 0.8 * np.percentile(undistorted, 95)
    assert found.agreement > found.agreement_before + 0.02


def test_tissue_is_told_by_name(tissue):
    b0 = scan(DWI, 1, 1.0, contrast=b0_signal, noise=0.01)
    grey, white, csf = nb.four_to_three(tissue)
    source = Tissue(csf=csf, white=white, grey=grey)
    found = find_displacement(b0, brain(DWI), np.eye(4), ALONG_Y, source)
    expected = displacement_from_t1w(b0, tissue, np.eye(4), ALONG_Y)
    np.testing.assert_array_equal(found.displacement.get_fdata(), expected.displacement.get_fdata())


def test_opposite_polarity_gives_the_opposite_sign(tissue):
    b0 = scan(DWI, 1, -1.0, contrast=b0_signal, noise=0.01)
    found = displacement_from_t1w(b0, tissue, np.eye(4), ALONG_Y)
    inside = np.asarray(brain(DWI).dataobj) > 0
    assert np.corrcoef(found.displacement.get_fdata()[inside], true_voxels(DWI, 1, -1.0)[inside])[0, 1] > 0.8


def test_alignment_that_the_distortion_has_spoilt_does_not_spoil_the_displacement(tissue):
    b0 = scan(DWI, 1, 1.0, contrast=b0_signal, noise=0.01)
    found = displacement_from_t1w(b0, tissue, rigid([2, 0, -1], [1, 0, 1]), ALONG_Y)
    assert np.median(off(found)) < 0.25


def test_image_without_distortion_stays_where_it_is(tissue):
    b0 = scan(DWI, 1, 0.0, contrast=b0_signal, noise=0.01)
    found = displacement_from_t1w(b0, tissue, np.eye(4), ALONG_Y)
    assert np.median(off(found, factor=0.0)) < 0.1
    assert found.agreement >= found.agreement_before


def test_images_that_have_nothing_in_common_are_left_alone(tissue):
    noise = np.random.default_rng(3).uniform(100, 200, DWI.shape).astype(np.float32)
    found = displacement_from_t1w(make_image(noise, DWI), tissue, np.eye(4), ALONG_Y)
    assert found.agreement >= found.agreement_before
    assert np.abs(np.diff(found.displacement.get_fdata(), axis=1)).max() < 1


def test_tissue_that_cannot_be_used_is_refused(tissue):
    b0 = scan(DWI, 1, 1.0, contrast=b0_signal)
    with pytest.raises(InputError, match=r"shape \(58, 66, 54, 2\); expected"):
        displacement_from_t1w(b0, make_image(tissue.get_fdata()[..., :2], tissue), np.eye(4), ALONG_Y)
    far = nb.affines.from_matvec(np.eye(3), [500, 0, 0])
    with pytest.raises(InputError, match="outside the diffusion image"):
        displacement_from_t1w(b0, tissue, far, ALONG_Y)
