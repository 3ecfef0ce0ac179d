"""A user's own template and labels: taken as they are meant, refused where they cannot be."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.own import NEEDED, RegionMaps, check_atlas, check_complete, space_of, take_labels, take_template
from mndmri.atlas.regions import select, stack_regions
from mndmri.cohort.config import resolve_config
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import InputError, save_image, write_table
from tests.running import ROOT

RAS = nb.affines.from_matvec(np.diag([4.0, 4.0, 4.0]), [-70.0, -90.0, -60.0])
SHAPE = (36, 44, 40)


def grid(storage="RAS"):
    image = nb.Nifti1Image(np.zeros(SHAPE, np.float32), RAS)
    turn = nb.orientations.ornt_transform(nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage))
    return image.as_reoriented(turn)


def near(image, centre, mm=10.0):
    return np.linalg.norm(world_coordinates(image) - centre, axis=-1) <= mm


def labels(storage="RAS", **centres):
    """Label image with a ball at each centre, labelled 7, 8, ..., and its table."""
    image = grid(storage)
    data, rows = np.zeros(image.shape, np.int16), []
    for n, (name, centre) in enumerate(centres.items(), start=7):
        region, _, hemi = name.rpartition("_")
        data[near(image, centre)] = n
        rows.append((n, region, hemi))
    return make_image(data, image), pd.DataFrame(rows, columns=["index", "region", "hemi"])


@pytest.mark.parametrize("storage", ["RAS", "LAS", "PSR"])
def test_labels_become_regions_left_on_the_left_however_they_are_stored(storage):
    maps = take_labels(*labels(storage, precentral_L=(-36, -12, 50), precentral_R=(36, -12, 50)))
    for hemi, sign in (("L", -1), ("R", 1)):
        image = maps["precentral", hemi]
        assert nb.aff2axcodes(image.affine) == ("R", "A", "S")
        x = world_coordinates(image)[np.asarray(image.dataobj) > 0][:, 0]
        assert np.sign(x).min() == np.sign(x).max() == sign


def test_mirrored_labels_are_refused():
    image, table = labels(precentral_L=(-36, -12, 50), precentral_R=(36, -12, 50))
    mirrored = make_image(np.asarray(image.dataobj)[::-1], grid())
    with pytest.raises(InputError, match=r"precentral \(L\) has its centre at x = \d.*left is at negative x"):
        take_labels(mirrored, table)


def test_rows_of_one_region_are_joined_and_other_labels_left():
    image, table = labels(cst_L=(-20, -20, 20), callosum_both=(0, 0, 20), precentral_L=(-36, -12, 50))
    table = table.assign(region=["cst", "callosum", "cst"], hemi=["L", "both", "L"])
    maps = take_labels(image, table.drop(index=1))
    assert set(maps) == {("cst", "L")}
    np.testing.assert_array_equal(maps["cst", "L"].get_fdata() > 0, np.isin(image.get_fdata(), (7, 9)))


def test_probabilities_in_percent_are_those_of_one():
    ball = near(grid(), (-20, -20, 20)).astype(np.float32)
    table = pd.DataFrame([(1, "cst", "L")], columns=["index", "region", "hemi"])
    for most in (0.8, 80.0):
        stack = make_image(np.stack([np.zeros(SHAPE), ball * most], axis=-1).astype(np.float32), grid())
        np.testing.assert_allclose(take_labels(stack, table)["cst", "L"].get_fdata(), ball * 0.8, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"region": ["precentral_gyrus", "cst"]},
            r"row 2: unknown region 'precentral_gyrus'; did you mean precentral\?",
        ),
        ({"hemi": ["left", "R"]}, "row 2: hemi of precentral is 'left', expected L or R"),
        ({"index": [7, 99]}, r"label 99, cst \(R\), is not in the image"),
        ({"index": [7, 8.5]}, "row 3: index is 8.5, expected a whole number"),
    ],
)
def test_a_wrong_row_is_named(change, message):
    image, table = labels(precentral_L=(-36, -12, 50), cst_R=(20, -20, 20))
    with pytest.raises(InputError, match=message):
        take_labels(image, table.assign(**change))


def test_a_table_without_its_columns_is_refused():
    image, table = labels(cst_R=(20, -20, 20))
    with pytest.raises(InputError, match=r"no column region \(found index, name, hemi\)"):
        take_labels(image, table.rename(columns={"region": "name"}))


def test_a_head_without_its_mask_is_no_brain_template():
    head = make_image(np.full(SHAPE, 50, np.float32), grid("LPS"))
    with pytest.raises(InputError, match=r"100% of the voxels are brain.*atlas\.mask"):
        take_template(head)
    mask = make_image(near(grid("LPS"), (0, -15, 10), 50).astype(np.uint8), grid("LPS"))
    brain = take_template(head, mask)
    assert nb.aff2axcodes(brain.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(brain.get_fdata() > 0, to_canonical(mask).get_fdata() > 0)


def ball(centre, mm=12.0):
    return make_image(near(grid(), centre, mm).astype(np.float32), grid())


def test_regions_that_follow_from_others_are_made_and_those_given_are_kept():
    column = make_image(
        (np.linalg.norm(world_coordinates(grid())[..., :2] - (-20, -20), axis=-1) < 8).astype(np.float32), grid()
    )
    own = ball((-20, -20, 10), 9)
    maps = RegionMaps({("cst", "L"): column, ("cst_plic", "L"): own, ("precentral", "L"): ball((-10, -12, 60))})
    image, table = stack_regions(maps, grid())
    z = world_coordinates(image)[..., 2]
    pons = select(image, table, "cst_pons", "L").get_fdata() > 0
    low, high = CST_LEVELS_Z_MM["cst_pons"]
    np.testing.assert_array_equal(pons, (column.get_fdata() > 0) & (z >= low) & (z < high))
    np.testing.assert_array_equal(select(image, table, "cst_plic", "L").get_fdata(), own.get_fdata())
    # without a postcentral gyrus there is no lobule, and nothing on the right at all
    for region, hemi in (("paracentral", "L"), ("cst", "R"), ("frontal_wm", "R"), ("cc_midbody", "both")):
        assert not select(image, table, region, hemi).get_fdata().any()


def test_the_splenium_is_the_last_quarter_of_the_callosum_with_its_end():
    callosum = ball((0, -20, 10), 20)
    image, table = stack_regions(RegionMaps({("callosum", "both"): callosum}), grid())
    x, y, _ = np.moveaxis(world_coordinates(image), -1, 0)
    there = callosum.get_fdata() > 0
    front, back = y[there & (np.abs(x) <= 10)].max(), y[there & (np.abs(x) <= 10)].min()
    expected = there & (np.abs(x) <= 10) & (y <= front - 0.75 * (front - back))
    np.testing.assert_array_equal(select(image, table, "cc_splenium", "both").get_fdata() > 0, expected)


def test_a_tract_is_made_of_its_levels():
    maps = RegionMaps({("cst_plic", "R"): ball((20, -15, 5)), ("cst_peduncle", "R"): ball((14, -18, -14))})
    image, table = stack_regions(maps, grid())
    tract = select(image, table, "cst", "R").get_fdata()
    np.testing.assert_array_equal(tract > 0, np.any([m.get_fdata() > 0 for m in maps.values()], axis=0))


def test_an_atlas_without_the_built_in_one_has_to_have_what_the_measures_need():
    check_complete(NEEDED)
    check_complete([*(set(NEEDED) - {"cst"}), "cst_plic"])
    with pytest.raises(InputError, match="no postcentral, cst, which the measures need"):
        check_complete(set(NEEDED) - {"postcentral", "cst"})


def test_files_are_looked_at_when_a_run_starts(tmp_path):
    image, table = labels(precentral_L=(36, -12, 50))
    save_image(image, tmp_path / "labels.nii.gz", dtype=np.int16)
    write_table(table, tmp_path / "labels.tsv")
    config = {"template": None, "mask": None, "space": None, "builtin": True}
    with pytest.raises(InputError, match=r"no such file .*elsewhere\.nii"):
        check_atlas(config | {"labels": str(tmp_path / "elsewhere.nii"), "table": None})
    with pytest.raises(InputError, match=r"precentral \(L\) has its centre at x = 36"):
        check_atlas(config | {"labels": str(tmp_path / "labels.nii.gz"), "table": str(tmp_path / "labels.tsv")})


def test_the_space_is_named_by_the_study_or_the_built_in_one():
    assert space_of({"space": None}) == "MNI152NLin6Asym"
    assert space_of({"space": "MNI152NLin2009aSym"}) == "MNI152NLin2009aSym"


@pytest.mark.parametrize(
    ("atlas", "message"),
    [
        ({"labels": "l.nii"}, "labels and table belong together"),
        ({"template": "t.nii"}, "template and space belong together"),
        ({"space": "MNI152NLin2009aSym"}, "template and space belong together"),
        ({"mask": "m.nii"}, "atlas.mask: is the mask of a template of your own"),
        ({"builtin": False}, "atlas.builtin: false needs template and labels of your own"),
        ({"spcae": "x"}, r"atlas\.spcae: unknown key; did you mean atlas\.space\?"),
    ],
)
def test_half_an_atlas_is_refused(atlas, message):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match=message):
        resolve_config({"bids_dir": "x", "atlas": atlas}, schema)
