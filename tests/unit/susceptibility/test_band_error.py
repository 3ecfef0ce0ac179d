import nibabel as nb
import numpy as np
import pytest

from mndmri.atlas.regions import select
from mndmri.susceptibility.band_error import PIECE_MM, drawn_quantiles, pieces
from mndmri.susceptibility.measures import Darkness, band_darkness, darkness_with_error, mean_darkness
from tests.unit.susceptibility.test_swi_measures import measured, regions_of, value


def image(shape, sizes):
    return nb.Nifti1Image(np.zeros(shape, np.uint8), np.diag([*sizes, 1.0]))


def test_pieces_are_cubes_of_the_grid():
    like = image((20, 10, 8), (1.0, 2.0, 3.0))
    numbers = pieces(like).get_fdata()
    assert (numbers[:6, :3, :2] == numbers[0, 0, 0]).all()
    for index in ((6, 0, 0), (0, 3, 0), (0, 0, 2)):
        assert numbers[index] != numbers[0, 0, 0]
    assert len(np.unique(numbers)) == np.prod(np.ceil(np.array([20, 20, 24]) / PIECE_MM))


def test_the_spread_of_a_median_is_that_of_theory():
    """Asymptotic standard error of the median of normal values: sqrt(pi / 2n)."""
    rng = np.random.default_rng(1)
    found = [drawn_quantiles([rng.normal(size=400)], [np.arange(400)], [0.5]).std() for _ in range(30)]
    assert np.mean(found) == pytest.approx(np.sqrt(np.pi / 800), rel=0.1)


def test_voxels_of_one_piece_count_as_one():
    rng = np.random.default_rng(2)
    owner = np.repeat(np.arange(40), 25)
    found = [drawn_quantiles([np.repeat(rng.normal(size=40), 25)], [owner], [0.5]).std() for _ in range(30)]
    assert np.mean(found) == pytest.approx(np.sqrt(np.pi / 80), rel=0.2)


def test_without_a_change_of_the_pieces_a_quantile_is_the_quantile():
    values = np.arange(101.0)
    assert (drawn_quantiles([values], [np.zeros(101)], [0.25]) == 25).all()


def test_the_error_of_a_band_is_its_spread_over_scans_that_differ_by_chance():
    """Six banks of 300 voxels in 60 pieces that they share; each scan draws pieces and voxels anew."""
    rng = np.random.default_rng(3)
    owners = [rng.integers(0, 60, 300) for _ in range(6)]

    def scan() -> list[np.ndarray]:
        shared = 0.03 * rng.normal(size=60)
        return [
            1 + shared[own] + 0.03 * rng.normal(size=(6, 60))[n][own] + 0.05 * rng.normal(size=300)
            for n, own in enumerate(owners)
        ]

    scans = [scan() for _ in range(60)]
    true = np.std([band_darkness(banks[:3], banks[3:]) for banks in scans], ddof=1)
    found = np.mean([darkness_with_error(banks, owners).error for banks in scans[:20]])
    assert found == pytest.approx(true, rel=0.25)


def test_errors_of_body_parts_add_up_as_unrelated_ones():
    assert mean_darkness([Darkness(0.1, 0.03), Darkness(0.2, 0.04)]) == pytest.approx((0.15, 0.025))


def test_the_index_is_the_mean_of_the_regions_of_a_side_and_of_both(slab, paint):
    table = measured(slab, paint(slab))
    sides = {}
    for hemi in "LR":
        parts = [value(table, "band_darkness", f"precentral_{part}", hemi) for part in ("leg", "hand", "face")]
        sides[hemi] = np.mean(parts)
        assert value(table, "band_index", "precentral", hemi) == pytest.approx(sides[hemi])
        assert 0 < value(table, "band_index_error", "precentral", hemi) < 0.1
    assert value(table, "band_index", "precentral", "both") == pytest.approx(np.mean(list(sides.values())))
    errors = [value(table, "band_index_error", "precentral", hemi) for hemi in ("L", "R", "both")]
    assert errors[2] == pytest.approx(np.sqrt((errors[0] ** 2 + errors[1] ** 2) / 2))  # no smaller for two sides


def test_where_one_region_is_missing_there_is_no_index_and_the_reason(slab, paint):
    data = paint(slab)
    masks, names = regions_of(slab)
    data[np.asarray(select(masks, names, "precentral_posterior_deep_leg", "R").dataobj) > 0] = 0
    table = measured(slab, data).set_index(["measure", "region", "hemi"])
    for measure in ("band_index", "band_index_error"):
        for hemi in ("R", "both"):
            row = table.loc[(measure, "precentral", hemi)]
            assert np.isnan(row["value"]) and "precentral_posterior_deep_leg (R)" in row["status"]
        assert np.isfinite(table.loc[(measure, "precentral", "L"), "value"])
