"""The mean of people has their shape, not that of what they were registered to."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.normalisation import Template, by_way_of
from mndmri.anatomy.study_template import Registered, align_to_study, average_brains
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.register import Warp
from mndmri.registration.transforms import compose, map_points, resample
from tests.unit.egg import rigid


def bend(grid, amount, *, side=0.0) -> nb.Nifti1Image:
    """Field that pushes points forward, most near the middle of the brain or of a side (mm)."""
    points = world_coordinates(grid)
    field = compose([], grid)
    push = amount * np.exp(-(((points - [side, 0, 5]) / 15) ** 2).sum(axis=-1))
    data = np.asarray(field.dataobj).copy()
    data[..., 0, 1] = -push  # ITK's world has y the other way round
    return nb.Nifti1Image(data, grid.affine, field.header)


def person(target, way):
    """Somebody whose points the way leads to from those of the target, and the registration that says so."""
    brain = make_image(target.get_fdata(dtype=np.float32), target)
    white = (target.get_fdata() > 0).astype(np.float32)
    tissue = np.stack([0 * white, white, 0 * white], axis=-1)
    return lambda: Registered(Template(brain, make_image(tissue, target)), compose(way, target))


def apart(one, other) -> float:
    """How much two images differ where people are bent, as a share of their median there."""
    near = np.linalg.norm(world_coordinates(one) - [0, 0, 5], axis=-1) < 20
    values = [image.get_fdata()[near] / np.median(image.get_fdata()[near]) for image in (one, other)]
    return float(np.sqrt(((values[0] - values[1]) ** 2).mean()))


def test_people_of_one_shape_are_their_own_template_whatever_they_were_registered_to(brain):
    # to a target from which all of them differ by the same bend
    field = bend(brain, 6.0)
    target = resample(brain, brain, [field])
    made = average_brains([person(brain, [field])] * 3, make_image(target.get_fdata(), brain)).brain
    assert apart(made, brain) < 0.3 * apart(target, brain)


def test_the_template_lies_half_way_between_two_shapes(brain):
    fields = [bend(brain, 0.0), bend(brain, 6.0)]
    half = resample(brain, brain, [bend(brain, 3.0)])
    # two people: the target itself, and one of whom it is the bent image
    target = resample(brain, brain, [fields[1]])
    people = [person(target, [fields[0]]), person(brain, [fields[1]])]
    made = average_brains(people, target).brain
    assert apart(made, half) < 0.5 * min(apart(made, brain), apart(made, target))


def test_pose_and_size_remain_those_of_the_target(brain):
    turned = rigid((5, -4, 8), (6, 3, -4)) @ np.diag([1.1, 0.95, 1.05, 1])
    moved = resample(brain, brain, [np.linalg.inv(turned)])
    white = (moved.get_fdata() > 0).astype(np.float32)
    tissue = make_image(np.stack([0 * white, white, 0 * white], axis=-1), brain)
    one = Registered(Template(moved, tissue), compose([turned], brain))
    made = average_brains([lambda: one] * 2, brain).brain
    assert apart(made, brain) < 0.15 * apart(moved, brain)  # what two interpolations on 3 mm voxels leave


def test_a_bend_of_the_left_stays_on_the_left(brain):
    field = bend(brain, 6.0, side=-20.0)
    target = resample(brain, brain, [field])
    made = average_brains([person(brain, [field])] * 2, target).brain
    x = world_coordinates(brain)[..., 0]
    inside = brain.get_fdata() > 0
    near_left, near_right = (inside & (np.abs(x - side) < 10) for side in (-20, 20))
    scale = np.median(made.get_fdata()[near_right]) / np.median(target.get_fdata()[near_right])
    changed = np.abs(made.get_fdata() - scale * target.get_fdata())
    assert changed[near_left].mean() > 5 * changed[near_right].mean()


def test_tissue_is_averaged_with_the_brain_and_white_matter_is_one(brain):
    made = average_brains([person(brain, [np.eye(4)])] * 2, brain)
    inside = brain.get_fdata() > 0
    assert np.median(made.brain.get_fdata()[inside]) == pytest.approx(1.0, abs=0.02)
    assert made.tissue.shape == (*brain.shape, 3)
    np.testing.assert_allclose(made.tissue.get_fdata()[..., 1], inside, atol=1e-5)


def without_an_end(brain, kept):
    """Brain of which a part of the grid alone was recorded, and where that is."""
    recorded = np.zeros(brain.shape, np.uint8)
    recorded[kept] = 1
    return make_image(brain.get_fdata(dtype=np.float32) * recorded, brain), make_image(recorded, brain)


@pytest.mark.parametrize("kept", [np.s_[12:], np.s_[:28], np.s_[:, :, 10:]])
def test_where_a_brain_is_cut_the_template_is_that_of_the_others(brain, kept):
    cut, recorded = without_an_end(brain, kept)
    whole = person(brain, [np.eye(4)])
    tissue = make_image(whole().own.tissue.get_fdata() * recorded.get_fdata()[..., None], brain)
    lacking = Registered(Template(cut, tissue), whole().field, recorded)
    expected = average_brains([whole] * 2, brain)
    found = average_brains([whole, lambda: lacking], brain)
    inside = brain.get_fdata() > 0
    near = np.median(found.brain.get_fdata()[inside & (recorded.get_fdata() == 0)])
    assert near == pytest.approx(np.median(expected.brain.get_fdata()[inside & (recorded.get_fdata() == 0)]), rel=0.05)
    np.testing.assert_allclose(found.tissue.get_fdata(), expected.tissue.get_fdata(), atol=1e-4)
    # what nobody's image shows is 0, but for rounding
    nobody = average_brains([lambda: lacking] * 2, brain)
    np.testing.assert_allclose(nobody.brain.get_fdata()[recorded.get_fdata() == 0], 0, atol=1e-4)


@pytest.mark.parametrize("affine", [True, False])
def test_a_brain_that_is_cut_is_not_drawn_out_over_the_study_s_template(brain, affine):
    cut, recorded = without_an_end(brain, np.s_[:28])

    def as_template(image):
        bright = np.clip((image.get_fdata() - 60) / 80, 0, 1)
        inside = image.get_fdata() > 0
        shares = np.stack([bright, inside - bright * inside, 0 * bright], axis=-1)
        return Template(image, make_image(shares.astype(np.float32), image))

    def error(recorded):
        options = {"affine": affine, "engine": "greedy", "iterations": (40, 20, 10)}
        field = align_to_study(as_template(brain), as_template(cut), recorded=recorded, **options)
        points = world_coordinates(brain)[(brain.get_fdata() > 0) & (cut.get_fdata() > 0)]
        near = points[:, 0] > points[:, 0].max() - 12
        return np.linalg.norm(map_points(points[near], [field]) - points[near], axis=-1).mean()

    assert error(recorded) < 1.0
    assert error(make_image(np.ones(brain.shape, np.uint8), brain)) > 2 * error(recorded)


def test_the_way_through_the_study_s_template_is_both_ways_after_each_other(brain):
    to_study, back = rigid((3, 0, 0), (2, 1, 0)), rigid((0, 5, 0), (0, -3, 2))
    warps = [Warp(compose([m], brain), compose([np.linalg.inv(m)], brain)) for m in (to_study, back)]
    found = by_way_of(*warps, template=brain, brain=brain)
    points = np.array([[5.0, -8, 10], [-12, 3, 0]])
    there = map_points(points, [found.moving_to_fixed])
    np.testing.assert_allclose(there, map_points(points, [back, to_study]), atol=0.05)
    np.testing.assert_allclose(map_points(there, [found.fixed_to_moving]), points, atol=0.05)
