"""Where a map lies relative to the T1w image."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image, to_canonical
from mndmri.maps.alignment import align_map, alignment_offset
from mndmri.registration.transforms import make_field, resample
from tests.unit.anatomy.test_signal import Brain
from tests.unit.egg import rigid


@pytest.fixture(scope="module")
def head() -> Brain:
    return Brain()


def tissue(head: Brain) -> dict:
    fluid = np.clip(head.mask.get_fdata() - head.gm.get_fdata() - head.wm.get_fdata(), 0, 1)
    return {"gm": head.gm, "wm": head.wm, "csf": make_image(fluid.astype(np.float32), head.grid)}


def offset(rows) -> float:
    return float(rows.set_index("measure").loc["alignment_offset", "value"])


@pytest.mark.parametrize("contrast", ["t1w", "flair", "t2w"])
def test_a_map_in_its_place_has_no_offset_whatever_its_contrast(head, contrast):
    rows = alignment_offset(head.scan(contrast), tissue(head), np.eye(4), modality="x")
    assert offset(rows) == 0
    assert rows.set_index("measure").loc["alignment_fit", "value"] > 0.8


@pytest.mark.parametrize("shift", [(5.0, 0, 0), (0, -4.0, 0), (3.0, 0, 4.0)])
def test_a_map_that_is_declared_aligned_and_is_not_shows_how_far_it_is_off(head, shift):
    image = head.scan("flair")
    moved = nb.Nifti1Image(image.dataobj, nb.affines.from_matvec(np.eye(3), shift) @ image.affine)
    rows = alignment_offset(moved, tissue(head), np.eye(4), modality="x")
    assert offset(rows) == pytest.approx(np.linalg.norm(shift), abs=1.5)


def test_noise_has_no_offset_and_says_why(head):
    noise = make_image(np.random.default_rng(1).uniform(1, 2, head.grid.shape).astype(np.float32), head.grid)
    rows = alignment_offset(noise, tissue(head), np.eye(4), modality="x").set_index("measure")
    assert np.isnan(rows.loc["alignment_offset", "value"])
    assert "wherever it lies" in rows.loc["alignment_offset", "status"]


def test_a_map_that_is_nearly_constant_has_no_offset_and_says_why(head):
    values = np.where(head.mask.get_fdata() > 0, 3.0, 0)
    values[24, 24, 24] = 9
    rows = alignment_offset(make_image(values, head.grid), tissue(head), np.eye(4), modality="x")
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"nearly all of the map is 3 in the brain, its alignment cannot be judged"}


def test_a_map_is_registered_by_another_image_of_its_grid(head):
    pose = rigid((3.0, -2.0, 4.0), (4.0, -3.0, 5.0))
    reference = resample(head.scan("flair", noise=0.01), head.grid, [np.linalg.inv(pose)])
    values = make_image(np.random.default_rng(1).uniform(1, 2, head.grid.shape).astype(np.float32), head.grid)
    values.dataobj[0, 0, 0] = np.nan
    image, to_map = align_map(
        values, head.mask, quantity="value", brain=head.scan("t1w", noise=0.01), registered=reference
    )
    np.testing.assert_allclose(to_map, pose, atol=0.5)
    assert image.get_fdata()[0, 0, 0] == 0
    np.testing.assert_array_equal(image.get_fdata()[1:], np.asarray(values.dataobj)[1:])


def test_a_map_in_template_space_is_brought_to_the_t1w_image(head):
    shift = np.array([4.0, 0, 0])
    field = make_field(np.broadcast_to(shift, (*head.grid.shape, 3)), head.grid)
    in_template = head.scan("flair", noise=0)
    image, to_map = align_map(in_template, head.mask, quantity="value", from_template=(head.grid, field))
    np.testing.assert_array_equal(to_map, np.eye(4))
    np.testing.assert_allclose(image.get_fdata()[:-2], in_template.get_fdata()[2:], atol=1e-3)


def test_at_the_edge_of_what_a_map_in_template_space_shows_no_value_is_mixed_with_none(head):
    """Half a voxel off the grid every value at the edge of white matter would be half of it."""
    field = make_field(np.broadcast_to([1.0, 0, 0], (*head.grid.shape, 3)), head.grid)
    of_white_matter = make_image(np.where(head.wm.get_fdata() > 0.5, 40.0, 0), head.grid)
    image, _ = align_map(of_white_matter, head.mask, quantity="value", from_template=(head.grid, field))
    assert (image.get_fdata() != 0).sum() > 1000
    np.testing.assert_allclose(image.get_fdata()[image.get_fdata() != 0], 40, rtol=1e-5)


def test_a_signal_is_corrected_for_its_bias_field_and_a_value_is_not(head):
    shaded = head.scan("flair", shading=0.3)
    value, _ = align_map(shaded, head.mask, quantity="value")
    signal, _ = align_map(shaded, head.mask, quantity="signal")
    np.testing.assert_array_equal(value.get_fdata(), to_canonical(shaded).get_fdata(dtype=np.float32))
    white = head.wm.get_fdata() > 0.95
    spread = [np.ptp(np.quantile(image.get_fdata()[white], [0.05, 0.95])) for image in (value, signal)]
    assert spread[1] / np.median(signal.get_fdata()[white]) < 0.5 * spread[0] / np.median(value.get_fdata()[white])


def test_of_the_t1w_image_itself_nothing_is_judged(head):
    rows = alignment_offset(head.scan("flair"), {}, np.eye(4), modality="t1w")
    assert rows["value"].isna().all() and set(rows["status"]) == {"the T1w image itself"}
