"""Small pictures of a step: left is left, outlines lie where the mask is, and few bytes are taken."""

from io import BytesIO

import nibabel as nb
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mndmri.figures.slices import OUTLINE_COLOURS, OUTLINES_ON_COLOUR
from mndmri.figures.thumbnails import colour_fa_thumbnail, contour_thumbnail, template_thumbnail, to_webp
from tests.unit.figures.test_slices import STORED, _head, _left_marker, _stored

FIRST = np.rint(255 * np.array(to_rgb(OUTLINE_COLOURS[0])))


def _is(picture, colour, tolerance=2):
    return (np.abs(picture.astype(float) - colour) <= tolerance).all(axis=-1)


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_the_left_of_an_axial_slice_is_the_participants_left(storage, degrees):
    head, marker = (_stored(own, storage, degrees) for own in (_head, _left_marker))
    picture = contour_thumbnail(head, {"marker": marker, "head": head})
    width = picture.shape[1]
    assert picture.dtype == np.uint8 and 400 < width < 470
    # the second of four slices goes from a fifth to two fifths of the picture, the coronal one from there to two thirds
    columns = np.flatnonzero(_is(picture, FIRST).any(axis=0)) / width
    axial, coronal = columns[columns < 0.43], columns[(columns > 0.43) & (columns < 0.7)]
    assert degrees or 0.22 < axial.mean() < 0.3  # a slice of a tilted head may pass the marker by
    assert coronal.size and coronal.mean() < 0.52


def test_an_outline_is_the_edge_of_its_mask_and_one_pixel_thin():
    head, marker = _stored(_head, "RAS", 0), _stored(_left_marker, "RAS", 0)
    picture = contour_thumbnail(head, {"marker": marker})
    edge = _is(picture, FIRST)
    assert edge.any(axis=0).sum() >= 4
    inside = contour_thumbnail(head, {"marker": nb.Nifti1Image(np.zeros(head.shape, np.float32), head.affine)})
    assert not _is(inside, FIRST).any()


def test_the_sagittal_slice_is_the_one_through_the_first_mask():
    """Of a tract on one side, the middle of the head shows nothing."""
    head, marker = _stored(_head, "RAS", 0), _stored(_left_marker, "RAS", 0)
    picture = contour_thumbnail(head, {"marker": marker, "head": head})
    assert _is(picture[:, -100:], FIRST).any()


def test_directions_have_their_colours():
    fa = _stored(lambda xyz: 0.8 * (np.linalg.norm(xyz / [26, 40, 33], axis=-1) < 1), "RAS", 0)
    up = nb.Nifti1Image(np.broadcast_to(np.float32([0, 0, 1]), (*fa.shape, 3)).copy(), fa.affine)
    picture = colour_fa_thumbnail(fa, up, {"tract": _stored(_left_marker, "RAS", 0)})
    blue = (picture[..., 2] > 200) & (picture[..., :2] < 60).all(axis=-1)
    assert blue.mean() > 0.2
    white = np.rint(255 * np.array(to_rgb(OUTLINES_ON_COLOUR[0])))
    assert _is(picture, white).any()


def test_a_template_is_outlined_by_its_brain_and_its_white_matter():
    def levels(xyz):
        return (_head(xyz) > 0) * (100.0 + 0.5 * xyz[..., 0] + 100 * (np.linalg.norm(xyz, axis=-1) < 15))

    template = _stored(levels, "RAS", 0)
    picture = template_thumbnail(template, template)
    second = np.rint(255 * np.array(to_rgb(OUTLINE_COLOURS[1])))
    assert _is(picture, FIRST).any() and _is(picture, second).any()


def test_a_picture_is_a_small_webp_of_the_same_size():
    picture = contour_thumbnail(_stored(_head, "RAS", 0), {"head": _stored(_head, "RAS", 0)})
    made = to_webp(picture)
    assert len(made) < 15_000
    assert np.asarray(Image.open(BytesIO(made))).shape == picture.shape
