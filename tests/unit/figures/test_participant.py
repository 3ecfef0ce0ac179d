"""A participant's page shows each side on its own side, under the title that says what it is."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.figures.participant import (
    chi_sheets,
    dwi_sheets,
    growth_sheet,
    midsagittal_sheets,
    outline_regions,
    sulcus_sheets,
    swi_sheets,
    t1w_sheets,
)

SHAPE, ZOOMS = (40, 36, 24), (2.0, 2.5, 3.0)
REGIONS = ("precentral_posterior", "precentral_anterior", "postcentral", "precentral_hand", "pallidum", "cst")
LEVELS = tuple(CST_LEVELS_Z_MM)


def grid():
    affine = np.diag([*ZOOMS, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return affine


def image(values):
    return nb.Nifti1Image(np.asarray(values, np.float32), grid())


XYZ = nb.affines.apply_affine(grid(), np.moveaxis(np.indices(SHAPE), 0, -1))


def ball(centre, radius=8.0):
    return np.linalg.norm(XYZ - centre, axis=-1) < radius


def place(n, hemi):
    """Middle of the n-th region; sides differ in more than their sign."""
    y = 6 * (n % len(REGIONS)) - 12
    return [-22, y, 4] if hemi == "L" else [22, y, -6]


@pytest.fixture(scope="module")
def regions():
    """Masks whose volumes are in no order, and the table that names them."""
    keys = [(n, region, hemi) for n, region in enumerate(REGIONS + LEVELS) for hemi in "LR"]
    keys = [keys[n] for n in np.random.default_rng(2).permutation(len(keys))]
    names = pd.DataFrame(
        [(n, region, hemi) for n, (_, region, hemi) in enumerate(keys)], columns=["index", "region", "hemi"]
    )
    masks = np.stack([ball(place(n, hemi)) for n, _, hemi in keys], axis=-1).astype(np.uint8)
    return {"masks": nb.Nifti1Image(masks, grid()), "names": names}


def outlined(figure, name):
    """World x of the outline with that name in the legend, of the axial pictures."""
    (legend,) = figure.legends
    colours = {
        text.get_text(): line.get_color() for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    corner = grid()[:3, 3] - np.array(ZOOMS) / 2
    found = [
        path.vertices[:, 0] + corner[0]
        for axes in figure.axes
        if "axial" in axes.get_label()
        for drawn in axes.collections
        for path in drawn.get_paths()
        if len(path.vertices) and np.allclose(drawn.get_edgecolor()[0], to_rgba(colours[name]))
    ]
    return np.concatenate(found)


def test_the_pallidum_of_each_side_is_outlined_on_its_side(regions):
    chi = image(np.where(np.abs(XYZ).max(axis=-1) < 34, 0.05, 0))
    sheet = chi_sheets("sub-01", chi=chi, **regions)["Susceptibility of the deep nuclei"].figure
    assert outlined(sheet, "pallidum L").max() < 0 < outlined(sheet, "pallidum R").min()
    assert chi_sheets("sub-01", chi=image(np.zeros(SHAPE)), **regions) == {}


def test_tracts_are_outlined_on_their_sides_whatever_the_order_of_the_volumes(regions):
    inside = np.abs(XYZ).max(axis=-1) < 34
    b0, v1 = image(100.0 * inside), image(np.stack([inside, 0 * inside, 0 * inside], axis=-1))
    probabilities = {"weights": image(regions["masks"].dataobj), "names": regions["names"]}
    still = image(0 * inside)
    sheets = dwi_sheets(
        "sub-01",
        b0_scanned=b0,
        b0=b0,
        displacement_mm=still,
        wm=image(inside),
        fa=image(0.5 * inside),
        v1=v1,
        streamlines={},
        **probabilities,
    )
    sheet = sheets["Corticospinal tract on colour FA"].figure
    assert outlined(sheet, "CST left").max() < 0 < outlined(sheet, "CST right").min()
    before = sheets["b = 0 image before and after correction"]
    assert list(before.frames) == ["as scanned", "corrected"]
    assert "Displacement by distortion" not in sheets  # nothing was displaced


def test_the_regions_about_the_knobs_are_those_of_both_sides(regions):
    outlines = outline_regions(**regions)
    assert list(outlines) == ["precentral posterior", "precentral anterior", "postcentral"]
    for n, mask in enumerate(outlines.values()):
        expected = ball(place(n, "L")) | ball(place(n, "R"))
        assert np.array_equal(np.asarray(mask.dataobj) > 0, expected)


def test_the_hand_knob_of_each_side_is_shown_under_its_name(regions):
    swi = image(np.where(np.abs(XYZ).max(axis=-1) < 34, np.where(XYZ[..., 0] < 0, 0.6, 1.2), 0))
    (sheet,) = (own.figure for own in swi_sheets("sub-01", swi=swi, **regions).values())
    for hemi, value in (("L", 0.6), ("R", 1.2)):
        panels = [axes for axes in sheet.axes if f"plain {hemi}" in axes.get_label()]
        assert panels
        for axes in panels:
            middle = int(np.mean(axes.get_xlim()) / ZOOMS[0])
            shown = np.ma.getdata(axes.get_images()[0].get_array())[16:20, middle]
            np.testing.assert_allclose(shown, value)


def test_the_pages_pictures_of_the_t1w_say_what_they_are():
    head = image(100.0 * ball([0, 0, 0], 30))
    mask, half = image(ball([0, 0, 0], 28)), image(ball([0, 0, 0], 20))
    sheets = t1w_sheets(
        "sub-01",
        t1w=head,
        mask=mask,
        gm=mask,
        wm=half,
        t1w_template=head,
        template=image(100.0 * ball([0, 0, 0], 25) + 50 * ball([0, 0, 0], 12) + 20 * ball([0, 5, 0], 5)),
    )
    names = {title: [text.get_text() for text in own.figure.legends[0].get_texts()] for title, own in sheets.items()}
    assert names["Brain mask on the T1w"] == ["brain mask"]
    assert names["Tissue on the T1w"] == ["grey matter", "white matter"]
    assert names["T1w on the template"] == ["template: brain", "template: white matter"]


def test_what_became_smaller_and_larger_is_outlined_on_its_side():
    brain = image(100.0 * ball([0, 0, 0], 30))
    growth = np.where(ball([0, 0, 0], 28), 0.0, np.nan)
    growth[ball([-15, 0, 0])], growth[ball([15, 0, 0])] = -0.2, 0.2
    figure = growth_sheet("sub-01", brain=brain, growth=image(growth), between=("ses-01", "ses-03"))
    assert (outlined(figure, "smaller by 5% or more") < 0).all()
    assert (outlined(figure, "larger by 5% or more") > 0).all()
    assert "ses-01 to ses-03" in figure.texts[0].get_text()
    alone = growth_sheet("sub-01", brain=brain, growth=image(0 * growth), between=("ses-01", "ses-01"))
    assert alone.texts[0].get_text() == "sub-01: only ses-01 could be aligned"


def test_the_central_sulcus_has_a_picture_where_it_was_measured():
    head = image(100.0 * ball([0, 0, 0], 30))
    (sheet,) = sulcus_sheets("sub-01", t1w=head, middle=image(ball([0, 0, 0], 5))).values()
    assert [text.get_text() for text in sheet.figure.legends[0].get_texts()] == ["middle of the central sulcus"]
    assert sulcus_sheets("sub-01", t1w=head, middle=image(ball([0, 0, 0], -1))) == {}


def test_midbrain_and_pons_are_outlined_on_their_plane_and_are_not_shown_without_a_value():
    y, z = np.meshgrid(np.arange(-60, 6, 0.5), np.arange(-62, 12, 0.5), indexing="ij")
    affine = np.diag([2.0, 0.5, 0.5, 1.0])
    affine[1:3, 3] = -60, -62
    shares = np.stack([np.hypot(y + 24, z + 12) < 5, np.hypot(y + 27, z + 35) < 9], axis=-1)[None].astype(np.float32)
    plane = nb.Nifti1Image(20 + 80 * shares.max(axis=-1), affine)
    inside = nb.Nifti1Image(shares, affine)
    [sheet] = (own.figure for own in midsagittal_sheets("sub-01", plane, inside, space="MNI152NLin6Asym").values())
    [axes] = [own for own in sheet.axes if own.collections]
    for line, (centre, radius) in zip(axes.collections, (((-24, -12), 5), ((-27, -35), 9)), strict=True):
        drawn = np.concatenate([path.vertices for path in line.get_paths()]) + affine[1:3, 3] - 0.25
        np.testing.assert_allclose(np.hypot(*(drawn - centre).T), radius, atol=0.6)
    assert midsagittal_sheets("sub-01", plane, nb.Nifti1Image(0 * shares, affine), space="MNI152NLin6Asym") == {}
