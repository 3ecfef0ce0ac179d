"""Contact sheets: left is left, and what is outlined is where it is in the world."""

import nibabel as nb
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from mndmri.figures import to_png
from mndmri.figures.slices import (
    CONVENTION,
    OUTLINE_COLOURS,
    colour_fa_sheet,
    contour_sheet,
    template_sheet,
)
from mndmri.io import InputError

SHAPE = (28, 36, 24)
ZOOMS = (2.0, 2.5, 3.0)


def _affine(storage, *, degrees=0.0):
    """Affine with the brain's middle at the origin; ``oblique`` is turned about all three axes."""
    a, b, c = np.deg2rad([degrees, 0.7 * degrees, -0.5 * degrees])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rx @ ry @ rz @ np.diag(ZOOMS)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    to_storage = nb.orientations.ornt_transform(
        nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage)
    )
    return affine, to_storage


STORED = [("RAS", 0), ("LAS", 0), ("LPI", 0), ("PSR", 0), ("RAS", 18), ("LAS", 18)]


def _stored(data_of_world, storage, degrees):
    """Image of a function of world coordinates, stored in the order asked for."""
    affine, to_storage = _affine(storage, degrees=degrees)
    ijk = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    data = data_of_world(nb.affines.apply_affine(affine, ijk))
    image = nb.Nifti1Image(data.astype(np.float32), affine).as_reoriented(to_storage)
    if degrees == 0:
        assert "".join(nb.aff2axcodes(image.affine)) == storage
    return image


def _head(xyz):
    return 100.0 * (np.linalg.norm(xyz / [26, 40, 33], axis=-1) < 1)


def _left_marker(xyz):
    return np.linalg.norm(xyz - [-14, 8, 6], axis=-1) < 7


def _drawn(figure, view):
    """Pixels, as (height, width, 3) of 0 to 1, of each picture of a view, its crop opened to the whole image.

    So that the middle of a picture is the middle of the head.
    """
    for axes in figure.axes:
        axes.set(xlim=axes.images[0].get_extent()[:2], ylim=axes.images[0].get_extent()[2:])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = np.asarray(canvas.buffer_rgba())[..., :3] / 255.0
    for axes in figure.axes:
        if axes.get_label().startswith(view):
            box = axes.get_window_extent()
            rows = slice(page.shape[0] - int(box.y1), page.shape[0] - int(box.y0))
            yield page[rows, int(box.x0) : int(box.x1)]


def _share_left(pictures, colour):
    """Of the pixels of a colour, the share in the left halves of the pictures."""
    left = everywhere = 0
    for pixels in pictures:
        found = np.linalg.norm(pixels - np.array(to_rgb(colour)), axis=-1) < 0.15
        left += found[:, : found.shape[1] // 2].sum()
        everywhere += found.sum()
    assert everywhere > 20, "the marker is not in the pictures"
    return left / everywhere


@pytest.mark.parametrize(("storage", "degrees"), STORED)
@pytest.mark.parametrize("view", ["axial", "coronal"])
def test_a_marker_on_the_persons_left_is_outlined_in_the_left_half(view, storage, degrees):
    head = _stored(_head, storage, degrees)
    sheet = contour_sheet(head, {"marker": _stored(_left_marker, storage, degrees)}, title="sub-01", n_slices=2)
    assert _share_left(_drawn(sheet, view), OUTLINE_COLOURS[0]) == 1.0


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_a_bright_spot_on_the_persons_left_is_shown_in_the_left_half(storage, degrees):
    image = _stored(lambda xyz: 0.2 * _head(xyz) + 100 * _left_marker(xyz), storage, degrees)
    marker = _stored(_left_marker, storage, degrees)
    sheet = contour_sheet(image, {"marker": marker}, title="sub-01", n_slices=1)
    for axes in sheet.axes:
        for text in list(axes.texts):  # letters are bright too
            text.remove()
    assert _share_left(_drawn(sheet, "axial"), "white") == 1.0


def test_an_outline_lies_where_its_mask_is_in_the_world_whatever_the_masks_own_grid():
    head = _stored(_head, "RAS", 0)
    affine = np.diag([-4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [60, -60, -60]
    ijk = np.stack(np.meshgrid(*[np.arange(31)] * 3, indexing="ij"), axis=-1)
    marker = _left_marker(nb.affines.apply_affine(affine, ijk))
    other_grid = nb.Nifti1Image(marker.astype(np.uint8), affine)
    sheet = contour_sheet(head, {"marker": other_grid}, title="sub-01", n_slices=1)
    axial = next(axes for axes in sheet.axes if axes.get_label().startswith("axial"))
    vertices = np.concatenate([path.vertices for path in axial.collections[0].get_paths()])
    # picture coordinates are mm from the corner of the field of view
    corner = nb.affines.apply_affine(head.affine, [-0.5, -0.5, -0.5])
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2 + corner[:2]
    np.testing.assert_allclose(middle, [-14, 8], atol=2.5)


def test_pictures_keep_the_proportions_of_the_head():
    sheet = contour_sheet(_stored(_head, "RAS", 0), {}, title="sub-01", n_slices=2)
    x0, x1, y0, y1 = sheet.axes[0].images[0].get_extent()
    assert (x1 - x0, y1 - y0) == pytest.approx((SHAPE[0] * 2.0, SHAPE[1] * 2.5))
    assert sheet.axes[0].get_aspect() == 1.0


def test_left_and_right_and_the_convention_are_written_on_the_sheet():
    sheet = contour_sheet(_stored(_head, "LAS", 0), {}, title="sub-01", n_slices=2)
    for axes in sheet.axes:
        letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
        first, last = ("P", "A") if axes.get_label().startswith("sagittal") else ("L", "R")
        assert letters[first] < 0.5 < letters[last]
    assert any(CONVENTION in text.get_text() for text in sheet.texts)


def test_the_place_of_a_slice_is_written_in_world_millimetres():
    head = _stored(_head, "LAS", 0)
    marker = _stored(_left_marker, "LAS", 0)
    sheet = contour_sheet(head, {"marker": marker}, title="sub-01", n_slices=1)
    texts = [text.get_text() for axes in sheet.axes for text in axes.texts]
    places = {text[0]: float(text.split("=")[1].split()[0]) for text in texts if "=" in text}
    assert places == pytest.approx({"x": -14, "y": 8, "z": 6}, abs=3)


@pytest.mark.parametrize(("axis", "colour"), [(0, "red"), (1, "lime"), (2, "blue")])
@pytest.mark.parametrize(("storage", "degrees"), STORED[:2] + STORED[4:])
def test_colour_of_a_fibre_tells_its_direction_in_the_world(axis, colour, storage, degrees):
    fa = _stored(lambda xyz: 0.9 * _left_marker(xyz), storage, degrees)
    directions = np.zeros((*fa.shape, 3), np.float32)
    directions[..., axis] = -1.0  # a direction and its opposite are one fibre
    sheet = colour_fa_sheet(fa, nb.Nifti1Image(directions, fa.affine), {}, title="sub-01", n_slices=2)
    assert _share_left(_drawn(sheet, "axial"), colour) > 0.9


def test_directions_without_three_components_are_refused():
    fa = _stored(_head, "RAS", 0)
    wrong = nb.Nifti1Image(np.zeros((*SHAPE, 2), np.float32), fa.affine)
    with pytest.raises(InputError, match="is expected"):
        colour_fa_sheet(fa, wrong, {}, title="sub-01", n_slices=2)


def test_template_sheet_outlines_the_brain_and_the_white_matter_of_the_template():
    def brain(xyz):
        r = np.linalg.norm(xyz / [24, 36, 30], axis=-1)
        return np.select([r < 0.6, r < 0.85, r < 1], [900, 600, 200], 0)

    template = _stored(brain, "RAS", 0)
    sheet = template_sheet(template, template, title="sub-01", n_slices=1)
    widths = [np.ptp(c.get_paths()[0].vertices[:, 0]) for c in sheet.axes[0].collections]
    assert widths == pytest.approx([48, 0.6 * 48], abs=4)


def test_template_with_values_everywhere_is_refused():
    everywhere = _stored(lambda xyz: np.ones(xyz.shape[:-1]), "RAS", 0)
    with pytest.raises(InputError, match="without skull"):
        template_sheet(everywhere, everywhere, title="sub-01")


def test_an_empty_mask_is_named_as_empty():
    empty = _stored(lambda xyz: np.zeros(xyz.shape[:-1]), "RAS", 0)
    sheet = contour_sheet(_stored(_head, "RAS", 0), {"brain": empty}, title="sub-01")
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["brain (empty)"]


@pytest.mark.parametrize(
    ("data", "message"), [(np.zeros((4, 5, 6, 2)), "3D"), (np.full((4, 5, 6), np.nan), "no finite value")]
)
def test_what_cannot_be_shown_is_refused_with_the_reason(data, message):
    with pytest.raises(InputError, match=message):
        contour_sheet(nb.Nifti1Image(data, np.eye(4)), {}, title="sub-01", n_slices=2)


def test_missing_and_constant_values_are_drawn():
    data = np.full(SHAPE, 3.0, np.float32)
    data[:5] = np.nan
    contour_sheet(nb.Nifti1Image(data, np.eye(4)), {}, title="sub-01", n_slices=2)


def test_the_same_image_makes_the_same_file_and_is_not_changed():
    head = _stored(_head, "LAS", 18)
    before = np.array(head.dataobj)
    marker = {"marker": _stored(_left_marker, "LAS", 18)}
    files = {to_png(contour_sheet(head, marker, title="sub-01", n_slices=2)) for _ in range(2)}
    assert len(files) == 1
    assert files.pop().startswith(b"\x89PNG")
    np.testing.assert_array_equal(before, head.dataobj)
