"""Streamlines, levels and displacement stand on their own side, where they are in the world."""

import nibabel as nb
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mndmri.figures.tract import displacement_sheet, levels_sheet
from tests.unit.figures.test_slices import STORED, _drawn, _head, _share_left, _stored


def ball(centre, radius=6.0):
    return lambda xyz: np.linalg.norm(xyz - centre, axis=-1) < radius


def line(x):
    """A streamline from below to above at a place to the left or to the right."""
    return np.column_stack([np.full(40, x), np.full(40, 2.0), np.linspace(-20, 22, 40)])


def mm_of(axes, image):
    """World millimetres of the steps of streamlines on one picture, across and up."""
    corner = nb.affines.apply_affine(image.affine, [-0.5, -0.5, -0.5])
    across, up = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[axes.get_label().split()[0]]
    steps = [p.vertices for own in axes.collections if own.get_zorder() == 1 for p in own.get_paths()]
    return np.concatenate(steps) + corner[[across, up]] if steps else np.empty((0, 2))


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_streamline_lies_where_it_is_in_the_world(sign):
    fa = _stored(lambda xyz: 0.5 * _head(xyz) / 100, "RAS", 0)
    levels = {"low": _stored(ball([-14, 2, -8]), "RAS", 0), "high": _stored(ball([14, 2, 8]), "RAS", 0)}
    sheet = levels_sheet(fa, levels, {"left": [line(14.0 * sign)]}, title="sub-01")
    coronal = [axes for axes in sheet.axes if axes.get_label().startswith("coronal")]
    found = np.concatenate([mm_of(axes, fa) for axes in coronal])
    assert len(found)
    np.testing.assert_allclose(found[:, 0], 14.0 * sign, atol=0.01)
    assert found[:, 1].min() >= -20.01 and found[:, 1].max() <= 22.01
    # only on slices that it passes
    near = [axes for axes in coronal if len(mm_of(axes, fa))]
    places = [float(t.get_text().split("=")[1].split()[0]) for a in near for t in a.texts if "y = " in t.get_text()]
    assert places and all(abs(place - 2) <= 4 for place in places)


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_a_streamline_on_the_persons_left_is_in_the_left_half(storage, degrees):
    fa = _stored(lambda xyz: 0.3 * _head(xyz) / 100, storage, degrees)
    level = {"level": _stored(ball([0, 2, 0], 9), storage, degrees)}
    sheet = levels_sheet(fa, level, {"left": [line(-14.0)] * 5}, title="sub-01")
    for axes in sheet.axes:
        for text in list(axes.texts):  # letters are white too
            text.remove()
        for own in axes.collections:
            own.set_linewidth(3)
    assert _share_left(_drawn(sheet, "coronal"), "white") == 1.0


def test_there_is_an_axial_slice_through_the_middle_of_each_level_and_none_twice():
    fa = _stored(lambda xyz: 0.5 * _head(xyz) / 100, "RAS", 0)
    heights = {"low": -18, "same as low": -18, "middle": 0, "high": 15}
    levels = {name: _stored(ball([10, 2, z]), "RAS", 0) for name, z in heights.items()}
    sheet = levels_sheet(fa, levels, {}, title="sub-01")
    axial = [t.get_text() for a in sheet.axes if a.get_label().startswith("axial") for t in a.texts]
    found = sorted(float(text.split("=")[1].split()[0]) for text in axial if text.startswith("z = "))
    assert found == pytest.approx([-18, 0, 15], abs=2)
    labels = [axes.get_label() for axes in sheet.axes]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_displacement_on_the_persons_left_is_coloured_in_the_left_half(storage, degrees):
    b0 = _stored(lambda xyz: _head(xyz) * (2 + (xyz[..., 1] < 0)), storage, degrees)  # bright behind
    moved = _stored(lambda xyz: 3.0 * ball([-14, -8, 6], 8)(xyz), storage, degrees)
    sheet = displacement_sheet(b0, moved, title="sub-01")
    for axes in list(sheet.axes):
        if axes.get_label() == "scale":
            axes.remove()
    left = right = 0
    for pixels in _drawn(sheet, "axial"):
        coloured = np.ptp(pixels, axis=-1) > 0.2
        half = coloured.shape[1] // 2
        left, right = left + coloured[:, :half].sum(), right + coloured[:, half:].sum()
    assert left > 100 and right == 0


def test_the_colours_of_displacement_have_zero_in_their_middle_and_a_scale():
    b0 = _stored(_head, "RAS", 0)
    moved = _stored(lambda xyz: np.where(xyz[..., 0] < 0, -2.0, 1.0), "RAS", 0)
    sheet = displacement_sheet(b0, moved, title="sub-01")
    FigureCanvasAgg(sheet).draw()
    (scale,) = [axes for axes in sheet.axes if axes.get_label() == "scale"]
    low, high = scale.get_xlim()
    assert low == pytest.approx(-2) and high == pytest.approx(2)
    assert "displacement (mm), positive to R, A or S" in [text.get_text() for text in sheet.texts]
