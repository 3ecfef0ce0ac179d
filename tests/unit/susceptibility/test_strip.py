"""The unfolded sulcus: every patch of the strip is where it is in the head."""

from types import SimpleNamespace

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import load_probabilities, load_template
from mndmri.grids import make_image
from mndmri.io import InputError
from mndmri.susceptibility.strip import BANKS, STRIP_COLUMNS, SULCUS_MM, strips_dictionary, unfold
from mndmri.tables.dictionaries import column_names
from tests.unit.susceptibility.conftest import BASE, PITCH, TOP, build_slab

LENGTH = np.linalg.norm(np.diff(SULCUS_MM, axis=0), axis=1).sum()
ARC_STEP = LENGTH / 13
SULCUS_Y, MIDDLE_Z = -PITCH / 2, 60.0
DEEP = 1.25  # mm, half of the cortex


def _bend(slab):
    """MNI coordinates as if each side of the slab lay along the template's sulcus, and how far along it, mm."""
    across_midline = np.abs(slab.x)
    along = (across_midline - 1.5) / (across_midline.max() - 1.5) * LENGTH
    knots = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(SULCUS_MM, axis=0), axis=1))])
    point = np.stack([np.interp(along, knots, c) for c in SULCUS_MM.T], axis=-1)
    step = np.clip(np.searchsorted(knots, along) - 1, 0, len(knots) - 2)
    tangent = np.diff(SULCUS_MM, axis=0)[step]
    forwards = np.cross(tangent, [20.0, 0.0, 20.0] - point)  # across the sulcus, at right angles to the hull
    forwards *= np.sign(forwards[..., 1:2])
    forwards /= np.linalg.norm(forwards, axis=-1, keepdims=True)
    mni = point + (slab.y - SULCUS_Y)[..., None] * forwards
    mni[..., 0] *= np.sign(slab.x)
    return mni, along


def _path(slab):
    """Share of the way from the middle of each gyrus's crown, along its deep layers, to the middle of the floor."""
    from_middle = np.minimum(np.abs(slab.y), np.abs(slab.y + PITCH))
    half = DEEP / 2
    crown, bank, floor = 2 + half, TOP - BASE, PITCH / 2 - 2 - half
    on_crown, on_floor = slab.z > TOP, slab.z < BASE + DEEP
    down = np.clip(TOP + half - slab.z, 0, bank)
    path = np.where(on_crown, from_middle, crown + down + np.where(on_floor, from_middle - 2 - half, 0))
    return path / (crown + bank + floor)


def person(**options):
    """A slab with masks of both gyri by construction, and its truth."""
    slab = build_slab(**options)
    mni, along = _bend(slab)
    masks = {}
    for gyrus, centre in (("precentral", 0.0), ("postcentral", -PITCH)):
        offset = slab.y - centre
        # distance from white matter, of which the innermost millimetre belongs to the ribbon
        under = np.maximum(np.abs(offset) - 2, slab.z - TOP)
        under = np.where(np.abs(offset) < PITCH / 2, np.minimum(under, slab.z - BASE + 99 * (under < 0)), np.inf)
        own = (slab.grey | slab.white) & (under > -1) & (slab.z > BASE - 1)
        facing = own & ((offset < 0) if gyrus == "precentral" else (offset > 0))
        for hemi, side in (("L", slab.x < 0), ("R", slab.x > 0)):
            masks[gyrus, hemi] = own & side
            masks[BANKS[gyrus], hemi] = facing & side
            masks[f"{BANKS[gyrus]}_deep", hemi] = facing & side & (under < DEEP)
    table = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(masks)], columns=["index", "region", "hemi"])
    stack = np.stack(list(masks.values()), axis=-1)
    facing = np.logical_or.reduce([masks[BANKS[g], h] for g in BANKS for h in "LR"])
    return SimpleNamespace(
        slab=slab,
        masks=make_image(stack, slab.grid),
        table=table,
        mni=make_image(mni.astype(np.float32), slab.grid),
        along=along,
        path=_path(slab),
        inside={f"{r} {h}": m for (r, h), m in masks.items()},
        facing=facing,
    )


@pytest.fixture(scope="module")
def head():
    return person(zooms=(0.75, 0.6, 1.0))


def strip_of(head, values, veins=None, **options):
    image = make_image(np.asarray(values, np.float32), head.slab.grid)
    veins = None if veins is None else make_image(veins, head.slab.grid)
    return unfold(image, head.masks, head.table, head.mni, veins, arc_step_mm=ARC_STEP, max_in_plane_mm=3.0, **options)


def hand_of(head, hemi):
    """Deep posterior bank at the knob: the fifth and sixth of thirteen steps along the sulcus."""
    there = (head.along > 5 * ARC_STEP) & (head.along < 7 * ARC_STEP)
    return head.inside[f"precentral_posterior_deep {hemi}"] & there


def test_every_patch_of_both_banks_and_sides_has_a_row(head):
    strip = strip_of(head, head.along, depth_bins=4)
    assert list(strip.columns) == STRIP_COLUMNS
    assert len(strip) == 2 * 2 * 13 * 4
    assert not strip.duplicated(["hemi", "bank", "arc", "depth"]).any()


@pytest.mark.parametrize("options", [{"zooms": (0.75, 0.6, 1.0)}, {"zooms": (1.0, 0.8, 2.0), "oblique": True}])
def test_arc_is_the_length_along_the_sulcus(options):
    head = person(**options)
    strip = strip_of(head, head.along).dropna(subset="value")
    assert len(strip) > 200
    # a voxel of 1 mm along the slab is 3.7 mm of the sulcus it is stretched to
    np.testing.assert_allclose(strip["value"], strip["arc"], atol=4.0)


@pytest.mark.parametrize("options", [{"zooms": (0.75, 0.6, 1.0)}, {"zooms": (1.0, 0.5, 2.0), "oblique": True}])
def test_depth_is_the_share_in_millimetres_of_the_way_from_the_crown_to_the_fundus(options):
    head = person(**options)
    strip = strip_of(head, head.path + 1).dropna(subset="value")
    assert set(strip["depth"].round(1)) == {0.1, 0.3, 0.5, 0.7, 0.9}
    np.testing.assert_allclose(strip["value"] - 1, strip["depth"], atol=0.075)


def test_each_bank_is_painted_with_its_own_voxels(head):
    behind = head.slab.y < SULCUS_Y
    strip = strip_of(head, np.where(behind, 2.0, 1.0)).dropna(subset="value")
    assert (strip["value"] == strip["bank"].map({"precentral": 1.0, "postcentral": 2.0})).all()


@pytest.mark.parametrize(("hemi", "other"), ["LR", "RL"])
def test_a_band_in_one_hand_area_is_on_that_sides_precentral_strip_at_the_hand_and_nowhere_else(head, hemi, other):
    band = hand_of(head, hemi)
    strip = strip_of(head, np.where(band, 0.7, 1.0)).dropna(subset="value")
    dark = strip[strip["value"] < 0.85]
    assert set(dark["hemi"]) == {hemi} and set(dark["bank"]) == {"precentral"} and set(dark["part"]) == {"hand"}
    # all depths of both steps along the sulcus
    assert len(dark) == 2 * 5
    assert (strip.loc[strip["hemi"] == other, "value"] == 1.0).all()


def test_only_the_deep_layers_are_seen_unless_all_are_asked_for(head):
    superficial = head.facing & ~head.inside["precentral_posterior_deep L"]
    for hemi in "LR":
        superficial &= ~head.inside[f"precentral_posterior_deep {hemi}"]
        superficial &= ~head.inside[f"postcentral_anterior_deep {hemi}"]
    values = np.where(superficial, 0.5, 1.0)
    assert (strip_of(head, values)["value"].dropna() == 1.0).all()
    everything = strip_of(head, values, deep_only=False)
    assert (everything["value"] < 1.0).any()
    assert everything["n_voxels"].sum() > 1.5 * strip_of(head, values)["n_voxels"].sum()


def test_veins_and_voxels_without_signal_are_left_out(head):
    vein = head.facing & (head.slab.z > MIDDLE_Z) & (head.slab.z < MIDDLE_Z + 3)
    unseen = head.facing & (head.slab.z < MIDDLE_Z) & (head.slab.z > MIDDLE_Z - 3)
    values = np.where(vein, 0.2, np.where(unseen, np.where(head.slab.x < 0, np.nan, 0.0), 1.0))
    strip = strip_of(head, values, veins=vein)
    assert (strip["value"].dropna() == 1.0).all()
    fewer = strip_of(head, np.ones(values.shape))["n_voxels"] - strip["n_voxels"]
    assert (fewer >= 0).all() and fewer.sum() > 100


def test_patches_outside_the_field_of_view_are_rows_with_missing_values(head):
    values = np.where((head.slab.x < 0) & (head.along < LENGTH / 2), 1.0, 0.0)
    strip = strip_of(head, values)
    seen = strip["n_voxels"] > 0
    assert strip["value"].notna().equals(seen)
    assert set(strip.loc[seen, "hemi"]) == {"L"} and strip.loc[seen, "arc"].max() < LENGTH / 2 + ARC_STEP
    assert len(strip) == 2 * 2 * 13 * 5


def test_a_sulcus_whose_fundus_is_not_seen_has_missing_values(head):
    masks = np.asarray(head.masks.dataobj) * (head.slab.z > BASE + 5)[..., None]
    image = make_image(np.ones(head.slab.grid.shape, np.float32), head.slab.grid)
    strip = unfold(image, make_image(masks, head.slab.grid), head.table, head.mni)
    assert strip["value"].isna().all() and (strip["n_voxels"] == 0).all()


def test_parts_of_the_body_follow_one_another_from_the_leg_to_the_face(head):
    strip = strip_of(head, head.along).query("hemi == 'L' and bank == 'precentral'")
    order = [part for part in dict.fromkeys(strip.sort_values("arc")["part"]) if part is not None]
    assert order == ["leg", "hand", "face"]


def test_the_templates_sulcus_lies_between_both_gyri_of_the_atlas():
    template = load_template()
    names = {
        (gyrus, side[0]): f"{side}_{gyrus.capitalize()}_Gyrus"
        for gyrus in ("precentral", "postcentral")
        for side in ("Left", "Right")
    }
    for (_, hemi), probability in load_probabilities("harvard_oxford", names, template).items():
        points = SULCUS_MM * (-1 if hemi == "L" else 1, 1, 1)
        ijk = np.rint(nb.affines.apply_affine(np.linalg.inv(template.affine), points)).astype(int)
        assert (probability[tuple(ijk.T)] > 0.1).all()


def test_what_is_missing_is_named(head):
    image = make_image(np.ones(head.slab.grid.shape, np.float32), head.slab.grid)
    lacking = head.table[head.table["region"] != "postcentral_anterior_deep"]
    with pytest.raises(InputError, match="postcentral_anterior_deep"):
        unfold(image, head.masks, lacking, head.mni)
    with pytest.raises(InputError, match="x, y and z"):
        unfold(image, head.masks, head.table, image)
    with pytest.raises(InputError, match="different grids"):
        unfold(image.slicer[1:], head.masks, head.table, head.mni)


def test_the_data_dictionary_describes_every_column():
    assert column_names(strips_dictionary("MNI152NLin6Asym")) == ["participant_id", "group", "modality", *STRIP_COLUMNS]
