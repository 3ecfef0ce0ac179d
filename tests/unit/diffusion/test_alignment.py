"""The way from a diffusion series to the T1w image, and what every volume shows of the head."""

import nibabel as nb
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mndmri.diffusion.alignment import align_to_t1w, b0_reference, field_of_view
from mndmri.diffusion.gradients import Gradients
from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.registration.transforms import resample
from tests.unit.diffusion.heads import AFFINE, GRID, SHAPE, core, head, rigid


def test_field_of_view_loses_what_any_volume_lost():
    image = nb.Nifti1Image(np.zeros((7, 8, 9)), np.diag([2, 2.5, 3, 1.0]))
    assert field_of_view(image).get_fdata().all()
    up = rigid([0, 0, 0], [0, 0, 6])  # points are looked up two slices higher
    seen = field_of_view(image, np.array([np.eye(4), up])).get_fdata()
    assert seen[..., :7].all()
    assert not seen[..., 7:].any()


def test_b0_reference_is_the_mean_of_unweighted_volumes():
    data = np.arange(4.0) * np.ones((3, 4, 5, 1))
    table = Gradients(np.array([0.0, 1000, 5, 1000]), np.eye(4)[:, :3])
    np.testing.assert_allclose(b0_reference(nb.Nifti1Image(data, np.eye(4)), table).get_fdata(), 1)


@pytest.mark.parametrize(
    ("bvals", "words"), [([0.0, 1000], "bval file has 2 entries"), ([700.0, 1000, 1000], "lowest is 700")]
)
def test_series_without_a_usable_table_is_refused(bvals, words):
    table = Gradients(np.array(bvals), np.ones((len(bvals), 3)))
    with pytest.raises(InputError, match=words):
        b0_reference(nb.Nifti1Image(np.ones((3, 4, 5, 3)), np.eye(4)), table)


def t1w_and_b0(motion):
    """T1w brain, and a shaded b = 0 image of the head that had moved by ``motion``."""
    points = world_coordinates(GRID)
    s0 = head(points)[0]
    brain = np.linalg.norm(points / [55, 68, 52], axis=-1) < 1
    t1w = make_image((brain * np.clip(1600 - s0, 100, None)).astype(np.float32), GRID)
    before = nb.affines.apply_affine(np.linalg.inv(motion), points)
    shading = np.exp(points[..., 1] / 90)
    texture = gaussian_filter(np.random.default_rng(1).normal(size=SHAPE), 1) * 20
    return t1w, make_image(np.clip(head(before)[0] * shading + texture, 0, None).astype(np.float32), GRID)


def test_shaded_b0_is_brought_to_the_t1w_brain():
    known = rigid([4, -3, 3], [2, -3, 1.5])
    t1w, b0 = t1w_and_b0(known)
    found = align_to_t1w(b0, t1w)
    points = world_coordinates(GRID)[core()][::50]
    distance = nb.affines.apply_affine(found, points) - nb.affines.apply_affine(known, points)
    assert np.linalg.norm(distance, axis=1).mean() < 1.5
    # in the direction in which diffusion maps are resampled onto the T1w image
    right = world_coordinates(GRID)[..., 0] > 0
    there = resample(make_image((b0.get_fdata() > 400).astype(np.float32), b0), t1w, [found]).get_fdata()[right]
    assert np.corrcoef(there, t1w.get_fdata()[right] > 0)[0, 1] > 0.95


def test_images_that_do_not_overlap_are_refused():
    t1w, b0 = t1w_and_b0(np.eye(4))
    far = AFFINE.copy()
    far[0, 3] += 1000
    with pytest.raises(InputError, match="do not overlap"):
        align_to_t1w(nb.Nifti1Image(b0.get_fdata(), far), t1w)
