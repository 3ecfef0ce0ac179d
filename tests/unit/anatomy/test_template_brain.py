"""The brain by a head template: found whatever the head's position, and each side on its own side."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.anatomy.head_pose import find_pose
from mndmri.anatomy.head_template import simulate_head, take_head_template
from mndmri.anatomy.template_brain import extract_by_template
from mndmri.atlas.regions import load_template
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError
from tests.unit.anatomy.heads import build_head, dice, scan_head, share_inside

TURN_DEG = (40, -10, 15)


@pytest.fixture(scope="module")
def template():
    return simulate_head(load_template())


@pytest.fixture(scope="module")
def tissues():
    return build_head(3.0)


@pytest.fixture(scope="module")
def turned(tissues):
    return scan_head(tissues, voxel_mm=3.0, turn_deg=TURN_DEG, size=(1.0, 0.95, 1.05), bias=0.4)


@pytest.fixture(scope="module")
def found(turned, template):
    return extract_by_template(turned[0], template)


def test_the_brain_of_a_turned_and_shaded_head_with_face_and_neck_is_found(turned, found):
    _, truth, matter = turned
    assert dice(found, truth) > 0.95
    assert share_inside(matter, found) > 0.98


def test_a_mirrored_head_has_the_mirrored_brain_whatever_the_order_of_storage(turned, found, template):
    head = turned[0]
    other = make_image(np.asarray(head.dataobj)[::-1], head)
    stored = to_canonical(other.as_reoriented(nb.orientations.axcodes2ornt("PSL")))
    assert np.array_equal(stored.dataobj, other.dataobj) and np.allclose(stored.affine, other.affine)
    mirrored = extract_by_template(stored, template)
    as_it_was = make_image(np.asarray(mirrored.dataobj)[::-1], head)
    assert dice(as_it_was, found) > 0.985
    assert dice(mirrored, found) < dice(as_it_was, found) - 0.03


def test_the_pose_is_found_to_half_a_step_with_most_of_the_field_of_view_empty(turned, template):
    head = turned[0]
    data = np.pad(np.asarray(head.dataobj), ((0, 25), (20, 0), (40, 0)))
    affine = head.affine.copy()
    affine[:3, 3] = nb.affines.apply_affine(head.affine, [0, -20, -40])
    pose, _ = find_pose(nb.Nifti1Image(data, affine), template)
    true = Rotation.from_euler("xyz", TURN_DEG, degrees=True).inv()
    error = Rotation.from_matrix(pose[:3, :3]) * true.inv()
    assert np.degrees(error.magnitude()) < 15


def test_noise_is_no_head(template):
    noise = np.random.default_rng(0).random((50, 50, 50)).astype(np.float32)
    with pytest.raises(InputError, match="nothing resembles a head"):
        extract_by_template(nb.Nifti1Image(noise, np.diag([4.0, 4.0, 4.0, 1.0])), template)


def test_a_users_own_head_template_finds_the_brain(turned, found, tissues):
    own = take_head_template(*scan_head(tissues, voxel_mm=3.0, bias=0.0)[:2])
    assert dice(extract_by_template(turned[0], own), turned[1]) > 0.95


def test_a_users_template_without_skull_is_refused(tissues):
    head, mask, _ = scan_head(tissues, voxel_mm=3.0)
    bare = make_image(np.asarray(head.dataobj) * np.asarray(mask.dataobj), head)
    with pytest.raises(InputError, match="no head around the brain"):
        take_head_template(bare, mask)
