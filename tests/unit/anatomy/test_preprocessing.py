"""The brain is saved once, and what is read of it is what would be computed."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.preprocessing import preprocess
from mndmri.grids import make_image, world_coordinates
from mndmri.io import load_image, save_image
from tests.unit.egg import rigid


def stored_as(image, codes):
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(codes)))


@pytest.fixture(scope="module")
def head(brain):
    """The egg in a shaded head, brighter on its left, oblique in the scanner."""
    x = world_coordinates(brain)[..., 0]
    values = (brain.get_fdata() + 30) * np.exp(-x / 80)
    return nb.Nifti1Image(values.astype(np.float32), rigid() @ brain.affine)


@pytest.fixture(scope="module")
def mask(brain, head):
    return make_image((brain.get_fdata() > 0).astype(np.uint8), head)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR"])
def test_the_brain_is_the_corrected_image_within_the_mask_and_its_left_stays_left(head, mask, codes):
    done = preprocess(stored_as(head, codes), own_mask=stored_as(mask, codes))
    inside = np.asarray(done.mask.dataobj) > 0
    t1w, brain = done.t1w.get_fdata(), done.brain.get_fdata()
    np.testing.assert_array_equal(brain, np.where(inside, t1w, 0))
    assert nb.aff2axcodes(done.brain.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(inside, mask.get_fdata() > 0)
    # shading is gone from the image that the brain is cut out of
    x = np.indices(t1w.shape)[0]
    sides = [np.median(t1w[inside & side]) for side in (x < 17, x > 23)]
    before = [np.median(head.get_fdata()[inside & side]) for side in (x < 17, x > 23)]
    assert before[0] / before[1] > 1.5 > 1.2 > sides[0] / sides[1]


def test_a_brain_that_is_read_is_to_the_last_bit_what_image_and_mask_give(head, mask, tmp_path):
    done = preprocess(head, own_mask=mask)
    save_image(done.t1w, tmp_path / "t1w.nii.gz")
    save_image(done.brain, tmp_path / "brain.nii.gz")
    save_image(done.mask, tmp_path / "mask.nii.gz", dtype=np.uint8)
    read = load_image(tmp_path / "brain.nii.gz")
    made = mask_image(load_image(tmp_path / "t1w.nii.gz"), load_image(tmp_path / "mask.nii.gz"))
    assert np.array_equal(np.asarray(read.dataobj), np.asarray(made.dataobj))
    assert np.asarray(read.dataobj).dtype == np.asarray(made.dataobj).dtype == np.float32
    assert np.asarray(read.dataobj).flags.f_contiguous == np.asarray(made.dataobj).flags.f_contiguous
    assert np.array_equal(read.affine, made.affine)
