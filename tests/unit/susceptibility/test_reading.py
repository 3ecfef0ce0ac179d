"""What a reader sees of the motor strip lies where it is in the head, on its own side."""

import numpy as np
import pytest

from mndmri.io import InputError
from mndmri.susceptibility.reading import OUTLINED, PROJECTION_MM, read_strip
from tests.unit.strips import BAND_MM, DARK, LEFT_FRONT, ORIGIN, RIGHT_BAND, SIZES, TISSUE, head


def reading(own=None, **options):
    own = dict(own or head())
    chosen = {"swi": own.pop("swi"), "chi": own.pop("chi")} | options
    return read_strip(own["masks"], own["table"], own["mni_mm"], **chosen)


def values(layer, number):
    low, high = layer.range
    return low + layer.slices[number] / 255 * (high - low)


def place(image, number, is_there):
    """Middle of the pixels for which a condition holds, as a share of the width and of the height."""
    rows, columns = np.nonzero(is_there(values(image, number)))
    height, width = image.slices[number].shape
    return columns.mean() / width, rows.mean() / height


@pytest.mark.parametrize("las", [False, True], ids=["RAS", "LAS"])
def test_left_of_the_participant_is_left_on_the_picture_and_anterior_is_above(las):
    swi = reading(head(las=las)).layers["swi"]
    across, down = place(swi, 3, lambda v: v > 1.4)
    assert across < 0.35
    assert down < 0.25


def test_band_is_seen_on_the_right_side_in_its_own_slices_alone():
    read = reading()
    z = np.array(read.mni_z_mm)
    assert z == pytest.approx(z[0] + SIZES[2] * np.arange(len(z)), abs=0.01)
    there, opposite = (_column(read, (sign * RIGHT_BAND[0], RIGHT_BAND[1])) for sign in (1, -1))
    seen = np.array(
        [[values(read.layers["swi"], n)[row, column] for n in range(len(z))] for column, row in (there, opposite)]
    )
    dark = seen < (DARK + TISSUE) / 2
    assert z[dark[0]] == pytest.approx([BAND_MM[0], BAND_MM[0] + 2])
    assert not dark[1].any()


def test_projection_carries_the_band_into_the_slices_about_it_and_no_further():
    read = reading()
    z, column = np.array(read.mni_z_mm), _column(read, RIGHT_BAND)
    shown = [values(read.layers["mip"], n)[column[1], column[0]] for n in range(len(z))]
    dark = z[np.array(shown) < (DARK + TISSUE) / 2]
    assert read.projected_mm == pytest.approx(PROJECTION_MM)
    # four slices of 2 mm: two below, one above
    assert dark.min() >= BAND_MM[0] - PROJECTION_MM / 2
    assert dark.max() <= BAND_MM[1] + PROJECTION_MM / 2
    assert len(dark) == 2 + 4 - 1


def _column(read, world):
    """Column and row of a place in the head, from the outlines of the strip that surround it."""
    n = read.first
    lines = np.concatenate([line for name in OUTLINED for line in read.outlines[n][name]])
    left = lines[:, 0].min()  # world x -30, where the left strip begins
    anterior = lines[:, 1].min()  # world y -2
    return round(left + (world[0] + 30) / SIZES[0]), round(anterior + (-2 - world[1]) / SIZES[1])


def test_outlines_surround_their_masks():
    read = reading()
    deep = read.outlines[read.first]["precentral_posterior_deep"]
    assert len(deep) == 2
    middles = sorted(line[:-1, 0].mean() * SIZES[0] for line in deep)
    assert middles[1] - middles[0] == pytest.approx(42, abs=1.2)  # from x -21 to 21
    for line in deep:
        assert np.ptp(line[:, 0]) * SIZES[0] == pytest.approx(18, abs=1.3)
        assert np.ptp(line[:, 1]) * SIZES[1] == pytest.approx(8, abs=1.1)
    assert not any(read.outlines[0].values())


def test_first_slice_is_one_of_the_deep_bank():
    read = reading()
    assert 48 < read.mni_z_mm[read.first] < 58


def test_window_is_of_the_persons_own_values():
    own = head()
    brighter = {**own, "swi": type(own["swi"])(3 * np.asarray(own["swi"].dataobj), own["swi"].affine)}
    window, scaled = (np.array(reading(images).layers["swi"].window) for images in (own, brighter))
    assert scaled == pytest.approx(3 * window, rel=1e-5)
    # black and white lie within the range that was kept
    low, high = reading(own).layers["swi"].range
    assert low < window[0] < TISSUE < window[1] < high


def test_dark_edge_of_the_brain_does_not_change_the_window():
    own = head()
    data = np.asarray(own["swi"].dataobj).copy()
    data[:, :6, :] = np.where(data[:, :6, :] > 0, 0.05, 0)  # world y up to -35 mm; the strip ends at -26
    edged = {**own, "swi": type(own["swi"])(data, own["swi"].affine)}
    plain, dark = reading(own).layers["swi"], reading(edged).layers["swi"]
    assert dark.range[0] < 0.1 < 0.5 < plain.range[0]
    assert dark.window[0] > 0.9 * plain.window[0]


def test_coarse_voxels_are_said_not_to_show_the_band():
    assert reading().too_coarse == ""
    assert "Voxels of 2 mm in the plane" in reading(head(sizes=(2.0, 2.0, 2.0))).too_coarse


def test_susceptibility_alone_can_be_read_and_nothing_cannot():
    assert list(reading(swi=None).layers) == ["qsm"]
    assert list(reading(chi=None).layers) == ["swi", "mip"]
    with pytest.raises(InputError, match="neither an SWI nor a susceptibility map"):
        reading(swi=None, chi=None)


def test_strip_outside_the_scan_is_refused():
    own = head()
    own["masks"] = type(own["masks"])(0 * np.asarray(own["masks"].dataobj), own["masks"].affine)
    with pytest.raises(InputError, match="outside the scan"):
        reading(own)


def test_corner_of_the_head_is_not_cut_at_the_strip():
    width = reading().layers["swi"].slices[0].shape[1] * SIZES[0]
    assert width == pytest.approx(2 * -ORIGIN[0], abs=SIZES[0])
    assert LEFT_FRONT[1] < 6


def test_mask_that_is_missing_is_named():
    own = head()
    own["table"] = own["table"][own["table"]["region"] != "precentral_anterior"]
    with pytest.raises(InputError, match="no mask for precentral_anterior"):
        reading(own)
