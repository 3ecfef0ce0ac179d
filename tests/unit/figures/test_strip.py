"""The unfolded sulcus drawn: every patch in its place, left on the left, and what is not known in grey."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex

from mndmri.figures import to_png
from mndmri.figures.strip import NOT_SEEN, group_strips, strip_plot
from mndmri.io import InputError

ARCS, DEPTHS = np.arange(2.0, 42.0, 4.0), np.array([0.25, 0.75])
PARTS = ["leg"] * 3 + [None] * 2 + ["hand"] * 3 + ["face"] * 2
ORDER = ["ALS", "PLS", "control"]


def _strip(value=1.0, **changed):
    """One person's strip; ``changed`` gives values to patches by name."""
    places = pd.MultiIndex.from_product(
        [["L", "R"], ["precentral", "postcentral"], ARCS, DEPTHS], names=["hemi", "bank", "arc", "depth"]
    )
    table = places.to_frame(index=False).assign(value=value, n_voxels=20)
    table["part"] = table["arc"].map(dict(zip(ARCS, PARTS, strict=True)))
    for at, new in changed.items():
        hemi, bank, arc, depth = at.split("_")
        there = (table["hemi"] == hemi) & (table["bank"] == bank) & (table["arc"] == float(arc))
        assert there.any()
        table.loc[there & (table["depth"] == float(depth) / 100), "value"] = new
    return table


def _people(sizes, **bands):
    """Strips of groups; in ``bands`` a group's value in the left hand's deepest precentral patch."""
    strips = [
        _strip(1.0 + 0.01 * n, L_precentral_26_75=bands.get(group, 1.0) + 0.01 * n).assign(
            participant_id=f"sub-{group}{n}", group=group
        )
        for group, size in sizes.items()
        for n in range(size)
    ]
    return pd.concat(strips, ignore_index=True)


def _panel(figure, label):
    (axes,) = [axes for axes in figure.axes if axes.get_label() == label]
    return axes


def _mesh(axes):
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    return mesh


def _at(axes, arc, height):
    """What a panel shows at a place of its axes: value (masked if missing) and the place as shares of its width."""
    mesh = _mesh(axes)
    corners = mesh.get_coordinates()
    column = np.searchsorted(corners[0, :, 0], arc) - 1
    row = np.searchsorted(corners[:, 0, 1], height) - 1
    start, end = axes.get_xlim()
    return mesh.get_array()[row, column], (arc - start) / (end - start)


def test_every_patch_is_where_its_bank_depth_and_arc_are():
    strip = _strip(L_precentral_26_25=0.1, L_precentral_26_75=0.2, L_postcentral_26_75=0.3, L_postcentral_26_25=0.4)
    axes = _panel(strip_plot(strip, title="sub-01", quantity="SWI"), "L")
    shown = [_at(axes, 26, height)[0] for height in (0.75, 0.25, -0.25, -0.75)]  # from above: crown to crown
    assert shown == [0.1, 0.2, 0.3, 0.4]
    assert _at(axes, 22, 0.25)[0] == 1.0
    assert dict(zip(axes.get_yticks(), [t.get_text() for t in axes.get_yticklabels()], strict=True)) == {
        -1.0: "crown", -0.5: "postcentral", 0.0: "fundus", 0.5: "precentral", 1.0: "crown"
    }  # fmt: skip
    assert any(np.allclose(line.get_ydata(), 0) for line in axes.get_lines())  # the fundus


@pytest.mark.parametrize(("hemi", "other"), ["LR", "RL"])
def test_a_mark_on_one_side_is_on_that_sides_panel_with_the_midline_between_both(hemi, other):
    figure = strip_plot(_strip(**{f"{hemi}_precentral_38_75": 0.1}), title="sub-01", quantity="SWI")
    marked, clean = _panel(figure, hemi), _panel(figure, other)
    value, share = _at(marked, 38, 0.25)
    assert value == 0.1
    # the face is the outer end: far left for the person's left
    assert share < 0.2 if hemi == "L" else share > 0.8
    assert (_mesh(clean).get_array() == 1.0).all()
    figure.draw_without_rendering()
    assert _panel(figure, "L").get_position().x1 < _panel(figure, "R").get_position().x0
    assert [_panel(figure, side).get_title() for side in "LR"] == ["Left", "Right"]


def test_parts_of_the_body_are_named_over_their_own_stretch():
    axes = _panel(strip_plot(_strip(), title="sub-01", quantity="SWI"), "R")
    (above,) = axes.child_axes
    named = dict(zip([t.get_text() for t in above.get_xticklabels()], above.get_xticks(), strict=True))
    assert named == {"leg": 6.0, "hand": 26.0, "face": 36.0}


def test_a_patch_without_a_value_is_grey_and_the_colour_bar_has_the_unit():
    strip = _strip(L_precentral_26_25=np.nan, R_precentral_2_25=0.5)
    figure = strip_plot(strip, title="sub-01", quantity="Susceptibility", unit="ppm")
    axes = _panel(figure, "L")
    assert np.ma.is_masked(_at(axes, 26, 0.75)[0])
    assert to_hex(_mesh(axes).get_cmap().get_bad()).upper() == NOT_SEEN
    assert "Susceptibility (ppm)" in [axes.get_ylabel() for axes in figure.axes]


def test_both_sides_have_one_colour_scale_and_a_given_window_is_kept():
    strip = _strip(L_precentral_26_25=0.2, R_precentral_2_25=3.0)
    for window, expected in (((0.5, 1.5), (0.5, 1.5)), (None, None)):
        figure = strip_plot(strip, title="sub-01", quantity="SWI", window=window)
        left, right = (_mesh(_panel(figure, hemi)).norm for hemi in "LR")
        assert (left.vmin, left.vmax) == (right.vmin, right.vmax)
        assert expected is None or (left.vmin, left.vmax) == expected


def test_each_group_has_its_mean_and_every_other_its_difference_from_the_reference():
    strips = _people({"ALS": 3, "PLS": 1, "control": 2}, ALS=0.7)
    figure = group_strips(strips, groups=ORDER, reference="control", quantity="SWI")
    assert _at(_panel(figure, "ALS (n = 3) L"), 26, 0.25)[0] == pytest.approx(0.71)
    assert _at(_panel(figure, "PLS (n = 1) L"), 26, 0.25)[0] == pytest.approx(1.0)
    assert _at(_panel(figure, "control (n = 2) L"), 26, 0.25)[0] == pytest.approx(1.005)
    difference = _panel(figure, "ALS − control L")
    assert _at(difference, 26, 0.25)[0] == pytest.approx(0.71 - 1.005)
    assert _at(difference, 22, 0.25)[0] == pytest.approx(0.005)
    assert _at(_panel(figure, "ALS − control R"), 26, 0.25)[0] == pytest.approx(0.005)
    assert not any("control − control" in axes.get_label() for axes in figure.axes)


def test_differences_are_shown_symmetrically_about_0_on_one_scale():
    strips = _people({"ALS": 2, "PLS": 2, "control": 2}, ALS=0.7, PLS=1.1)
    figure = group_strips(strips, groups=ORDER, reference="control", quantity="Susceptibility", unit="ppm")
    norms = [_mesh(_panel(figure, f"{group} − control {hemi}")).norm for group in ("ALS", "PLS") for hemi in "LR"]
    assert all(norm.vmin == -norm.vmax < 0 for norm in norms)
    assert len({norm.vmax for norm in norms}) == 1
    assert "difference from control (ppm)" in [axes.get_ylabel() for axes in figure.axes]


def test_patches_seen_in_too_few_people_are_grey():
    strips = _people({"ALS": 4, "control": 4})
    at = (strips["hemi"] == "R") & (strips["bank"] == "precentral") & (strips["arc"] == 6) & (strips["depth"] == 0.75)
    strips.loc[at & strips["participant_id"].isin(["sub-ALS0", "sub-ALS1", "sub-ALS2"]), "value"] = np.nan
    for min_share, grey in ((0.5, True), (0.25, False)):
        figure = group_strips(strips, groups=ORDER, reference="control", quantity="SWI", min_share=min_share)
        for label in ("ALS (n = 4) R", "ALS − control R"):
            assert np.ma.is_masked(_at(_panel(figure, label), 6, 0.25)[0]) == grey
        assert not np.ma.is_masked(_at(_panel(figure, "control (n = 4) R"), 6, 0.25)[0])


def test_people_without_any_value_are_not_counted_and_a_group_of_them_is_left_out():
    strips = _people({"ALS": 3, "PLS": 1, "control": 2})
    strips.loc[strips["participant_id"].isin(["sub-ALS2", "sub-PLS0"]), "value"] = np.nan
    labels = {axes.get_label() for axes in group_strips(strips, groups=ORDER, reference="control", quantity="S").axes}
    assert {"ALS (n = 2) L", "control (n = 2) R"} < labels
    assert not any("PLS" in label for label in labels)


def test_without_anyone_in_the_reference_group_there_are_means_alone():
    strips = _people({"ALS": 2, "PLS": 2})
    figure = group_strips(strips, groups=ORDER, reference="control", quantity="SWI")
    labels = {axes.get_label() for axes in figure.axes}
    assert {"ALS (n = 2) L", "PLS (n = 2) R"} < labels
    assert not any("−" in label for label in labels)


def test_what_cannot_be_drawn_is_refused_with_the_reason():
    with pytest.raises(InputError, match="no patch"):
        strip_plot(_strip(np.nan), title="sub-01", quantity="SWI")
    with pytest.raises(InputError, match="twice"):
        strip_plot(pd.concat([_strip(), _strip()]), title="sub-01", quantity="SWI")
    coarse = _strip().query("depth > 0.5").assign(participant_id="sub-x", group="ALS")
    with pytest.raises(InputError, match="sub-x"):
        both = pd.concat([_people({"control": 2}), coarse])
        group_strips(both, groups=ORDER, reference="control", quantity="SWI")


def test_the_order_of_rows_does_not_matter_and_the_same_strips_make_the_same_file():
    strips = _people({"ALS": 2, "control": 2}, ALS=0.7)
    tables = [strips, strips.sample(frac=1, random_state=1), strips]
    files = [to_png(group_strips(t, groups=ORDER, reference="control", quantity="SWI"), dpi=60) for t in tables]
    assert files[0] == files[2] == files[1]
