"""A person's visits: which panel shows what, and which frame which visit."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.figures.own_visits import months_plot, visit_sheets
from mndmri.figures.sheets import draw_frames
from mndmri.figures.slices import show_instead

FA = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}
VOLUME = {"modality": "t1w", "measure": "volume", "region": "precentral", "hemi": "R"}


def visits(row, *seen):
    """Rows of one measure, (session, months, value)."""
    return pd.DataFrame([row | {"session": s, "months": m, "value": v, "unit": "1"} for s, m, v in seen])


def bands(row, low, high):
    return pd.DataFrame([row | {"band_low": low, "band_high": high}])


def test_a_panel_shows_the_visits_on_the_range_of_the_controls():
    rows = pd.concat([visits(FA, ("ses-1", 0, 0.5), ("ses-2", 6, 0.4)), visits(VOLUME, ("ses-1", 0, 12.0))])
    figure = months_plot(rows, bands(FA, 0.45, 0.6), rows=[FA, VOLUME], baseline="ses-2")
    fa, volume = [axes for axes in figure.axes if axes.get_visible()]
    assert fa.get_label() == "dwi fa cst L" and volume.get_label() == "t1w volume precentral R"
    line, filled = fa.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0.5], [6, 0.4]])
    np.testing.assert_array_equal(filled.get_xydata(), [[6, 0.4]])
    [band] = fa.patches
    assert (band.get_y(), band.get_height()) == pytest.approx((0.45, 0.15)) and not volume.patches
    assert "Grey: range of the controls" in figure.get_supxlabel()


def test_without_a_range_none_is_told_of():
    figure = months_plot(visits(FA, ("ses-1", 0, 0.5)), bands(FA, np.nan, np.nan), rows=[FA], baseline="ses-1")
    assert "No range of the controls" in figure.get_supxlabel()


def test_visits_without_months_or_values_make_no_plot():
    rows = visits(FA, ("ses-1", np.nan, 0.5), ("ses-2", 6, np.nan))
    assert months_plot(rows, bands(FA, 0.4, 0.6), rows=[FA], baseline="ses-1") is None


def head(left: float, right: float) -> nb.Nifti1Image:
    """A box of one value on the left of the midline and another on the right; stored from right to left."""
    data = np.zeros((20, 22, 24), np.float32)
    x = 38 - 4 * np.arange(20)  # mm of the voxels
    data[4:16, 4:18, 4:20] = np.where(x < 0, left, right)[4:16, None, None]
    data[6:14, 6:16, 6:18] *= 1.5  # template_edges looks for three classes
    data[8:12, 8:14, 8:16] *= 1.3
    return nb.Nifti1Image(data, nb.affines.from_matvec(np.diag([-4, 4, 4]), [38, -44, -48]))


def test_every_visit_is_a_frame_and_left_stays_left():
    images = {"T1w image": {"ses-1": head(1, 1), "ses-2": head(2, 1)}, "FA": {"ses-1": head(1, 1)}}
    sheets = visit_sheets("sub-01", images, head(1, 1))
    assert list(sheets) == ["T1w image of every visit"]  # FA has one visit
    [sheet] = sheets.values()
    assert list(draw_frames(sheet)) == ["ses-1", "ses-2"]
    show_instead(sheet.figure, sheet.frames["ses-2"])
    axial = [axes for axes in sheet.figure.axes if str(axes.get_label()).startswith("axial")]
    shown = np.mean([axes.get_images()[0].get_array() for axes in axial], axis=0)
    middle = shown.shape[1] // 2
    assert shown[:, :middle].sum() > 1.5 * shown[:, middle:].sum()
