"""Transforms go the way they say they go, and two runs give the same."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.registration import register as reg
from mndmri.registration import transforms
from mndmri.registration.transforms import map_points
from tests.unit.egg import AFFINE, rigid


def test_a_matrix_takes_output_points_to_input_points(brain):
    shift = np.eye(4)
    shift[:3, 3] = [3, 6, -9]  # whole voxels
    moved = transforms.resample(brain, brain, [shift]).get_fdata()
    np.testing.assert_allclose(moved[10:30, 10:30, 10:20], brain.get_fdata()[11:31, 12:32, 7:17], atol=1e-2)


def test_a_chain_is_met_in_the_order_given(brain):
    turn, shift = rigid(shift=(0, 0, 0)), np.eye(4)
    shift[:3, 3] = [9, 0, 0]
    chained = transforms.resample(brain, brain, [turn, shift])
    product = transforms.resample(brain, brain, [shift @ turn])
    np.testing.assert_allclose(chained.get_fdata(), product.get_fdata(), atol=1e-3)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("seed", range(5))
def test_an_image_on_its_own_oblique_grid_keeps_its_border(seed, interpolation):
    rng = np.random.default_rng(seed)
    affine = rigid(rng.uniform(-30, 30, 3), rng.uniform(-90, 90, 3)) @ np.diag([2, 2.5, 3, 1])
    image = nb.Nifti1Image(rng.uniform(1, 2, (7, 8, 9)).astype(np.float32), affine)
    same = transforms.resample(image, image, interpolation=interpolation)
    np.testing.assert_allclose(same.get_fdata(), image.get_fdata(), atol=1e-5)
    # what lies beyond the edge has none
    assert not transforms.resample(image, image, [rigid((0, 0, 0), (90, 0, 0))]).get_fdata().any()


def test_a_composed_field_does_what_its_parts_do(brain):
    parts = [rigid(), np.linalg.inv(rigid((2, 1, -5), (1, 2, 3)))]
    field = transforms.compose(parts, brain)
    middle = (slice(8, -8),) * 3
    whole, one = transforms.resample(brain, brain, parts), transforms.resample(brain, brain, [field])
    np.testing.assert_allclose(one.get_fdata()[middle], whole.get_fdata()[middle], atol=0.05)


def test_an_inverse_matrix_before_a_field_is_taken_as_it_is(brain):
    # left to itself, ANTs turns a matrix round when a field follows it
    field = transforms.compose([np.eye(4)], brain)
    inverse = np.linalg.inv(rigid())
    expected = transforms.resample(brain, brain, [inverse]).get_fdata()[6:-6, 6:-6, 6:-6]
    found = transforms.resample(brain, brain, [inverse, field]).get_fdata()[6:-6, 6:-6, 6:-6]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_a_shift_to_the_right_is_stored_in_the_axes_of_itk_and_read_as_it_was_meant(brain):
    shift = np.broadcast_to([3.0, 6.0, -9.0], (*brain.shape, 3))
    field = transforms.make_field(shift, brain)
    assert field.shape == (*brain.shape, 1, 3) and field.header.get_intent()[0] == "vector"
    np.testing.assert_array_equal(np.asarray(field.dataobj)[4, 5, 6, 0], [-3, -6, -9])
    np.testing.assert_allclose(map_points(np.array([[1.0, 2.0, 3.0]]), [field]), [[4, 8, -6]])


def test_a_series_is_resampled_volume_by_volume(brain):
    series = make_image(np.stack([brain.get_fdata(), 2 * brain.get_fdata()], axis=-1), brain)
    moved = transforms.resample(series, brain, [rigid()]).get_fdata()
    np.testing.assert_allclose(moved[..., 1], 2 * moved[..., 0], rtol=1e-4, atol=1e-2)


def test_head_motion_is_found_with_its_sign(brain):
    moved = transforms.resample(brain, brain, [rigid()])
    found = reg.register_rigid(moved, brain)
    points = np.array([[20.0, 10, 5], [-20, -10, 0], [0, 20, 10]])
    np.testing.assert_allclose(
        nb.affines.apply_affine(found, points), nb.affines.apply_affine(rigid(), points), atol=0.3
    )


def test_the_left_stays_left_for_every_storage_order(brain):
    marked = brain.get_fdata().copy()
    marked[8:12] *= 3  # x from -36 to -24 mm: the left
    marked = make_image(marked, brain)
    stored = marked.as_reoriented(np.array([[0, -1], [1, 1], [2, 1]]))
    assert nb.aff2axcodes(stored.affine) == ("L", "A", "S")
    np.testing.assert_allclose(
        transforms.resample(stored, brain).get_fdata(), transforms.resample(marked, brain).get_fdata(), atol=1e-2
    )


def bent(image):
    """Image bent by a smooth field of up to 4 mm."""
    xyz = world_coordinates(image)
    where = (xyz + 4 * np.sin(xyz[..., [1, 2, 0]] / 25) - AFFINE[:3, 3]) / 3.0
    return make_image(
        ndimage.map_coordinates(image.get_fdata(), np.moveaxis(where, -1, 0), order=1).astype(np.float32), image
    )


def halves(image):
    """Two tissues, bright and dark."""
    bright = np.clip((image.get_fdata() - 60) / 80, 0, 1)
    inside = image.get_fdata() > 0
    return make_image(np.stack([bright, inside - bright * inside], axis=-1).astype(np.float32), image)


def mirrored(image):
    """The brain in a mirror, on the same grid."""
    return make_image(image.get_fdata()[::-1].astype(np.float32), image)


WAYS = [("ants", False), ("ants", True), ("greedy", False), ("greedy", True)]


@pytest.fixture(scope="module", params=WAYS, ids=["ants", "ants-tissue", "greedy", "greedy-tissue"])
def warp(request, brain):
    return bent(brain), _register(brain, bent(brain), *request.param)


def _register(fixed, moving, engine, by_tissue):
    tissue = (halves(fixed), halves(moving)) if by_tissue else None
    return reg.register_deformable(fixed, moving, engine=engine, tissue=tissue, iterations=(40, 20, 10))


def test_a_warp_brings_both_images_onto_each_other(brain, warp):
    bend, found = warp
    inside = brain.get_fdata() > 0
    before = np.corrcoef(bend.get_fdata()[inside], brain.get_fdata()[inside])[0, 1]
    there = transforms.resample(bend, brain, [found.moving_to_fixed]).get_fdata()[inside]
    inside_bend = bend.get_fdata() > 0
    back = transforms.resample(brain, bend, [found.fixed_to_moving]).get_fdata()[inside_bend]
    assert np.corrcoef(there, brain.get_fdata()[inside])[0, 1] > before + 0.5 * (1 - before)
    assert np.corrcoef(back, bend.get_fdata()[inside_bend])[0, 1] > before + 0.5 * (1 - before)


def test_there_and_back_is_where_it_began(brain, warp):
    _, found = warp
    points = world_coordinates(brain)[ndimage.binary_erosion(brain.get_fdata() > 0, iterations=2)]
    there_and_back = transforms.map_points(points, [found.moving_to_fixed, found.fixed_to_moving])
    assert np.linalg.norm(there_and_back - points, axis=-1).max() < 1.0  # a third of a voxel


def test_a_warp_does_not_fold_and_keeps_volume_in_account(brain, warp):
    bend, found = warp
    change = reg.jacobian_determinant(found.moving_to_fixed)
    assert change.get_fdata()[brain.get_fdata() > 0].min() > 0
    there = transforms.resample(bend, brain, [found.moving_to_fixed])
    modulated = (there.get_fdata() * change.get_fdata()).sum()
    assert modulated == pytest.approx(bend.get_fdata().sum(), rel=0.01)


@pytest.mark.parametrize("engine", ["ants", "greedy"])
def test_brains_in_a_mirror_have_the_warp_in_a_mirror(brain, engine):
    seen, mirror = (
        reg.register_deformable(fixed, moving, engine=engine, iterations=(40, 20, 0)).moving_to_fixed.get_fdata()
        for fixed, moving in ((brain, bent(brain)), (mirrored(brain), mirrored(bent(brain))))
    )
    inside = brain.get_fdata() > 0
    expected = (mirror[::-1] * (-1, 1, 1))[inside]
    assert np.median(np.linalg.norm(seen[inside] - expected, axis=-1)) < 0.5
    assert np.median(np.linalg.norm(seen[inside], axis=-1)) > 2


@pytest.mark.parametrize(("engine", "by_tissue"), WAYS)
def test_two_deformable_runs_agree_to_the_last_bit(brain, engine, by_tissue):
    first, second = (_register(brain, bent(brain), engine, by_tissue) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.get_fdata(), other.get_fdata())


@pytest.mark.parametrize("engine", ["ants", "greedy"])
def test_a_brain_that_is_cut_is_not_drawn_out_over_what_it_lacks(brain, engine):
    """A bent brain, whole and without its right end: what is left has the way that it had."""
    moving = bent(brain)
    along = np.flatnonzero(moving.get_fdata().any(axis=(1, 2)))
    recorded = np.zeros(moving.shape, np.uint8)
    recorded[: along[-1] - 5] = 1  # of voxels of 3 mm
    cut = make_image(moving.get_fdata(dtype=np.float32) * recorded, moving)
    ways = {"engine": engine, "iterations": (40, 20, 10)}

    def register(image, **options):
        return reg.register_deformable(brain, image, tissue=(halves(brain), halves(image)), **ways, **options)

    whole = register(moving, recorded=make_image(np.ones(moving.shape, np.uint8), moving))
    np.testing.assert_array_equal(whole.moving_to_fixed.get_fdata(), register(moving).moving_to_fixed.get_fdata())
    points = world_coordinates(brain)[brain.get_fdata() > 0]
    end = nb.affines.apply_affine(moving.affine, [along[-1] - 6, 0, 0])[0]
    there = map_points(points, [whole.moving_to_fixed])
    points, there = points[there[:, 0] < end], there[there[:, 0] < end]
    near = there[:, 0] > end - 15

    def error(**options):
        found = map_points(points, [register(cut, **options).moving_to_fixed])
        return np.linalg.norm(found - there, axis=-1)[near].mean()

    told = error(recorded=make_image(recorded, moving))
    assert told < 1.5  # half a voxel
    assert told < 0.6 * error()


def test_ants_refuses_a_brain_that_may_be_cut_without_its_tissue(brain):
    recorded = make_image(np.ones(brain.shape, np.uint8), brain)
    with pytest.raises(InputError, match="by its tissue alone, and none was given; give tissue, or use greedy"):
        reg.register_deformable(brain, brain, recorded=recorded, engine="ants")


def test_the_jacobian_of_a_shrinking_is_its_volume(brain):
    shrink = np.diag([0.9, 0.8, 0.7, 1.0])
    change = reg.jacobian_determinant(transforms.compose([shrink], brain)).get_fdata()[5:-5, 5:-5, 5:-5]
    np.testing.assert_allclose(change, 0.9 * 0.8 * 0.7, rtol=1e-3)


def test_two_runs_agree_to_the_last_bit(brain):
    moved = transforms.resample(brain, brain, [rigid()])
    first, second = (reg.register_rigid(moved, brain) for _ in range(2))
    assert np.array_equal(first, second)


def test_resampling_agrees_with_ants(brain, warp, tmp_path):
    import ants

    bend, found = warp
    matrix = rigid((2, -1, 3), (1, 2, -1))
    nb.save(found.moving_to_fixed, tmp_path / "field.nii.gz")
    lps = np.diag([-1.0, -1, 1, 1])
    affine = ants.create_ants_transform(
        transform_type="AffineTransform",
        precision="double",
        dimension=3,
        matrix=(lps @ matrix @ lps)[:3, :3],
        translation=(lps @ matrix @ lps)[:3, 3],
    )
    ants.write_transform(affine, str(tmp_path / "matrix.mat"))
    names = [str(tmp_path / "matrix.mat"), str(tmp_path / "field.nii.gz")]
    fixed, moving = (ants.from_nibabel_nifti(nb.Nifti1Image(i.get_fdata(), i.affine)) for i in (brain, bend))
    expected = ants.apply_transforms(fixed, moving, names, whichtoinvert=[False, False]).numpy()
    ours = transforms.resample(bend, brain, [matrix, found.moving_to_fixed]).get_fdata()
    middle = (slice(4, -4),) * 3
    np.testing.assert_allclose(ours[middle], expected[middle], atol=0.5)


def test_labels_stay_labels_and_cubic_follows_a_smooth_map_more_closely(brain):
    xyz = world_coordinates(brain)
    labels = make_image((xyz[..., 0] > 0).astype(np.float32) * 7, brain)
    turned = transforms.resample(labels, brain, [rigid()], interpolation="nearest").get_fdata()
    assert set(np.unique(turned)) == {0, 7}
    smooth = make_image(np.sin(xyz[..., 1] / 6).astype(np.float32), brain)
    half = np.eye(4)
    half[1, 3] = 1.5
    truth = np.sin((xyz[..., 1] + 1.5) / 6)[:, 6:-6]
    errors = {
        kind: np.abs(transforms.resample(smooth, brain, [half], interpolation=kind).get_fdata()[:, 6:-6] - truth).max()
        for kind in ("linear", "cubic")
    }
    assert errors["cubic"] < errors["linear"] / 3


@pytest.mark.parametrize("engine", ["ants", "greedy"])
def test_where_tissue_is_not_compared_the_field_follows_from_around(brain, engine):
    inside = brain.get_fdata() > 0
    xyz = world_coordinates(brain)
    away = np.linalg.norm(xyz - xyz[inside].mean(axis=0), axis=-1)
    core = inside & (away < 14)

    def tissue(grey_core):
        """White matter all through, but for a core that is grey in as large a part as one likes."""
        grey = inside & (away < grey_core)
        return make_image(np.stack([grey, inside & ~grey], axis=-1).astype(np.float32), brain)

    def shift(**options):
        found = reg.register_deformable(
            brain, brain, tissue=(tissue(14), tissue(7)), engine=engine, iterations=(40, 20, 10), **options
        )
        points = xyz[core]
        return np.linalg.norm(map_points(points, [found.moving_to_fixed]) - points, axis=-1)

    elsewhere = make_image((away > 24).astype(np.uint8), brain)
    led, left = shift(), shift(compared=elsewhere)
    assert np.median(led) > 3
    # ants blurs the images before it looks where to compare them, so that some of the core is seen from outside
    assert np.median(left) < (0.1 if engine == "greedy" else 0.5) * np.median(led)


def test_a_map_of_one_region_is_resampled_as_any_image_is():
    """It is looked up only near the region, edges of the image included, and comes out to the last bit."""
    rng = np.random.default_rng(3)
    data = np.zeros((20, 24, 22, 3), np.float32)
    data[4:9, 10:12, 21:, 0] = rng.random((5, 2, 1))
    data[0, 0, 0, 1] = 1
    image, grid = nb.Nifti1Image(data, np.diag([2, 2, 2, 1])), nb.Nifti1Image(np.zeros((40, 40, 40)), np.eye(4))
    turn = rigid((10, -20, 5), (1, 2, 3))
    where = np.moveaxis(nb.affines.apply_affine(turn, world_coordinates(grid)) / 2, -1, 0)
    for interpolation, order in (("nearest", 0), ("linear", 1), ("cubic", 3)):
        found = np.asarray(transforms.resample(image, grid, [turn], interpolation=interpolation).dataobj)
        for n in range(3):
            expected = ndimage.map_coordinates(data[..., n], where, order=order, output=np.float32)
            np.testing.assert_array_equal(found[..., n], expected)
        assert found[..., 0].any() and not found[..., 2].any()
