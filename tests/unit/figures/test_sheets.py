"""Frames of a sheet: other images at the same places, sides kept."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mndmri.figures.sheets import Sheet, draw_frames
from mndmri.figures.slices import contour_sheet, show_instead
from tests.unit.figures.test_slices import STORED, _drawn, _head, _left_marker, _share_left, _stored


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_what_takes_the_place_of_an_image_keeps_its_sides(storage, degrees):
    plain = _stored(_head, storage, degrees)
    marked = _stored(lambda xyz: 0.2 * _head(xyz) + 100 * _left_marker(xyz), storage, degrees)
    sheet = contour_sheet(plain, {}, title="sub-01", n_slices=5)
    show_instead(sheet, marked)
    for axes in sheet.axes:
        for text in list(axes.texts):
            text.remove()
    for view in ("axial", "coronal"):
        assert _share_left(_drawn(sheet, view), "white") == 1.0


def test_frames_show_the_same_slices_with_the_same_outlines_and_grey_scales_of_their_own():
    head, dim = (_stored(lambda xyz, k=k: k * _head(xyz) * (2 + (xyz[..., 1] < 0)), "LAS", 0) for k in (1, 0.01))
    other = _stored(lambda xyz: 0.2 * _head(xyz) + 100 * _left_marker(xyz), "LAS", 0)
    figure = contour_sheet(head, {"head": head}, title="sub-01", n_slices=2)
    drawn = draw_frames(Sheet(figure, "this", "that", {"first": head, "dim": dim, "other": other}))
    assert list(drawn) == ["first", "dim", "other"]
    pictures = {name: np.asarray(Image.open(BytesIO(data)).convert("L"), int) for name, data in drawn.items()}
    assert len({own.shape for own in pictures.values()}) == 1
    assert np.abs(pictures["first"] - pictures["dim"]).mean() < 1
    assert np.abs(pictures["first"] - pictures["other"]).mean() > 5


def test_a_sheet_without_frames_is_one_picture():
    figure = contour_sheet(_stored(_head, "RAS", 0), {}, title="sub-01", n_slices=1)
    assert list(draw_frames(Sheet(figure, "this"))) == [""]


def test_no_slice_is_shown_twice_where_a_mask_is_thinner_than_the_number_of_slices():
    thin = _stored(lambda xyz: np.abs(xyz[..., 2]) < 4, "RAS", 0)
    sheet = contour_sheet(_stored(_head, "RAS", 0), {"thin": thin}, title="sub-01", n_slices=6)
    labels = [axes.get_label() for axes in sheet.axes]
    assert len(labels) == len(set(labels))
    assert sum(label.startswith("axial") for label in labels) <= 3


def test_places_of_a_template_say_so_and_those_of_the_scanner_do_not():
    head = _stored(_head, "RAS", 0)
    for space, beginning, footer in (("scanner", "z", "of the scanner"), ("MNI152X", "MNI z", "template (MNI152X)")):
        sheet = contour_sheet(head, {}, title="sub-01", n_slices=1, space=space, views=("axial",))
        (place,) = [text.get_text() for text in sheet.axes[0].texts if "=" in text.get_text()]
        assert place.split(" =")[0] == beginning
        assert any(footer in text.get_text() for text in sheet.texts)
