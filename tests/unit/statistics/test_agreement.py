"""Agreement of ratings: published numbers, R's, and what cannot be computed."""

import numpy as np
import pytest

from mndmri.statistics.agreement import (
    bland_altman,
    detected,
    equal_share,
    intraclass_correlation,
    kappa,
    kappa_of_areas,
)

# Shrout and Fleiss 1979, Psychol Bull 86:420, table 2: six people, four judges
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
# data(anxiety) of R's package irr: three raters of 20 people, 1 to 6
ANXIETY = np.array(
    [
        [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
        [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
        [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
    ]
).T
# Bland and Altman 1986, Lancet 327:307: peak flow by a large and a small meter, l/min, 17 people
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
SMALL = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        # R, psych: ICC(sf), Single_random_raters; the estimate is in the paper's table 4
        (SHROUT, (0.29, 0.019, 0.761)),
        # R, irr: icc(anxiety, model = "twoway", type = "agreement")
        (ANXIETY, (0.198, -0.039, 0.494)),
    ],
    ids=["Shrout and Fleiss", "irr"],
)
def test_intraclass_correlation_is_that_of_the_paper_and_of_r(ratings, expected):
    assert intraclass_correlation(np.asarray(ratings, float)).interval == pytest.approx(expected, abs=6e-4)


def test_intraclass_correlation_follows_from_the_mean_squares():
    """Of two raters who differ by 1 and a residual: the closed form with sums of squares written out."""
    ratings = np.array([[0, 1], [1, 3], [2, 2], [4, 6]], float)
    n, k = ratings.shape
    people = k * ((ratings.mean(axis=1) - 2.375) ** 2).sum() / (n - 1)
    raters = n * ((ratings.mean(axis=0) - 2.375) ** 2).sum() / (k - 1)
    rest = ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + 2.375
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    expected = (people - error) / (people + (k - 1) * error + k * (raters - error) / n)
    assert intraclass_correlation(ratings).interval.estimate == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("weights", "expected"), [("quadratic", 0.297), ("linear", 0.189)])
def test_kappa_is_that_of_r(weights, expected):
    """R, irr: kappa2(anxiety[, 1:2], "squared") and kappa2(anxiety[, 1:2], "equal")."""
    found = kappa(ANXIETY[:, 0], ANXIETY[:, 1], top=6, weights=weights)
    assert found.interval.estimate == pytest.approx(expected, abs=5e-4)
    assert found.interval.low < expected < found.interval.high


def test_weights_of_three_grades_are_those_of_the_definition():
    """One minus observed over expected disagreement, summed by hand over the table."""
    first, second = np.array([0, 0, 1, 1, 2, 2, 2, 0, 1, 2]), np.array([0, 1, 1, 2, 2, 0, 2, 0, 1, 1])
    for weights, power in (("linear", 1), ("quadratic", 2)):
        observed = np.mean(np.abs(first - second) ** power)
        expected = np.mean(np.abs(first[:, None] - second[None, :]) ** power)
        assert kappa(first, second, top=2, weights=weights).interval.estimate == pytest.approx(1 - observed / expected)


def test_limits_of_agreement_are_those_of_the_peak_flow_meters():
    found = bland_altman(np.subtract(LARGE, SMALL).astype(float))
    # the paper: mean -2.1, 95% interval -22.0 to 17.8, SD 38.8 (its limits are of 2 SD)
    assert found["bias"].interval == pytest.approx((-2.1, -22.0, 17.8), abs=0.06)
    width = found["limit_high"].interval.estimate - found["limit_low"].interval.estimate
    assert width / (2 * 1.959964) == pytest.approx(38.8, abs=0.05)


def test_share_of_equal_ratings_has_wilsons_interval():
    """R: 100 * prop.test(9, 13, correct = TRUE)$conf.int."""
    first = np.array([0] * 13)
    second = np.array([0] * 9 + [1] * 4)
    assert equal_share(first, second).interval == pytest.approx((900 / 13, 38.8849020666, 89.6414789897), rel=1e-9)


def test_interval_over_areas_is_that_of_people_and_not_of_areas():
    """Areas that say all the same of a person are one observation: the interval is as wide as with one area each."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 60)
    second = np.clip(first + rng.choice([-1, 0, 0, 1], 60), 0, 2)
    one = kappa_of_areas(first[:, None].astype(float), second[:, None].astype(float), top=2).interval
    six = kappa_of_areas(
        np.tile(first[:, None], 6).astype(float), np.tile(second[:, None], 6).astype(float), top=2
    ).interval
    assert six.estimate == pytest.approx(one.estimate) == pytest.approx(kappa(first, second, top=2).interval.estimate)
    assert six.high - six.low == pytest.approx(one.high - one.low, rel=1e-9)
    # and with one area each it is near that of the large-sample error
    large = kappa(first, second, top=2).interval
    assert one.high - one.low == pytest.approx(large.high - large.low, rel=0.25)


def test_areas_that_are_not_rated_are_left_out():
    first, second = np.array([[0, 1], [2, np.nan], [1, 1]]), np.array([[0, 1], [2, 0], [1, 2]])
    expected = kappa(np.array([0, 1, 2, 1, 1]), np.array([0, 1, 2, 1, 2]), top=2).interval.estimate
    assert kappa_of_areas(first, second.astype(float), top=2).interval.estimate == pytest.approx(expected)


def test_sensitivity_and_specificity_are_shares_of_those_with_and_without():
    truth = np.array([True] * 13 + [False] * 4)
    found = np.array([True] * 9 + [False] * 4 + [True] + [False] * 3)
    shares = detected(truth, found)
    assert shares["sensitivity"].interval == pytest.approx((900 / 13, 38.8849020666, 89.6414789897), rel=1e-9)
    assert shares["specificity"].interval.estimate == 75
    assert "nobody has a band" in detected(np.zeros(3, bool), np.zeros(3, bool))["sensitivity"].problem
    everybody = detected(np.ones(3, bool), np.zeros(3, bool), what="the sign")
    assert everybody["specificity"].problem == "everybody has the sign"
    assert everybody["sensitivity"].interval.estimate == 0


def test_what_cannot_be_computed_says_why():
    same = np.zeros(5, int)
    assert "chance explains it all" in kappa(same, same, top=2).problem
    assert "all ratings are the same" in intraclass_correlation(np.zeros((5, 2))).problem
    assert "one rater" in intraclass_correlation(np.zeros((5, 1))).problem
    assert "fewer than two participants" in intraclass_correlation(np.zeros((1, 2))).problem
    perfect = intraclass_correlation(np.array([[0, 0], [1, 1], [2, 2]], float))
    assert perfect.interval.estimate == 1 and "no interval" in perfect.problem
    assert "one participant only" in bland_altman(np.array([1.0]))["limit_low"].problem
