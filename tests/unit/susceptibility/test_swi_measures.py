import numpy as np
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import make_image
from mndmri.io import InputError
from mndmri.susceptibility.measures import band_darkness, measure_susceptibility
from mndmri.susceptibility.regions import MEASURED_REGIONS, precentral_regions, with_thickness
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.measures import DAMAGE_DIRECTION, MEASURE_COLUMNS

BAND = 0.8  # intensity of the planted band relative to the tissue it lies in


def regions_of(slab):
    """Masks and their table, made once of each slab."""
    if not hasattr(slab, "regions"):
        masks, table = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
        slab.regions = masks, with_thickness(table, masks, *slab.tissues[:2])
    return slab.regions


def measured(slab, data, *, veins=None, **options):
    masks, table = regions_of(slab)
    image = make_image(np.asarray(data, np.float32), slab.grid)
    if veins is None:
        veins = np.zeros(slab.grid.shape, bool)
    return measure_susceptibility(image, masks, table, make_image(veins, slab.grid), **options)


def value(table, measure, region, hemi):
    found = table[(table.measure == measure) & (table.region == region) & (table.hemi == hemi)]
    assert len(found) == 1
    return float(found["value"].iloc[0])


def with_band(slab, paint, side):
    data = paint(slab)
    data[slab.band & side] *= BAND
    return data


def test_every_row_of_the_contract_is_there(slab, paint):
    table = measured(slab, paint(slab))
    assert list(table.columns) == MEASURE_COLUMNS
    assert set(table.modality) == {"swi"} and set(table.status) == {"ok"}
    keys = set(zip(table.measure, table.region, table.hemi, strict=True))
    assert len(keys) == len(table)
    for hemi in "LR":
        for measure in ("normalised_hypointensity", "dark_fraction", "removed_vein_fraction"):
            assert {(measure, region, hemi) for region in MEASURED_REGIONS} <= keys
        assert {(m, "precentral", hemi) for m in ("postcentral_contrast", "bank_ratio")} <= keys
    assert value(table, "in_plane_voxel_size", "brain", "both") == pytest.approx(1.0)
    assert set(table.unit) == {"1", "mm", "1/mm"}


def test_healthy_slab_shows_grey_matter_and_no_band(slab, paint):
    table = measured(slab, paint(slab))
    for hemi in "LR":
        for region in ("precentral", "precentral_posterior", "precentral_anterior", "postcentral", "superior_frontal"):
            assert value(table, "normalised_hypointensity", region, hemi) == pytest.approx(0.1, abs=0.01)
            assert value(table, "dark_fraction", region, hemi) == pytest.approx(0.05, abs=0.02)
        assert value(table, "bank_ratio", "precentral", hemi) == pytest.approx(1, abs=0.01)
        assert value(table, "postcentral_contrast", "precentral", hemi) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("zooms", [(1.0, 0.75, 1.2), (0.8, 0.5, 2.0)])
@pytest.mark.parametrize("oblique", [False, True])
def test_band_planted_on_the_left_is_measured_there_and_nowhere_else(build_slab, paint, zooms, oblique):
    slab = build_slab(zooms, oblique=oblique)
    table = measured(slab, with_band(slab, paint, slab.x < 0))
    deep = value(table, "normalised_hypointensity", "precentral_posterior_deep", "L")
    # 0.28 in grey and 0.2 in the white matter that iron darkens too: the median lies between or on them
    assert 0.19 < deep < 0.29
    assert value(table, "dark_fraction", "precentral_posterior_deep", "L") > 0.5  # the crown has no band
    assert value(table, "normalised_hypointensity", "precentral_anterior", "L") == pytest.approx(0.1, abs=0.01)
    assert value(table, "normalised_hypointensity", "postcentral", "L") == pytest.approx(0.1, abs=0.01)
    assert value(table, "bank_ratio", "precentral", "R") == pytest.approx(1, abs=0.01)
    for region in MEASURED_REGIONS:
        assert value(table, "dark_fraction", region, "R") < 0.09
    assert value(table, "postcentral_contrast", "precentral", "L") > value(
        table, "postcentral_contrast", "precentral", "R"
    )


def test_a_mirrored_image_swaps_left_and_right(slab, paint):
    data = paint(slab)
    data[(slab.band | slab.posterior_bank) & (slab.x < 0)] *= BAND
    left, right = measured(slab, data), measured(slab, data[::-1])
    for measure, region in (
        ("normalised_hypointensity", "precentral_posterior_deep"),
        ("dark_fraction", "precentral_posterior"),
        ("bank_ratio", "precentral"),
    ):
        assert value(left, measure, region, "L") == pytest.approx(value(right, measure, region, "R"), abs=0.01)
        assert value(left, measure, region, "R") == pytest.approx(value(right, measure, region, "L"), abs=0.01)
        assert abs(value(left, measure, region, "L") - value(left, measure, region, "R")) > 0.02


def test_bank_ratio_is_that_of_the_banks(slab, paint):
    data = paint(slab)
    data[(slab.y < 0) & (slab.y > -5) & (slab.x > 0)] *= BAND  # white matter, grey matter and crown
    table = measured(slab, data)
    assert value(table, "bank_ratio", "precentral", "R") == pytest.approx(BAND, abs=0.02)
    assert value(table, "bank_ratio", "precentral", "L") == pytest.approx(1, abs=0.01)


def test_a_band_changes_every_measure_in_the_direction_declared_for_damage(slab, paint):
    none, band = measured(slab, paint(slab)), measured(slab, with_band(slab, paint, True))
    declared = {measure: sign for (modality, measure, *_), sign in DAMAGE_DIRECTION.items() if modality == "swi"}
    del declared["motor_band_score"]  # made of band_contrast, and of a whole study
    assert declared.pop("band_index_error") == 0
    for measure, sign in declared.items():
        regions = set(band.loc[band["measure"] == measure, "region"])
        where = next(r for r in ("precentral_posterior_deep", "precentral", "precentral_hand") if r in regions)
        for hemi in "LR":
            assert sign * (value(band, measure, where, hemi) - value(none, measure, where, hemi)) > 1e-3, measure


def test_a_darker_band_measures_darker(slab, paint):
    found = []
    for strength in (1.0, 0.9, 0.8, 0.6):
        data = paint(slab)
        data[slab.band] *= strength
        found.append(value(measured(slab, data), "normalised_hypointensity", "precentral_posterior_deep", "R"))
    assert found == sorted(found) and found[-1] > found[0] + 0.2


def test_veins_alone_measure_nothing_once_removed_and_the_band_outlasts_their_removal(build_slab, paint):
    slab = build_slab((0.6, 0.6, 1.0))
    tubes = np.hypot(np.abs(slab.x) % 6 - 3, slab.y + 3.2) < 1.1
    tubes &= (slab.z > 50) & (np.abs(slab.x) > 1.5) & (np.abs(slab.x) < 25)
    veined, banded = paint(slab), with_band(slab, paint, True)
    veined[tubes] = 0.4
    everywhere = make_image(np.ones(slab.grid.shape, bool), slab.grid)

    def veins(data):
        return np.asarray(find_veins(make_image(data, slab.grid), everywhere).dataobj) > 0

    before, after = measured(slab, veined), measured(slab, veined, veins=veins(veined))
    clean = measured(slab, paint(slab))
    for hemi in "LR":
        for region in ("precentral_posterior", "precentral_posterior_deep"):
            assert value(before, "dark_fraction", region, hemi) > value(clean, "dark_fraction", region, hemi) + 0.06
            assert value(after, "dark_fraction", region, hemi) < value(clean, "dark_fraction", region, hemi) + 0.04
            assert value(after, "normalised_hypointensity", region, hemi) == pytest.approx(
                value(clean, "normalised_hypointensity", region, hemi), abs=0.02
            )
            assert 0.05 < value(after, "removed_vein_fraction", region, hemi) < 0.6
    kept = measured(slab, banded, veins=veins(banded))
    whole = measured(slab, banded)
    for hemi in "LR":
        assert value(kept, "removed_vein_fraction", "precentral_posterior_deep", hemi) < 0.1
        assert value(kept, "normalised_hypointensity", "precentral_posterior_deep", hemi) == pytest.approx(
            value(whole, "normalised_hypointensity", "precentral_posterior_deep", hemi), abs=0.02
        )


def test_removed_veins_are_counted(slab, paint):
    left = np.broadcast_to(slab.x < 0, slab.grid.shape)
    table = measured(slab, paint(slab), veins=left & (slab.z > 60))
    assert 0 < value(table, "removed_vein_fraction", "precentral", "L") < 1
    assert value(table, "removed_vein_fraction", "precentral", "R") == 0


def test_empty_region_is_a_row_with_a_reason(slab, paint):
    data = np.where(slab.x < 0, paint(slab), 0.0)
    table = measured(slab, data)
    right = table[(table.hemi == "R") & (table.region == "precentral") & (table.measure == "normalised_hypointensity")]
    assert right["value"].isna().all() and (right.n_voxels == 0).all()
    assert right.status.iloc[0] == "no voxel of precentral (R) with signal"
    assert value(table, "normalised_hypointensity", "precentral", "L") == pytest.approx(0.1, abs=0.01)
    assert len(table) == len(measured(slab, paint(slab)))


def test_region_below_the_fewest_voxels_says_so(slab, paint):
    table = measured(slab, paint(slab), min_voxels=10**6)
    medians = table[table.measure.isin(["normalised_hypointensity", "dark_fraction", "bank_ratio"])]
    assert medians["value"].isna().all()
    assert medians.status.str.contains("fewer than 1000000").all()


def test_voxels_too_coarse_for_the_band_leave_banks_unmeasured_and_say_so(build_slab, paint):
    slab = build_slab((2.0, 2.0, 2.0))
    table = measured(slab, paint(slab))
    banks = table[table.region.isin(["precentral_posterior", "precentral_anterior", "precentral_posterior_deep"])]
    assert banks["value"].isna().all()
    assert banks.status.eq("in-plane voxels of 2 mm do not resolve the band; at most 1.5 mm needed").all()
    assert np.isnan(value(table, "bank_ratio", "precentral", "L"))
    assert value(table, "in_plane_voxel_size", "brain", "both") == pytest.approx(2.0)
    assert np.isfinite(value(table, "normalised_hypointensity", "precentral", "L"))
    finer = measured(slab, paint(slab), max_in_plane_mm=2.5)
    assert np.isfinite(value(finer, "bank_ratio", "precentral", "L"))


def test_missing_mask_is_refused_by_name(slab, paint):
    masks, table = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
    image = make_image(paint(slab), slab.grid)
    with pytest.raises(InputError, match=r"no mask for reference_wm \(both\); compute them with precentral_regions"):
        measure_susceptibility(image, masks, table.iloc[:-1], make_image(slab.grey, slab.grid))


def deep(slab, name):
    """Where the deep layers of a bank are planted: 2.25 mm about the border of white matter."""
    centre = {"posterior": -2.1, "anterior": 2.1, "postcentral": -11.0 + 2.1}[name]
    return (np.abs(slab.y - centre) < 1.2) & (slab.z > 54.5) & (slab.z < 66)


@pytest.mark.parametrize("zooms", [(0.8, 0.8, 1.5), (0.6, 0.6, 2.0)])
@pytest.mark.parametrize("shift", [-2.0, 2.0])
@pytest.mark.parametrize("measure", ["band_contrast", "band_darkness"])
def test_only_a_darker_posterior_bank_raises_the_contrasts_of_the_band(build_slab, paint, zooms, shift, measure):
    slab = build_slab(zooms, atlas_shift=shift)
    left = slab.x < 0

    def contrasts(*dark):
        data = paint(slab)
        for name in dark:
            data[deep(slab, name) & left] *= 0.85
        table = measured(slab, data)
        return {(p, h): value(table, measure, f"precentral_{p}", h) for p in ("leg", "hand", "face") for h in "LR"}

    band, none = contrasts("posterior"), contrasts()
    for part in ("leg", "hand", "face"):
        assert 0.05 < band[part, "L"] < 0.16  # the deep layers reach a little beyond the band
        assert band[part, "R"] == pytest.approx(0, abs=0.02)
    for other in (("anterior",), ("postcentral",), ("anterior", "postcentral")):
        for key, found in contrasts(*other).items():
            assert found <= none[key] + 0.01


def test_band_darkness_is_that_of_the_quartiles_less_a_quarter_of_the_surface():
    ramp = np.linspace(0.0, 1.0, 101)  # quartile 0.25, median 0.5
    deep = [0.6 + 0.4 * ramp, 0.8 + 0.4 * ramp, 0.9 + 0.4 * ramp]
    surface = [1.0 + 0.4 * ramp, 1.1 + 0.4 * ramp, 1.5 + 0.4 * ramp]
    expected = 1 - 0.7 / 0.95 - 0.25 * (1 - 1.2 / 1.5)
    assert band_darkness(deep, surface) == pytest.approx(expected)
    assert band_darkness([2 * v for v in deep], [2 * v for v in surface]) == pytest.approx(expected)


def test_a_bank_dark_to_its_surface_is_less_of_a_band_than_one_dark_in_its_depth(build_slab, paint):
    slab = build_slab((0.8, 0.8, 1.5))
    masks, table = regions_of(slab)
    depth, whole = (
        np.asarray(select(masks, table, f"precentral_posterior{end}", "L").dataobj) > 0 for end in ("_deep_hand", "")
    )
    none, deep_only, throughout = (
        value(measured(slab, paint(slab) * np.where(dark, 0.85, 1)), "band_darkness", "precentral_hand", "L")
        for dark in (np.zeros_like(whole), depth, whole)
    )
    assert deep_only - none == pytest.approx(0.15, abs=0.01)
    assert throughout - none == pytest.approx(0.75 * 0.15, abs=0.01)


def test_hypointensity_to_thickness_is_their_ratio_and_says_when_it_has_none(slab, paint):
    table = measured(slab, with_band(slab, paint, slab.x < 0))
    masks, names = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
    known = with_thickness(names, masks, *slab.tissues[:2]).set_index(["region", "hemi"])["thickness_mm"]
    for key in (("precentral_hand", "L"), ("precentral", "R")):
        ratio = value(table, "normalised_hypointensity", *key) / value(table, "hypointensity_to_thickness", *key)
        assert ratio == pytest.approx(known[key])
    nothing = make_image(np.zeros(slab.grid.shape), slab.grid)
    bare = measure_susceptibility(make_image(paint(slab), slab.grid), masks, names, nothing)
    ratio = bare[(bare.measure == "hypointensity_to_thickness") & (bare.region == "precentral") & (bare.hemi == "L")]
    assert ratio["value"].isna().all()
    assert ratio.status.iloc[0] == "the thickness of precentral (L) is unknown"


def test_a_band_answers_as_a_plate_in_the_deep_posterior_bank(build_slab, paint):
    slab = build_slab((0.8, 0.8, 1.5))
    none, band = (measured(slab, with_band(slab, paint, side)) for side in (slab.x > 100, slab.x < 0))
    region = "precentral_posterior_deep"
    assert value(band, "plate_response", region, "L") > value(none, "plate_response", region, "L") + 0.01
    assert value(band, "plate_response", region, "R") == pytest.approx(
        value(none, "plate_response", region, "R"), abs=1e-3
    )


def test_a_region_partly_without_signal_says_how_much_of_it_is_seen(slab, paint):
    data = np.where((slab.x < -15) | (slab.x > 0), paint(slab), 0.0)
    table = measured(slab, data)
    found = table[(table.measure == "dark_fraction") & (table.region == "precentral") & (table.hemi == "L")].iloc[0]
    assert np.isnan(found["value"])
    assert "% of precentral (L), less than 80%" in found.status
