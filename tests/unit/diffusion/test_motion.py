"""Motion correction against heads that were moved by known amounts."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients, read_gradients, rotate, to_fsl
from mndmri.diffusion.motion import (
    align_to_t1w,
    b0_reference,
    correct_motion,
    field_of_view,
    framewise_displacement,
)
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import InputError
from mndmri.transforms import resample

SHAPE = (38, 44, 34)
AFFINE = np.diag([4.0, 4.0, 4.2, 1.0])
AFFINE[:3, 3] = -AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
GRID = nb.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE)
N_WEIGHTED = 12
B = 1000.0


def rigid(degrees, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def head(points):
    """Baseline signal, main direction and anisotropy of a made-up head, at world points."""
    x, y, z = np.moveaxis(points, -1, 0)
    radius = np.sqrt((x / 55) ** 2 + (y / 68) ** 2 + (z / 52) ** 2)
    brain = 1 / (1 + np.exp((radius - 1) * 25))
    ventricle = np.exp(-(((np.abs(x) - 12) / 6) ** 2) - ((y - 5) / 25) ** 2 - ((z - 6) / 8) ** 2)
    lesion = np.exp(-(((x - 30) / 9) ** 2) - ((y + 25) / 12) ** 2 - ((z - 15) / 9) ** 2)
    folds = np.cos(x / 4) * np.cos(y / 4.5) * np.cos(z / 4) * np.clip(radius - 0.5, 0, 1)
    s0 = 1000 * brain * (1 + 0.6 * ventricle - 0.35 * lesion + 0.8 * folds)
    direction = np.stack([np.sin(y / 25), 0.3 * np.ones_like(x), np.cos(x / 30)], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return s0, direction, brain * (1 - np.clip(ventricle, 0, 1))


def signal(points, b, g):
    """What a scanner would see of the unmoved head at these points."""
    s0, direction, anisotropy = head(points)
    along = (direction @ g) ** 2
    diffusivity = 0.8e-3 + anisotropy * 0.9e-3 * (along - 1 / 3)
    return s0 * np.exp(-b * diffusivity)


def moved_series(motions):
    """Series whose head lies, in each volume, where ``motions`` (reference to volume) puts it."""
    vectors = np.random.default_rng(2).normal(size=(N_WEIGHTED, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = Gradients(np.r_[0.0, 0.0, np.full(N_WEIGHTED, B)], np.vstack([np.zeros((2, 3)), vectors]))
    points = world_coordinates(GRID)
    rng = np.random.default_rng(0)
    volumes = []
    for motion, b, g in zip(motions, table.bvals, table.bvecs, strict=True):
        before = nb.affines.apply_affine(np.linalg.inv(motion), points)
        # the gradient is the scanner's; the head meets it turned back
        clean = signal(before, b, motion[:3, :3].T @ g)
        volumes.append(np.abs(clean + rng.normal(0, 10, clean.shape)))
    return nb.Nifti1Image(np.stack(volumes, axis=-1).astype(np.float32), AFFINE), table


def known_motions():
    rng = np.random.default_rng(5)
    motions = [np.eye(4)]
    motions += [rigid(rng.uniform(-8, 8, 3), rng.uniform(-4, 4, 3)) for _ in range(N_WEIGHTED + 1)]
    return np.array(motions)


def core():
    """Anisotropic voxels well inside the head."""
    return head(world_coordinates(GRID))[2] > 0.9


def direction_error(fit, truth):
    """Median angle between main directions, degrees."""
    cosine = np.abs(np.sum(fit.v1.get_fdata() * truth, axis=-1))[core()]
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, 0, 1)))))


@pytest.mark.parametrize("codes", ["LAS", "RAS"])
def test_moved_head_gives_the_directions_of_the_still_one(codes):
    motions = known_motions()
    series, table = moved_series(motions)
    stored = series.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(codes)))
    read = read_gradients(table.bvals, to_fsl(table.bvecs, stored.affine), stored.affine)
    dwi = to_canonical(stored)
    truth = head(world_coordinates(dwi))[1]
    mask = make_image(core(), dwi)

    aligned, turned, transforms, displacement = correct_motion(dwi, read)

    points = world_coordinates(dwi)[core()][::50]
    for found, known in zip(transforms, motions, strict=True):
        distance = nb.affines.apply_affine(found, points) - nb.affines.apply_affine(known, points)
        assert np.linalg.norm(distance, axis=1).mean() < 2.0
    assert displacement[0] == 0
    assert displacement[1:].min() > 3
    corrected = direction_error(fit_tensor(aligned, turned, mask), truth)
    not_turned = direction_error(fit_tensor(aligned, read, mask), truth)
    wrong_way = direction_error(fit_tensor(aligned, rotate(read, np.linalg.inv(transforms)), mask), truth)
    assert corrected < 2
    assert corrected < not_turned < wrong_way


def test_still_head_is_left_where_it_is():
    series, table = moved_series(np.tile(np.eye(4), (N_WEIGHTED + 2, 1, 1)))
    _, _, transforms, displacement = correct_motion(series, table, mask=make_image(core(), series))
    points = world_coordinates(series)[core()][::50]
    for found in transforms:
        assert np.linalg.norm(nb.affines.apply_affine(found, points) - points, axis=1).max() < 0.3
    assert displacement.max() < 0.5


def test_framewise_displacement_adds_shifts_and_arcs():
    transforms = np.array([np.eye(4), rigid([0, 0, 0], [1, -2, 0.5]), rigid([0, 0, 0], [1, -2, 0.5])])
    turn = rigid([np.degrees(0.02), 0, 0], [0, 0, 0])
    np.testing.assert_allclose(framewise_displacement(transforms, centre=np.zeros(3)), [0, 3.5, 0])
    found = framewise_displacement(np.array([np.eye(4), turn]), centre=np.zeros(3))
    np.testing.assert_allclose(found, [0, 50 * 0.02])


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
