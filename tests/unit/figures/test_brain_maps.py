"""Pictures of maps: an outline where it is significant, colour on the side it is on, and words where nothing is."""

import nibabel as nb
import numpy as np
import pytest
from matplotlib.image import AxesImage

from mndmri.figures import to_png
from mndmri.figures.brain_maps import brain_map
from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError


@pytest.fixture(scope="module")
def template():
    """An egg of the brain's size, 4 mm."""
    affine = np.array([[4.0, 0, 0, -76], [0, 4.0, 0, -108], [0, 0, 4.0, -70], [0, 0, 0, 1]])
    image = nb.Nifti1Image(np.zeros((39, 46, 39), np.float32), affine)
    inside = np.linalg.norm((world_coordinates(image) - (0, -18, 6)) / (70, 85, 70), axis=-1) < 1
    return make_image(np.where(inside, 100.0, 0).astype(np.float32), image)


def spot(template, xyz, *, value=-5.0, mm=14):
    inside = np.linalg.norm(world_coordinates(template) - xyz, axis=-1) < mm
    return make_image((value * inside).astype(np.float32), template), make_image(2.0 * inside, template)


def slices(figure, view):
    return {a.get_label(): a for a in figure.axes if str(a.get_label()).startswith(view)}


def blue_and_red(figure, view):
    """Columns of the pictures of a view, 0 to 1 from left to right, that are blue, and that are red."""
    columns = {"blue": [], "red": []}
    for axes in slices(figure, view).values():
        (picture,) = [child for child in axes.get_children() if isinstance(child, AxesImage)]
        colour = np.asarray(picture.get_array())
        for name, more, less in (("blue", 2, 0), ("red", 0, 2)):
            found = np.nonzero(colour[..., more] > colour[..., less] + 0.1)[1]
            columns[name] += list(found / colour.shape[1])
    return columns


@pytest.mark.parametrize("side", [-1, 1])
def test_a_loss_is_blue_on_its_side_of_axial_and_coronal_pictures(template, side):
    figure = brain_map(*spot(template, (side * 38, -20, 30)), template, title="VBM: ALS-control")
    for view in ("axial", "coronal"):
        columns = blue_and_red(figure, view)
        assert columns["blue"] and not columns["red"]
        assert all((column < 0.5) == (side < 0) for column in columns["blue"])
        texts = [text.get_text() for axes in slices(figure, view).values() for text in axes.texts]
        assert texts.count("L") == texts.count("R") == len(slices(figure, view))


def test_a_map_stored_from_right_to_left_gives_the_same_picture(template):
    maps = spot(template, (-38, -20, 30))
    affine = template.affine @ np.array([[-1, 0, 0, template.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turned = [nb.Nifti1Image(m.get_fdata(dtype=np.float32)[::-1], affine) for m in maps]
    first, other = (to_png(brain_map(*own, template, title="x"), dpi=50) for own in (maps, turned))
    assert first == other


def outlined(figure, view):
    """Names of the pictures of a view with an outline."""
    return {name for name, axes in slices(figure, view).items() if axes.collections}


def scale(figure):
    """Name and ends of the scale of colours."""
    (axes,) = [axes for axes in figure.axes if axes.get_title() in ("t", "F")]
    return axes.get_title(), *axes.get_ylim()


def sum_of(template, *images):
    return make_image(sum(image.get_fdata() for image in images).astype(np.float32), template)


def test_what_is_significant_is_in_full_colour_with_an_outline_and_its_volume_is_told(template):
    statistic, log_p = spot(template, (-38, -20, 30), value=6.0)
    weak, _ = spot(template, (38, -20, 30), value=-3.0)
    both = sum_of(template, statistic, weak)
    figure = brain_map(both, log_p, template, title="x", alpha=0.05)
    columns = blue_and_red(figure, "axial")
    assert columns["red"] and not columns["blue"]
    where = {name for name in slices(figure, "axial") if abs(4 * int(name.split()[1]) - 70 - 30) < 13}
    assert where and outlined(figure, "axial") == where
    ml = np.count_nonzero(statistic.get_fdata()) * 0.064
    assert f"p < 0.05, corrected over the brain: higher in {ml:.1f} ml" in [text.get_text() for text in figure.texts]


def test_where_nothing_is_significant_the_statistic_is_there_without_an_outline(template):
    statistic, log_p = spot(template, (38, -20, 30), value=6.0)
    figure = brain_map(statistic, log_p, template, title="x", alpha=0.001)
    assert blue_and_red(figure, "axial")["red"]
    assert not outlined(figure, "axial") | outlined(figure, "coronal")
    assert "nothing at p < 0.001, corrected over the brain" in [text.get_text() for text in figure.texts]
    assert any("Outlines and glass brain: p < 0.001" in text.get_text() for text in figure.texts)


def test_what_is_not_significant_is_the_paler_the_smaller_it_is(template):
    redness = []
    for value in (2.0, 4.0, 8.0):
        maps = sum_of(
            template, spot(template, (-38, -20, 30), value=8.0)[0], spot(template, (38, -20, 30), value=value)[0]
        )
        none = make_image(np.zeros(template.shape, np.float32), template)
        pictures = slices(brain_map(maps, none, template, title="x"), "axial").values()
        right = [np.asarray(axes.images[0].get_array())[:, 20:] for axes in pictures]
        redness.append(max((colour[..., 0] - colour[..., 2]).max() for colour in right))
    assert 0 < redness[0] < 0.1 < redness[1] < redness[2]


def test_a_voxel_without_variance_does_not_pale_all_others(template):
    rng = np.random.default_rng(3)
    values = rng.normal(size=template.shape) * (template.get_fdata() > 0)
    values[20, 20, 20] = 1e4
    none = make_image(np.zeros(template.shape, np.float32), template)
    name, low, high = scale(brain_map(make_image(values.astype(np.float32), template), none, template, title="x"))
    assert name == "t" and high == -low
    assert 2.5 < high < 2.65  # 99% of the absolute values of a normal distribution lie below 2.58


def test_a_statistic_with_one_side_shows_no_negative_values(template):
    positive, log_p = spot(template, (-38, -20, 30), value=9.0)
    both = sum_of(template, positive, spot(template, (38, -20, 30), value=-40.0)[0])
    figure = brain_map(both, log_p, template, title="x", name="F", sides=("different",))
    assert scale(figure) == ("F", 0, 9)
    columns = blue_and_red(figure, "axial")
    assert columns["red"] and not columns["blue"]


def test_an_empty_result_is_a_picture_that_says_so(template):
    none = make_image(np.zeros(template.shape, np.float32), template)
    figure = brain_map(none, none, template, title="VBM: PLS-control")
    texts = [text.get_text() for text in figure.texts]
    assert "nothing at p < 0.05, corrected over the brain" in texts
    assert "VBM: PLS-control" in texts
    assert to_png(figure, dpi=40)[:4] == b"\x89PNG"


def test_maps_of_two_grids_are_refused(template):
    statistic, log_p = spot(template, (-38, -20, 30))
    with pytest.raises(InputError, match="different grids"):
        brain_map(statistic, log_p.slicer[1:], template, title="x")


def places(figure, view):
    return [int(name.split()[1]) for name in slices(figure, view)]


def crosses(figure, view):
    """Place in mm of the picture of every cross on a view, by the name of its slice."""
    found = {name: [line.get_xydata()[0] for line in axes.lines] for name, axes in slices(figure, view).items()}
    return {name: own for name, own in found.items() if own}


def test_slices_go_through_the_peaks_and_a_cross_is_on_each(template):
    maps = spot(template, (-38, -20, 30), value=6.0)
    voxel = np.rint(np.linalg.inv(template.affine) @ [-38, -20, 30, 1]).astype(int)[:3]
    peak = (template.affine @ [*voxel, 1])[:3]
    figure = brain_map(*maps, template, title="x", peaks=[peak])
    for view, axis, across, up in (("axial", 2, 0, 1), ("coronal", 1, 0, 2)):
        [(name, [where])] = crosses(figure, view).items()
        assert name == f"{view} {voxel[axis]}"
        assert where == pytest.approx([(voxel[across] + 0.5) * 4, (voxel[up] + 0.5) * 4])
    plain = brain_map(*maps, template, title="x")
    assert len(slices(plain, "axial")) == len(slices(figure, "axial")) == 14
    assert crosses(plain, "axial") == {}


def test_more_peaks_than_slices_leave_each_slice_once_and_the_first_peaks_have_theirs(template):
    maps = spot(template, (-38, -20, 30), value=6.0)
    peaks = [(0, 0, -38 + 4 * n) for n in range(25)]
    figure = brain_map(*maps, template, title="x", peaks=peaks)
    shown = places(figure, "axial")
    assert len(shown) == len(set(shown)) == 14 and shown == sorted(shown)
    first = {round((z + 70) / 4) for _, _, z in peaks[:14]}
    assert first == set(shown)
