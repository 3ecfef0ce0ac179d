"""Scenes of the viewer: what is shown is where it is in the world, in whatever order it is stored."""

import numpy as np
import pytest
from nibabel.affines import apply_affine

from mndmri.figures import scenes
from mndmri.figures.scenes import STATISTIC_STEP
from mndmri.io import InputError
from tests.unit import viewed
from tests.unit.viewed import GAIN, LEFT_FRONT, LEFT_LOSS, LOSS, RIGHT_BACK, RIGHT_PEAK

STORED = [("RAS", 0), ("LAS", 0), ("PSR", 0), ("RAS", 15), ("LPI", 15)]


def middle(scene, voxels):
    """Middle of voxels of a scene, mm."""
    return apply_affine(scene.affine, np.argwhere(voxels)).mean(axis=0)


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_what_is_planted_is_shown_where_it_is(storage, degrees):
    scene = viewed.t1w(storage, degrees)
    [grey] = scene.images["T1w"].channels
    assert np.allclose(middle(scene, grey > 200), LEFT_FRONT, atol=2)
    assert np.allclose(middle(scene, scene.marks["grey matter"]), RIGHT_BACK, atol=2)
    assert np.linalg.det(scene.affine[:3, :3]) > 0 and (np.diag(scene.affine)[:3] > 0).all()
    assert {mark.shape for mark in scene.marks.values()} == {grey.shape}


@pytest.mark.parametrize("storage", ["RAS", "LPI"])
def test_what_is_far_from_the_brain_is_black(storage):
    """The slices of a whole head hold a face, from which a person can be recognised."""
    whole = viewed.stored(lambda xyz: np.full(xyz.shape[:-1], 100.0), storage)
    brain = viewed.stored(viewed.egg, storage)
    scene = scenes.t1w_scene(whole, brain, brain, brain, *viewed.regions(["precentral"], storage), file="T1w.nii.gz")
    [grey] = scene.images["T1w"].channels
    xyz = apply_affine(scene.affine, np.moveaxis(np.indices(grey.shape), 0, -1))
    assert grey[viewed.egg(xyz)].all()
    assert not grey[np.linalg.norm(xyz / np.array([76, 94, 78]), axis=-1) > 1].any()


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_voxel_indices_are_those_of_the_file(storage, degrees):
    image = viewed.stored(viewed.head, storage, degrees)
    scene = viewed.t1w(storage, degrees)
    voxel = np.rint(apply_affine(np.linalg.inv(scene.file_affine), LEFT_FRONT)).astype(int)
    assert image.get_fdata()[tuple(voxel)] == 250
    assert np.allclose(scene.file_affine, image.affine)


@pytest.mark.parametrize("storage", ["LAS", "LPI"])
def test_voxel_indices_of_fa_are_those_of_its_file(storage):
    scene = viewed.dwi(storage)
    assert np.allclose(scene.file_affine, viewed.stored(viewed.egg, storage).affine)


def test_a_statistic_of_nearly_nothing_is_not_outside_the_voxels_compared():
    assert scenes._steps(np.array([0.0, 0.004, -0.004, 0.006, 1.234, 1e4])).tolist() == [0, 1, -1, 1, 123, 32767]


def test_grey_values_are_those_of_the_image_between_black_and_white():
    scene = viewed.dwi()
    [grey] = scene.images["FA"].channels
    low, high = scene.images["FA"].ends
    assert low + grey[tuple(np.argwhere(grey)[0])] / 255 * (high - low) == pytest.approx(0.8, abs=0.003)
    assert grey[0, 0, 0] == 0


def test_directions_have_their_colours_and_streamlines_their_voxels():
    scene = viewed.dwi()
    red, green, blue = (channel[scene.marks["CST left"]] for channel in scene.images["FA in colours"].channels)
    assert (blue == 255).all() and not red.any() and not green.any()
    passed = apply_affine(scene.affine, np.argwhere(scene.marks["streamlines left"]))
    assert np.allclose(passed[:, :2].mean(axis=0), [-30, 0], atol=2.3)
    assert passed[:, 2].min() <= -18 and passed[:, 2].max() >= 18
    # tracked, and none found: that is told apart from a study without tractography
    assert not scene.marks["streamlines right"].any()


@pytest.mark.parametrize("storage", ["RAS", "LPI", "PSR"])
def test_streamlines_lie_where_they_were_tracked(storage):
    scene = viewed.dwi(storage)
    drawn = scene.lines["streamlines left"]
    assert len(drawn) == 3 and scene.lines["streamlines right"] == []
    np.testing.assert_allclose(apply_affine(scene.affine, drawn[0]), viewed.TRACKED, atol=1e-3)


def test_single_streamlines_that_stray_are_not_shown(monkeypatch):
    image = viewed.stored(viewed.egg)
    many, stray = np.array([[0.0, 0, 0]]), np.array([[-20.0, 27, 10]])
    assert scenes._passed([many] * 60 + [stray], image).get_fdata().sum() == 1
    assert scenes._passed([many] * 40 + [stray], image).get_fdata().sum() == 2


def test_the_swi_is_cut_out_around_its_regions_and_begins_in_the_left_hand_area():
    scene = viewed.swi()
    drawn = np.any(list(scene.marks.values()), axis=0)
    assert drawn.sum() < drawn.size / 10
    reach = np.abs(apply_affine(scene.affine, [0, 0, 0]) - apply_affine(scene.affine, np.argwhere(drawn)).min(axis=0))
    assert (reach <= 10 + 2 * np.array(viewed.ZOOMS)).all()
    assert np.allclose(scene.start_mm, [-30, 18, 26], atol=5)
    assert scene.images["QSM"].unit == "ppm"
    assert next(iter(scene.marks)) == "deep posterior bank"


def test_an_image_of_too_many_voxels_is_shown_coarser_in_the_same_place(monkeypatch):
    monkeypatch.setattr(scenes, "_MOST_VOXELS", 9000)
    scene = viewed.t1w()
    [grey] = scene.images["T1w"].channels
    assert 7000 < grey.size <= 10_500
    assert np.allclose(middle(scene, grey > 180), LEFT_FRONT, atol=3)


@pytest.mark.parametrize("storage", ["RAS", "LAS"])
def test_a_map_keeps_the_value_and_the_place_of_each_of_its_voxels(storage):
    scene = viewed.group_map(storage)
    values = STATISTIC_STEP * scene.statistic.steps
    assert np.allclose(middle(scene, values < 0), LEFT_LOSS, atol=1)
    assert np.allclose(middle(scene, values > 0), RIGHT_PEAK, atol=1)
    assert set(np.round(np.unique(values), 2)) == {LOSS, 0, GAIN}
    # an odd share of a voxel of 4 mm: its middle is that of a voxel that is shown
    sizes = np.diag(scene.affine)[:3]
    assert np.allclose(sizes, 4 / 3)
    of_file = np.linalg.inv(scene.file_affine) @ scene.affine
    first = apply_affine(of_file, np.indices((3, 3, 3)).reshape(3, -1).T)
    assert np.isclose(first, np.rint(first), atol=1e-3).all(axis=1).sum() == 1
    [survives] = scene.marks.values()
    assert (survives == (values < 0)).all()
    assert np.allclose(scene.start_mm, LEFT_LOSS, atol=9)


@pytest.mark.parametrize("storage", ["RAS", "LAS"])
def test_a_map_of_too_many_voxels_keeps_its_values_and_their_places(monkeypatch, storage):
    """Its voxels are then no whole share of those of the map."""
    monkeypatch.setattr(scenes, "_MOST_VOXELS", 300_000)
    scene = viewed.group_map.__wrapped__(storage)
    share = 4 / np.diag(scene.affine)[0]
    assert abs(share - round(share)) > 0.1
    values = STATISTIC_STEP * scene.statistic.steps
    assert np.allclose(middle(scene, values < 0), LEFT_LOSS, atol=1)
    assert np.allclose(middle(scene, values > 0), RIGHT_PEAK, atol=1)
    assert set(np.round(np.unique(values), 2)) == {LOSS, 0, GAIN}
    [survives] = scene.marks.values()
    assert (survives == (values < 0)).all()


def test_f_has_one_side_and_a_map_begins_in_its_peak():
    scene = viewed.group_map(name="F", peak=RIGHT_PEAK)
    assert scene.statistic.ends[0] == 0 and scene.statistic.steps.min() == 0
    assert scene.start_mm == RIGHT_PEAK
    both = viewed.group_map()
    assert both.statistic.ends[0] == -both.statistic.ends[1]
    assert scene.statistic.colours[0] == both.statistic.colours[len(both.statistic.colours) // 2]


def test_images_of_different_grids_are_refused():
    masks, table = viewed.regions(["precentral"], "LAS")
    images = [viewed.stored(viewed.egg)] * 4
    with pytest.raises(InputError, match="different grids"):
        scenes.t1w_scene(*images, masks, table, file="x")
