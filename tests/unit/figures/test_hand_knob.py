"""The hand knobs close up: left is left, what is outlined is where it is, and the projection is the darkest."""

import nibabel as nb
import numpy as np
import pytest
from matplotlib.colors import to_hex

from mndmri.figures import to_png
from mndmri.figures.hand_knob import hand_knob_sheet
from mndmri.figures.slices import CONVENTION, OUTLINE_COLOURS
from mndmri.io import InputError

ZOOMS = (1.5, 1.25, 2.0)
SHAPE = (90, 70, 24)
KNOB = np.array([38.0, -20.0, 12.0])  # mm, x without its sign
STORED = [("RAS", 0), ("LAS", 0), ("PSR", 0), ("LPI", 12)]


def _stored(of_world, storage="RAS", degrees=0.0):
    """Image of a function of world coordinates; turned about the vertical, its axes are no longer the world's."""
    affine = np.eye(4)
    turn = nb.eulerangles.euler2mat(z=np.deg2rad(degrees))
    affine[:3, :3] = turn @ np.diag(ZOOMS)
    affine[:3, 3] = [0, -20, 12] - affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    ijk = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    data = of_world(nb.affines.apply_affine(affine, ijk)).astype(np.float32)
    start, end = nb.orientations.io_orientation(affine), nb.orientations.axcodes2ornt(storage)
    return nb.Nifti1Image(data, affine).as_reoriented(nb.orientations.ornt_transform(start, end))


def _ball(centre, radius):
    return lambda xyz: np.linalg.norm(xyz - centre, axis=-1) < radius


def _knobs(storage="RAS", degrees=0.0):
    return {h: _stored(_ball(KNOB * (s, 1, 1), 9), storage, degrees) for h, s in (("L", -1), ("R", 1))}


def _panels(sheet, kind, hemi=""):
    return [axes for axes in sheet.axes if axes.get_label().startswith(f"{kind} {hemi}")]


def _seen(axes):
    """Values of the picture within the frame, as rows from below, and the mm of their centres to the right."""
    picture = axes.images[0]
    x0, x1, y0, y1 = picture.get_extent()
    data = picture.get_array()
    across = x0 + (np.arange(data.shape[1]) + 0.5) / data.shape[1] * (x1 - x0)
    up = y0 + (np.arange(data.shape[0]) + 0.5) / data.shape[0] * (y1 - y0)
    columns = (across > axes.get_xlim()[0]) & (across < axes.get_xlim()[1])
    rows = (up > axes.get_ylim()[0]) & (up < axes.get_ylim()[1])
    return np.asarray(data)[np.ix_(rows, columns)]


@pytest.mark.parametrize(("storage", "degrees"), STORED)
@pytest.mark.parametrize(("hemi", "sign"), [("L", -1), ("R", 1)])
def test_a_dark_mark_in_one_hand_knob_is_on_that_sides_pictures_only(hemi, sign, storage, degrees):
    mark = _ball(KNOB * (sign, 1, 1), 4)
    swi = _stored(lambda xyz: np.where(mark(xyz), 0.5, 1.0), storage, degrees)
    sheet = hand_knob_sheet(swi, {}, _knobs(storage, degrees), title="sub-01", n_slices=1)
    for side in "LR":
        lowest = [_seen(axes).min() for axes in _panels(sheet, "plain", side)]
        assert lowest == [pytest.approx(0.5 if side == hemi else 1.0)]
    # the person's left is on the left of the page
    left, right = (_panels(sheet, "plain", side)[0].get_position().x0 for side in "LR")
    assert left < right


@pytest.mark.parametrize(("storage", "degrees"), STORED)
def test_the_outer_side_of_the_left_knob_is_on_the_left_of_its_picture(storage, degrees):
    outer = _ball(KNOB * (-1, 1, 1) + [-12, 0, 0], 4)
    swi = _stored(lambda xyz: np.where(outer(xyz), 0.5, 1.0), storage, degrees)
    sheet = hand_knob_sheet(swi, {}, _knobs(storage, degrees), title="sub-01", n_slices=1)
    (axes,) = _panels(sheet, "plain", "L")
    dark = np.nonzero(_seen(axes) < 0.6)[1]
    assert dark.size and dark.max() < _seen(axes).shape[1] / 2
    letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert letters["L"] < 0.5 < letters["R"]
    assert any(CONVENTION in text.get_text() for text in sheet.texts)


def test_outlines_lie_on_their_voxels_in_one_row_only():
    swi = _stored(lambda xyz: np.ones(xyz.shape[:-1]))
    bank = _stored(_ball(KNOB * (-1, 1, 1) + [5, 6, 0], 5))
    sheet = hand_knob_sheet(swi, {"posterior bank": bank}, _knobs(), title="sub-01", n_slices=1)
    for kind in ("plain", "projection"):
        assert all(not axes.collections for axes in _panels(sheet, kind))
    (axes,) = _panels(sheet, "outlined", "L")
    (contour,) = axes.collections
    assert to_hex(contour.get_edgecolor()[0]).upper() == OUTLINE_COLOURS[0]
    vertices = np.concatenate([path.vertices for path in contour.get_paths()])
    corner = nb.affines.apply_affine(swi.affine, [-0.5, -0.5, -0.5])
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2 + corner[:2]
    np.testing.assert_allclose(middle, [-33, -14], atol=1.0)
    (other,) = _panels(sheet, "outlined", "R")
    assert vertices[:, 0].max() < other.get_xlim()[0]


def test_every_picture_is_a_square_of_5_cm_round_the_middle_of_the_knob_with_a_bar_of_1_cm():
    swi = _stored(lambda xyz: np.ones(xyz.shape[:-1]))
    sheet = hand_knob_sheet(swi, {}, _knobs(), title="sub-01", n_slices=2)
    corner = nb.affines.apply_affine(swi.affine, [-0.5, -0.5, -0.5])
    for hemi, sign in (("L", -1), ("R", 1)):
        for axes in _panels(sheet, "plain", hemi):
            limits = np.array([axes.get_xlim(), axes.get_ylim()])
            np.testing.assert_allclose(np.diff(limits, axis=1), 50)
            np.testing.assert_allclose(limits.mean(axis=1) + corner[:2], KNOB[:2] * (sign, 1), atol=1.5)
            bar = axes.get_lines()[0].get_xdata()
            assert bar[1] - bar[0] == pytest.approx(10)
            assert "10 mm" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(("grey", "spread"), [(1.0, 0.05), (0.7, 0.2)])
def test_grey_of_the_knobs_own_voxels_fills_the_scale(grey, spread):
    """Cortex of a real scan that differs by a tenth would be flat grey on a scale made for another sequence."""
    rng = np.random.default_rng(0)
    swi = _stored(lambda xyz: rng.normal(grey, spread, xyz.shape[:-1]) * (np.abs(xyz[..., 0]) < 60))
    swi.get_fdata()[0, 0, 0] = 1000.0  # far from both knobs
    sheet = hand_knob_sheet(swi, {}, _knobs(), title="sub-01", n_slices=1)
    limits = {axes.images[0].get_clim() for side in "LR" for axes in _panels(sheet, "plain", side)}
    ((black, white),) = limits
    assert black == pytest.approx(grey - 2.33 * spread, abs=0.2 * spread)  # percentiles 1 and 97 of a normal one
    assert white == pytest.approx(grey + 1.88 * spread, abs=0.2 * spread)
    assert any(f"from {black:.2f} to {white:.2f}" in text.get_text() for text in sheet.texts)


def test_slices_of_each_side_are_spread_over_its_own_knob():
    swi = _stored(lambda xyz: np.ones(xyz.shape[:-1]))
    knobs = {"L": _stored(_ball([-38, -20, 24], 7)), "R": _stored(_ball([38, -20, 2], 7))}
    sheet = hand_knob_sheet(swi, {}, knobs, title="sub-01", n_slices=3)
    for hemi, height in (("L", 24), ("R", 2)):
        places = [
            float(text.get_text()[4:-3]) for axes in _panels(sheet, "plain", hemi) for text in axes.texts
            if text.get_text().startswith("z = ")
        ]  # fmt: skip
        assert len(set(places)) == 3
        assert all(abs(place - height) < 7 for place in places)


def test_the_projection_is_the_minimum_over_4_mm_and_background_has_no_part_in_it():
    def slab(xyz):
        dark = np.abs(xyz[..., 2] - 9) < 0.5  # one slice, at z = 9 mm
        return np.where((xyz[..., 2] > 15) | (xyz[..., 2] < 4), 0.0, np.where(dark, 0.5, 1.0))

    swi = _stored(slab)
    knobs = {h: _stored(_ball(KNOB * (s, 1, 1), 13)) for h, s in (("L", -1), ("R", 1))}
    sheet = hand_knob_sheet(swi, {}, knobs, title="sub-01", n_slices=11)
    projected = {}
    for axes in _panels(sheet, "projection", "L"):
        z = swi.affine[2, 3] + 2.0 * int(axes.get_label().split()[-1])
        projected[round(z)] = float(np.median(_seen(axes)))
    # two slices of 2 mm: the dark one, and one of its neighbours
    assert projected[9] == 0.5
    assert sum(value == 0.5 for value in projected.values()) == 2
    assert projected[5] == 1.0 == projected[15]
    assert projected[3] == 0.0 == projected[17]
    assert any("minimum over 2 slices, 4 mm" in text.get_text() for text in sheet.texts)


def test_a_knob_outside_the_scan_and_an_empty_outline_are_said_to_be_so():
    nothing = _stored(lambda xyz: np.zeros(xyz.shape[:-1]))
    swi = _stored(lambda xyz: np.ones(xyz.shape[:-1]))
    knobs = _knobs() | {"R": nothing}
    sheet = hand_knob_sheet(swi, {"anterior bank": nothing}, knobs, title="sub-01")
    assert "Right hand knob: not in this scan" in [text.get_text() for text in sheet.texts]
    assert _panels(sheet, "plain", "L") and not _panels(sheet, "plain", "R")
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["anterior bank (empty)"]


def test_more_outlines_than_can_be_told_apart_are_refused():
    swi = _stored(lambda xyz: np.ones(xyz.shape[:-1]))
    with pytest.raises(InputError, match="6 can be distinguished"):
        hand_knob_sheet(swi, {str(n): swi for n in range(7)}, _knobs(), title="sub-01")


def test_the_same_image_makes_the_same_file():
    swi = _stored(lambda xyz: 1 + 0.001 * xyz[..., 0])
    files = {to_png(hand_knob_sheet(swi, {"bank": _knobs()["L"]}, _knobs(), title="s", n_slices=1)) for _ in range(2)}
    assert len(files) == 1
