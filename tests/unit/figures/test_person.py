"""A person's profile and sulcus on the range of the controls, each side on its own panel."""

import numpy as np
import pandas as pd
import pytest

from mndmri.figures.person import person_sheets, profile_on_band, strips_on_band


def profile(few=False):
    rows = [
        (hemi, node, float(node), value, np.nan if few else value - 0.1, np.nan if few else value - 0.2,
         np.nan if few else value)
        for hemi, value in (("L", 0.4), ("R", 0.6))
        for node in range(1, 6)
    ]  # fmt: skip
    columns = ["hemi", "node", "position_mm", "value", "expected", "band_low", "band_high"]
    table = pd.DataFrame(rows, columns=columns).assign(note="too few controls (2)" if few else "")
    return table.sample(frac=1, random_state=1)


def controls():
    return pd.concat([profile().assign(participant_id=f"sub-{n}", value=lambda t, n=n: t["value"] + n) for n in (1, 2)])


def test_each_side_of_a_profile_and_its_range_are_on_its_panel():
    figure = profile_on_band(profile(), controls(), measure="fa").figure
    for axes, (side, value) in zip(figure.axes, (("Left", 0.4), ("Right", 0.6)), strict=True):
        assert axes.get_title() == side
        person = axes.get_lines()[-1]
        np.testing.assert_allclose(person.get_ydata(), value)
        assert list(person.get_xdata()) == [1, 2, 3, 4, 5]
        band = axes.collections[0].get_paths()[0].vertices
        assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((value - 0.2, value))
        assert len(axes.get_lines()) == 2  # no control's own line where there is a range


def test_few_controls_are_drawn_one_by_one():
    sheet = profile_on_band(profile(few=True), controls(), measure="fa")
    lines = sheet.figure.axes[0].get_lines()
    assert sorted(float(own.get_ydata()[0]) for own in lines[:2]) == pytest.approx([1.4, 2.4])
    assert "no range could be computed: too few controls (2)" in sheet.look_for


def test_why_there_is_no_range_is_said_as_it_is():
    """Of a person without an age, not that there are too few controls; a gap of the profile is no reason."""
    table = profile(few=True).assign(note="no age")
    table.iloc[:4, table.columns.get_indexer(["value", "note"])] = [np.nan, "too few voxels"]
    sheet = profile_on_band(table, controls(), measure="fa")
    assert "no range could be computed: no age)" in sheet.look_for


def strip():
    rows = [
        (hemi, bank, arc, depth, "hand", w if bank == "precentral" else 0.0, "swi")
        for hemi, w in (("L", -4.0), ("R", 2.0))
        for bank in ("precentral", "postcentral")
        for arc in (2.0, 6.0)
        for depth in (0.25, 0.75)
    ]
    return pd.DataFrame(rows, columns=["hemi", "bank", "arc", "depth", "part", "w_score", "modality"])


def test_scores_of_each_side_are_on_its_panel_on_a_scale_with_zero_in_the_middle():
    (title, sheet) = next(iter(strips_on_band(strip()).items()))
    assert title.endswith("SWI")
    values = {axes.get_label(): axes.collections[0].get_array() for axes in sheet.figure.axes if axes.collections}
    assert np.nanmin(values["L"]) == -4 and np.nanmax(values["R"]) == 2
    low, high = sheet.figure.axes[0].collections[0].get_clim()
    assert low == -high


def test_a_score_has_the_same_colour_in_every_picture():
    ends = {
        next(iter(strips_on_band(own).values())).figure.axes[0].collections[0].get_clim()
        for own in (strip(), strip().assign(w_score=lambda table: table["w_score"] / 10))
    }
    assert len(ends) == 1


def test_a_strip_without_any_score_is_left_out():
    assert strips_on_band(strip().assign(w_score=np.nan)) == {}


def test_a_person_is_drawn_with_the_own_values_and_the_controls_are_the_others():
    everybody = pd.concat([controls(), profile(few=True).assign(participant_id="sub-3")])
    everybody[["expected", "band_low", "band_high"]] = np.nan
    sheets = person_sheets("sub-1", controls=["sub-1", "sub-2"], profiles=everybody)
    (sheet,) = sheets.values()
    lines = [float(own.get_ydata()[0]) for own in sheet.figure.axes[0].get_lines()]
    assert lines[0] == pytest.approx(2.4) and lines[-1] == pytest.approx(1.4)  # sub-2, and the person on top
    assert 0.4 not in lines
    assert person_sheets("sub-9", controls=["sub-1"], profiles=everybody) == {}
