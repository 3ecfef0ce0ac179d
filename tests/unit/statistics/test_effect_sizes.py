"""Effect sizes with intervals, and the exact test of a table."""

import math

import numpy as np
import pytest
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics import fisher_freeman_halton, hedges_g, hodges_lehmann
from mndmri.statistics.effect_sizes import HUGE, g_of_t


def test_hedges_g_by_hand():
    # means 3 and 6, pooled SD sqrt(2.5): d = -1.897; df = 8, J = gamma(4) / (2 gamma(3.5)) = 0.9027
    first, second = np.arange(1.0, 6), np.arange(4.0, 9)
    correction = math.gamma(4) / (2 * math.gamma(3.5))
    assert hedges_g(first, second).estimate == pytest.approx(-3 / math.sqrt(2.5) * correction)


def test_limits_of_hedges_g_put_the_observed_t_at_the_tails():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.8, 1, 7), rng.normal(0, 1, 12)
    g = hedges_g(first, second, alpha=0.1)
    t = stats.ttest_ind(first, second).statistic
    shrink = g.estimate / t
    assert stats.nct.sf(t, 17, g.low / shrink) == pytest.approx(0.05, abs=1e-6)
    assert stats.nct.cdf(t, 17, g.high / shrink) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("spread", [1 / 3, 1.0, 3.0])
def test_limits_by_own_variances_hold_0_where_welchs_test_does_not_reject_it(spread):
    """SciPy's test is the second opinion; the limits of one variance for all disagree with it here."""
    rng = np.random.default_rng(11)
    agree = []
    for _ in range(200):
        first, second = rng.normal(1.2 * spread, spread, 5), rng.normal(0, 1, 10)
        p = stats.ttest_ind(first, second, equal_var=False).pvalue
        own, one = (hedges_g(first, second, own_variances=own) for own in (True, False))
        assert own.estimate == pytest.approx(one.estimate)
        agree.append([(size.low <= 0 <= size.high) == (p > 0.05) for size in (own, one)])
    found = np.mean(agree, axis=0)
    assert found[0] == 1
    assert found[1] < 1


def test_limits_by_own_variances_mirror():
    first, second = np.random.default_rng(12).normal(size=(2, 9)) * [[3], [1]]
    there, back = hedges_g(first, second, own_variances=True), hedges_g(second, first, own_variances=True)
    assert [-back.estimate, -back.high, -back.low] == pytest.approx(list(there))


def test_swapped_groups_mirror_the_effect():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=6), rng.normal(1, 1, 9)
    for size in (hedges_g, hodges_lehmann):
        there, back = size(first, second), size(second, first)
        assert [-back.estimate, -back.high, -back.low] == pytest.approx(list(there))


@pytest.mark.parametrize("distance", [5, 50, 5e3, 1e7])
def test_a_large_effect_has_finite_limits_around_it(distance):
    noise = np.random.default_rng(3).normal(size=40)
    g = hedges_g(noise[:20] + distance, noise[20:])
    assert g.low < g.estimate < g.high


@pytest.mark.parametrize("t", [-5e4, -1500.0, -50.0, -0.5, 0.0, 50.0])
def test_an_effect_and_its_mirror_image_have_finite_limits_with_few_degrees_of_freedom(t):
    one, other = g_of_t(t, df=2, sd_df=2, scale=1.0), g_of_t(-t, df=2, sd_df=2, scale=1.0)
    assert one.low < one.estimate < one.high
    assert [-other.estimate, -other.high, -other.low] == pytest.approx(list(one))


@pytest.mark.parametrize("t", [-300.0, -7.2, -1.0, 0.5, 40.0])
def test_limits_are_on_both_sides_of_the_estimate_or_there_are_none(t):
    """A standard error by the groups' own variances can have less than one degree of freedom."""
    for df in (1.0, 1.3, 2.5):
        size = g_of_t(t, df=df, sd_df=5, scale=1.0)
        assert size.low < size.estimate < size.high
    for df in (0.006, 0.4, 0.99):
        size = g_of_t(t, df=df, sd_df=5, scale=1.0)
        assert size.estimate == g_of_t(t, df=5, sd_df=5, scale=1.0).estimate
        assert np.isnan([size.low, size.high]).all()


def test_limits_of_a_huge_effect_go_on_from_those_of_a_large_one():
    below, above = (g_of_t(math.sqrt(HUGE * 20) * f, df=20, sd_df=20, scale=1.0) for f in (0.999, 1.001))
    assert np.array(above) / below == pytest.approx(1.001 / 0.999, rel=1e-5)


def test_no_spread_or_a_group_of_one_has_no_hedges_g():
    assert np.isnan(hedges_g([1.0], [1.0, 2.0, 4.0])).all()
    assert np.isnan(hedges_g([0.1] * 3, [0.1] * 4)).all()
    assert np.isnan(hedges_g([], [1.0, 2.0])).all()


def test_hodges_lehmann_is_the_shift_and_covers_it():
    noise = np.random.default_rng(4).normal(size=60)
    shift = hodges_lehmann(noise[:30] + 2, noise[30:])
    assert shift.estimate == pytest.approx(np.median([a + 2 - b for a in noise[:30] for b in noise[30:]]))
    assert shift.low < 2 < shift.high
    assert shift.low > 0


def test_interval_of_hodges_lehmann_excludes_zero_where_the_rank_test_rejects():
    rng = np.random.default_rng(5)
    for shift in np.linspace(0, 2, 41):
        first, second = rng.normal(shift, 1, 12), rng.normal(0, 1, 12)
        interval = hodges_lehmann(first, second)
        p = stats.mannwhitneyu(first, second, method="asymptotic", use_continuity=False).pvalue
        if not 0.03 < p < 0.08:  # a rank more or less decides near 0.05
            assert (interval.low > 0 or interval.high < 0) == (p < 0.05)


@pytest.mark.parametrize(("m", "n"), [(5, 10), (13, 5), (4, 4), (12, 12)])
def test_exact_limits_of_hodges_lehmann_are_the_shifts_that_the_exact_test_does_not_reject(m, n):
    rng = np.random.default_rng(m)
    first, second = rng.normal(size=m), rng.normal(size=n)
    interval = hodges_lehmann(first, second)
    for limit, outward in ((interval.low, -1e-9), (interval.high, 1e-9)):
        beyond, within = (
            stats.mannwhitneyu(first - limit - step, second, method="exact").pvalue for step in (outward, -outward)
        )
        assert beyond <= 0.05 < within


def test_groups_too_small_for_an_interval_have_none():
    assert np.isnan(hodges_lehmann([1.0], [2.0, 3.0]).low)
    three, four = np.arange(3.0), np.arange(4.0) + 0.5
    assert np.isnan(hodges_lehmann(three, three + 0.3).low)
    assert np.isnan(hodges_lehmann(three, four).low)
    assert np.isfinite(hodges_lehmann(four, four + 0.3).low)


def test_freeman_halton_of_the_published_motor_band_counts():
    assert fisher_freeman_halton([[9, 4], [4, 1], [0, 10]]) == pytest.approx(0.000505, abs=5e-7)


def test_two_by_two_is_fishers_test():
    rng = np.random.default_rng(6)
    for table in rng.integers(0, 9, (30, 2, 2)):
        assert fisher_freeman_halton(table) == pytest.approx(stats.fisher_exact(table)[1])


def test_three_by_three_is_the_sum_over_every_table_with_its_margins():
    # p of each table by the hypergeometric formula, over all choices of its four free cells
    table = np.array([[3, 1, 0], [0, 2, 2], [1, 0, 3]])
    rows, columns = table.sum(axis=1), table.sum(axis=0)

    def log_p(t):
        logs = [math.lgamma(v + 1) for v in (*rows, *columns)]
        return sum(logs) - math.lgamma(13) - sum(math.lgamma(v + 1) for v in np.ravel(t))

    found = []
    for a, b, c, d in np.ndindex(5, 5, 5, 5):
        top = np.array([[a, b, rows[0] - a - b], [c, d, rows[1] - c - d]])
        whole = np.vstack([top, columns - top.sum(axis=0)])
        if whole.min() >= 0:
            found.append(math.exp(log_p(whole)))
    assert sum(found) == pytest.approx(1)
    expected = sum(p for p in found if p <= math.exp(log_p(table)) * (1 + 1e-9))
    assert fisher_freeman_halton(table) == pytest.approx(expected)


def test_the_exact_test_does_not_depend_on_the_order_or_the_orientation_of_the_table():
    table = np.array([[5, 0, 2], [1, 3, 3]])
    assert fisher_freeman_halton(table) == fisher_freeman_halton(table.T) == fisher_freeman_halton(table[::-1])


@pytest.mark.parametrize("table", [[[1, 2]], [[1, -1], [2, 3]], [[0.5, 1], [2, 3]]])
def test_what_is_no_table_of_counts_is_refused(table):
    with pytest.raises(InputError, match="needs a table of counts"):
        fisher_freeman_halton(table)


def test_limits_are_finite_and_mirror_each_other_when_the_groups_are_swapped():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        first, second = rng.normal(rng.uniform(-4, 4), 1, 14), rng.normal(0, 1, 12)
        one, other = hedges_g(first, second), hedges_g(second, first)
        assert np.isfinite([*one, *other]).all()
        np.testing.assert_allclose([one.low, one.high], [-other.high, -other.low], atol=1e-6)
