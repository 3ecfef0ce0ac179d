"""Head motion, eddy currents and lost slices, against heads for which they are known."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.diffusion.gradients import Gradients, read_gradients, rotate, to_fsl
from mndmri.diffusion.motion import estimate_motion, framewise_displacement, replace_outliers
from mndmri.diffusion.resampling import resample_series
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical, world_coordinates
from tests.unit.diffusion.heads import (
    AFFINE,
    GRID,
    PHASE,
    SHAPE,
    STILL,
    brain,
    core,
    field,
    head,
    known_motions,
    moved_series,
    rigid,
    table_of_directions,
)


def known_eddy(table):
    """Scaling and shears of up to 3% that follow the gradients."""
    mixing = np.random.default_rng(7).uniform(-0.03, 0.03, (3, 3))
    return table.bvecs @ mixing


def distances(found, known):
    """How far apart two transforms put the points of the brain, mean of each volume, mm."""
    points = world_coordinates(GRID)[core()][::50]
    return np.array(
        [
            np.linalg.norm(nb.affines.apply_affine(a, points) - nb.affines.apply_affine(b, points), axis=1).mean()
            for a, b in zip(found, known, strict=True)
        ]
    )


def direction_error(fit, truth):
    """Median angle between main directions, degrees."""
    cosine = np.abs(np.sum(fit.v1.get_fdata() * truth, axis=-1))[core()]
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, 0, 1)))))


def read_as_stored(series, table, codes):
    """Series and table as they are read from files in a storage order."""
    stored = series.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(codes)))
    return to_canonical(stored), read_gradients(table.bvals, to_fsl(table.bvecs, stored.affine), stored.affine)


def test_moved_head_gives_the_directions_of_the_still_one():
    motions = known_motions()
    dwi, read = read_as_stored(*moved_series(motions), "LAS")
    truth = head(world_coordinates(dwi))[1]
    mask = make_image(core(), dwi)

    motion = estimate_motion(dwi, read, brain(dwi))
    aligned, turned = resample_series(dwi, motion.transforms), rotate(read, motion.rigid)

    points = world_coordinates(dwi)[core()][::50]
    for found, known in zip(motion.rigid, motions, strict=True):
        distance = nb.affines.apply_affine(found, points) - nb.affines.apply_affine(known, points)
        assert np.linalg.norm(distance, axis=1).mean() < 2.0
    assert motion.displacement[0] == 0
    assert motion.displacement[1:].min() > 3
    corrected = direction_error(fit_tensor(aligned, turned, mask), truth)
    not_turned = direction_error(fit_tensor(aligned, read, mask), truth)
    wrong_way = direction_error(fit_tensor(aligned, rotate(read, np.linalg.inv(motion.rigid)), mask), truth)
    assert corrected < 2
    assert corrected < not_turned < wrong_way


@pytest.mark.parametrize("codes", ["LAS", "RAS", "PSR"])
def test_what_is_estimated_from_does_not_depend_on_the_order_of_storage(codes):
    series, table = moved_series(STILL)
    dwi, read = read_as_stored(series, table, codes)
    np.testing.assert_array_equal(dwi.dataobj, series.dataobj)
    np.testing.assert_allclose(dwi.affine, AFFINE, atol=1e-12)
    np.testing.assert_allclose(read.bvecs, table.bvecs, atol=1e-12)
    np.testing.assert_array_equal(read.bvals, table.bvals)


def test_still_head_is_left_where_it_is():
    series, table = moved_series(STILL)
    motion = estimate_motion(series, table, brain(series), axis=1)
    points = world_coordinates(series)[core()][::50]
    for found in motion.transforms:
        assert np.linalg.norm(nb.affines.apply_affine(found, points) - points, axis=1).max() < 0.3
    assert motion.displacement.max() < 0.5
    assert not motion.outliers.any()


def test_framewise_displacement_adds_shifts_and_arcs():
    transforms = np.array([np.eye(4), rigid([0, 0, 0], [1, -2, 0.5]), rigid([0, 0, 0], [1, -2, 0.5])])
    turn = rigid([np.degrees(0.02), 0, 0], [0, 0, 0])
    np.testing.assert_allclose(framewise_displacement(transforms, centre=np.zeros(3)), [0, 3.5, 0])
    found = framewise_displacement(np.array([np.eye(4), turn]), centre=np.zeros(3))
    np.testing.assert_allclose(found, [0, 50 * 0.02])


def test_eddy_currents_are_undone_and_followed_by_their_gradients():
    motions, table = known_motions(2, 2), table_of_directions()
    eddy = known_eddy(table)
    series, table = moved_series(motions, eddy)
    unit = AFFINE[:3, PHASE] / np.linalg.norm(AFFINE[:3, PHASE])
    truth = np.array(
        [(np.eye(4) + np.pad(np.outer(unit, bend), (0, 1))) @ m for bend, m in zip(eddy, motions, strict=True)]
    )

    found = estimate_motion(series, table, brain(series), axis=PHASE)
    without = estimate_motion(series, table, brain(series))

    left, blind = distances(found.transforms, truth), distances(without.transforms, truth)
    assert left.mean() < 0.7
    assert left.mean() < 0.6 * blind.mean()
    bends = found.transforms[:, 1, :3] - found.rigid[:, 1, :3]
    assert np.corrcoef(bends[2:].ravel(), eddy[2:].ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(without.transforms, without.rigid)
    # nothing but the phase axis is bent
    np.testing.assert_allclose(found.transforms[:, [0, 2]], found.rigid[:, [0, 2]])


def test_a_moving_head_takes_its_field_along():
    motions = known_motions(5, 3)
    series, table = moved_series(motions, strength=1.0)
    at_rest, _ = moved_series(STILL)
    displacement = make_image(field(world_coordinates(GRID)).astype(np.float32), GRID)
    found = estimate_motion(series, table, brain(series), displacement=displacement, axis=PHASE)
    assert distances(found.rigid, motions).mean() < 0.7

    inside = brain(series).get_fdata() > 0
    truth = at_rest.get_fdata()[inside][:, :2].mean(axis=1)
    errors = {}
    for name, options in (("with", {"displacement": displacement, "axis": PHASE}), ("without", {})):
        b0 = resample_series(series, found.transforms, **options).get_fdata()[inside][:, :2].mean(axis=1)
        errors[name] = np.abs(b0 - truth).mean() / truth.mean()
    assert errors["with"] < 0.06
    assert errors["with"] < errors["without"] / 2


LOST = {4: [10, 11], 9: [20]}


def with_lost_slices(series):
    data = np.array(series.dataobj)
    for volume, slices in LOST.items():
        data[:, :, slices, volume] *= 0.3
    return make_image(data, series)


def lost_slices(motion):
    return {int(n): list(np.flatnonzero(row)) for n, row in enumerate(motion.outliers) if row.any()}


def test_lost_slices_of_a_moving_head_are_found_and_no_others():
    series, table = moved_series(known_motions(3, 2))
    assert lost_slices(estimate_motion(with_lost_slices(series), table, brain(series), axis=PHASE)) == LOST


def test_lost_slices_of_a_still_head_are_found_and_come_back_from_the_other_volumes():
    series, table = moved_series(STILL)
    spoilt = with_lost_slices(series)
    motion = estimate_motion(spoilt, table, brain(series), axis=PHASE)
    assert lost_slices(motion) == LOST
    mended, share = replace_outliers(spoilt, spoilt, table, motion)
    there = np.zeros(SHAPE, bool)
    there[:, :, [10, 11, 20]] = True
    there &= core()
    mask = make_image(core(), series)
    fa = {
        name: fit_tensor(image, table, mask).maps["fa"].get_fdata()[there]
        for name, image in (("truth", series), ("spoilt", spoilt), ("mended", mended))
    }
    error = {name: np.abs(fa[name] - fa["truth"]).mean() for name in ("spoilt", "mended")}
    assert error["mended"] < 0.02
    assert error["mended"] < error["spoilt"] / 5
    untouched = share == 0
    np.testing.assert_array_equal(mended.get_fdata()[untouched], spoilt.get_fdata()[untouched])


def test_no_slice_is_lost_if_nobody_asks():
    series, table = moved_series(STILL)
    # seven directions, one of which has lost slices
    few, of_few = with_lost_slices(series).slicer[..., :9], Gradients(table.bvals[:9], table.bvecs[:9])
    assert not estimate_motion(few, of_few, brain(series), outlier_sd=None).outliers.any()
