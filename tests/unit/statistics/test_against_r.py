"""Every estimator against R 4.2 (car, emmeans, sandwich, effectsize, base): the code beside its numbers.

The data, in R::

    d <- data.frame(
      group = factor(rep(c("ALS", "PLS", "control"), c(6, 4, 6)), levels = c("ALS", "PLS", "control")),
      age = c(61.2, 55.4, 67.8, 70.1, 49.9, 63.3, 58.7, 66.0, 72.4, 60.5, 57.1, 64.9, 52.3, 69.4, 61.8, 55.0),
      sex = c("M", "F", "M", "M", "F", "M", "F", "M", "F", "M", "F", "M", "F", "M", "F", "F"),
      y = c(0.412, 0.455, 0.398, 0.367, 0.471, 0.441, 0.385, 0.352, 0.333, 0.402,
            0.489, 0.462, 0.503, 0.447, 0.512, 0.458))
    fit <- lm(y ~ group + age + sex, d)
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics import adjusted_means, compare_groups, fisher_freeman_halton, hedges_g, hodges_lehmann
from mndmri.statistics.families import holm
from mndmri.statistics.models import build_design, contrast_vector
from mndmri.statistics.ranks import dunn
from mndmri.statistics.welch import error_model, flip_p

GROUPS = ["ALS", "PLS", "control"]
PAIRS = [("ALS", "PLS"), ("ALS", "control"), ("PLS", "control")]
AGE = [61.2, 55.4, 67.8, 70.1, 49.9, 63.3, 58.7, 66.0, 72.4, 60.5, 57.1, 64.9, 52.3, 69.4, 61.8, 55.0]
Y = np.array(
    [0.412, 0.455, 0.398, 0.367, 0.471, 0.441, 0.385, 0.352, 0.333, 0.402, 0.489, 0.462, 0.503, 0.447, 0.512, 0.458]
)
BY_GROUP = {"ALS": Y[:6], "PLS": Y[6:10], "control": Y[10:]}
PEOPLE = pd.DataFrame(
    {
        "participant_id": [f"sub-{i:02d}" for i in range(16)],
        "group": np.repeat(GROUPS, [6, 4, 6]),
        "age": AGE,
        "sex": list("MFMMFMFMFMFMFMFF"),
    }
)


@pytest.fixture(scope="module")
def measures():
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "status": "ok"}
    return PEOPLE[["participant_id"]].assign(value=Y, **place)


@pytest.fixture(scope="module")
def table(measures):
    return compare_groups(
        measures, PEOPLE, groups=GROUPS, reference="control", covariates=["age", "sex"], n_permutations=0
    )


def row(table, test, contrast, columns):
    chosen = table[(table["test"] == test) & (table["contrast"] == contrast)]
    return chosen.iloc[0][columns].astype(float).to_numpy()


def test_omnibus_is_anova_type_2_of_car_and_eta_squared_of_effectsize(table):
    """Anova(fit, type = 2); eta_squared(Anova(fit, type = 2), partial = TRUE)"""
    expected = [21.86674466489812, 0.00014698314007, 0.799026151361928]
    np.testing.assert_allclose(row(table, "ancova", "group", ["statistic", "p", "partial_eta_sq"]), expected, rtol=1e-9)


def test_adjusted_means_are_those_of_emmeans_with_proportional_weights(measures):
    """Numeric covariates at their mean, categories in the proportions of the sample.

    emmeans(fit, "group", weights = "proportional")
    """
    means = adjusted_means(measures, PEOPLE, groups=GROUPS, covariates=["age", "sex"])
    np.testing.assert_allclose(means["estimate"], [0.422540014781, 0.378747542130, 0.472794957133], rtol=1e-9)


def test_intervals_of_means_without_covariates_are_those_of_t_test(measures):
    """t.test(d$y[d$group == "ALS"])$conf.int, group by group; here by scipy."""
    means = adjusted_means(measures, PEOPLE, groups=GROUPS)
    expected = [stats.ttest_1samp(values, 0).confidence_interval() for values in BY_GROUP.values()]
    np.testing.assert_allclose(means[["ci_low", "ci_high"]], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [0.0437924726510, 0.0109617856964, 0.0766231596056, 2.93586858423, 1.35474760923e-02]),
        ("ALS-control", [-0.0502549423519, -0.0791632765979, -0.0213466081058, -3.82624544868, 2.81259926586e-03]),
        ("PLS-control", [-0.0940474150029, -0.1258884168906, -0.0622064131151, -6.50095639252, 4.42191380119e-05]),
        ("patients-control", [-0.0677719314123, -0.0932330757776, -0.0423107870469, -5.85853538901, 1.09520176438e-04]),
    ],
)
def test_adjusted_differences_are_the_contrasts_of_emmeans(table, contrast, expected):
    """Pooled patients weigh by their numbers, 6 and 4.

    L <- list(c(1, -1, 0), c(1, 0, -1), c(0, 1, -1), c(.6, .4, -1))
    summary(contrast(emmeans(fit, "group", weights = "proportional"), L), infer = TRUE)
    """
    found = row(table, "ancova_contrast", contrast, ["estimate", "ci_low", "ci_high", "statistic", "p"])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [0.0062592486247, 0.0813256966773, 2.56803365362]),
        ("ALS-control", [-0.0786375436568, -0.0218723410469, -3.89711926505]),
        ("PLS-control", [-0.1308481646759, -0.0572466653298, -5.62480293487]),
        ("patients-control", [-0.0939819105673, -0.0415619522573, -5.69115352694]),
    ],
)
def test_robust_errors_are_hc3_of_sandwich(table, contrast, expected):
    """With the contrasts L above; its limits are by t of 11 degrees of freedom, here they give the standard error.

    summary(contrast(emmeans(fit, "group", weights = "proportional", vcov. = vcovHC(fit, "HC3")), L), infer = TRUE)
    """
    low, high, t = expected
    se, statistic, df = row(table, "ancova_hc3", contrast, ["se", "statistic", "df"])
    np.testing.assert_allclose([se, statistic], [(high - low) / 2 / stats.t.isf(0.025, 11), t], rtol=1e-9)
    assert df < 11


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [1.8838645469, 0.3746865653, 3.3319992171]),
        ("ALS-control", [-2.1618670624, -3.5546446514, -0.7105202992]),
        ("PLS-control", [-4.0457316093, -6.0810059757, -1.9484897740]),
        ("patients-control", [-2.9154128812, -4.4379024706, -1.3417983018]),
    ],
)
def test_adjusted_g_is_the_difference_over_sigma_with_the_limits_of_its_noncentral_t(table, contrast, expected):
    """With r <- as.data.frame(contrast(emmeans(...), L)) as above, each row i.

    nu <- df.residual(fit); J <- gamma(nu / 2) / (sqrt(nu / 2) * gamma((nu - 1) / 2)); s <- sigma(fit)
    t <- r$t.ratio[i]; se <- r$SE[i]
    f <- function(p) uniroot(function(n) pt(t, nu, n) - p, t + c(-12, 12), tol = 1e-13)$root
    J * c(r$estimate[i] / s, f(.975) * se / s, f(.025) * se / s)
    """
    found = row(table, "ancova_contrast", contrast, ["adjusted_g", "adj_g_ci_low", "adj_g_ci_high"])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("ALS", "control"), [-1.51316329867, -2.71870617988, -0.254286510714]),
        (("PLS", "control"), [-3.51472541187, -5.52276244827, -1.44441353125]),
        (("ALS", "PLS"), [1.39841739948, 0.0409430167456, 2.69280136163]),
    ],
)
def test_hedges_g_is_that_of_effectsize(pair, expected):
    """hedges_g(d$y[d$group == "ALS"], d$y[d$group == "control"]); its limits are searched to 1e-6."""
    np.testing.assert_allclose(hedges_g(*(BY_GROUP[name] for name in pair)), expected, rtol=0, atol=1e-6)


def test_kruskal_wallis_is_kruskal_test(table):
    """kruskal.test(y ~ group, d)"""
    found = row(table, "kruskal", "group", ["statistic", "p"])
    np.testing.assert_allclose(found, [10.01838235294117, 0.00667630107244], rtol=1e-9)


@pytest.mark.parametrize(
    ("pair", "expected"),
    zip(
        PAIRS, [[1.5649517801, 0.1175942161], [-1.7344547654, 0.0828374252], [-3.1162952839, 0.0018313879]], strict=True
    ),
)
def test_dunn_of_tied_values_is_that_by_hand(pair, expected):
    """With ties, after rounding.

    r <- rank(round(d$y, 2)); N <- 16; ties <- table(round(d$y, 2))
    v <- N * (N + 1) / 12 - sum(ties^3 - ties) / (12 * (N - 1)); m <- tapply(r, d$group, mean); n <- table(d$group)
    z <- (m["ALS"] - m["PLS"]) / sqrt(v * (1 / n["ALS"] + 1 / n["PLS"])); c(z, 2 * pnorm(-abs(z)))
    """
    rounded = {name: values.round(2) for name, values in BY_GROUP.items()}
    np.testing.assert_allclose(dunn(rounded, *pair), expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("pair", "expected"),
    zip(PAIRS, [[0.058, -0.004, 0.119], [-0.0495, -0.1, -0.006], [-0.11, -0.16, -0.06]], strict=True),
)
def test_hodges_lehmann_is_that_of_wilcox_test(pair, expected):
    """The limits by the normal approximation; the estimate, which that one interpolates, by the exact test.

    wilcox.test(d$y[d$group == "ALS"], d$y[d$group == "PLS"], conf.int = TRUE, exact = FALSE, correct = FALSE)$conf.int
    wilcox.test(d$y[d$group == "ALS"], d$y[d$group == "PLS"], conf.int = TRUE, exact = TRUE)$estimate
    """
    np.testing.assert_allclose(hodges_lehmann(*(BY_GROUP[name] for name in pair)), expected, atol=1e-9)


def test_corrections_are_those_of_p_adjust():
    """p.adjust(p, "holm"); p.adjust(p, "BH"), here by scipy."""
    p = [0.012, 0.034, 0.0009, 0.21, 0.048, 0.012]
    np.testing.assert_allclose(holm(p), [0.06, 0.102, 0.0054, 0.21, 0.102, 0.06], rtol=1e-9)
    expected = [0.024, 0.051, 0.0054, 0.21, 0.0576, 0.024]
    np.testing.assert_allclose(stats.false_discovery_control(p), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[9, 4], [4, 1], [0, 10]], 0.0005048854),
        ([[3, 1, 0], [0, 2, 2], [1, 0, 3]], 0.0909090909),
        ([[5, 3, 3, 1], [1, 2, 3, 4]], 0.249976030162),
    ],
)
def test_exact_test_of_a_table_is_fisher_test(counts, expected):
    """Row by row here, column by column in R.

    fisher.test(matrix(c(9, 4, 0, 4, 1, 10), 3))
    fisher.test(matrix(c(3, 0, 1, 1, 2, 0, 0, 2, 3), 3)); fisher.test(matrix(c(5, 1, 3, 2, 3, 3, 1, 4), 2))
    """
    assert fisher_freeman_halton(counts) == pytest.approx(expected, abs=1e-10)


def test_permutation_p_is_that_of_enumerating_every_flip():
    """Six people, two groups: 64 signs of the residuals of the model without the group, Welch's t of each."""
    people = pd.DataFrame({"group": list("AAABBB")})
    y = np.array([1.3, 2.6, 0.9, 3.9, 2.2, 3.1])
    design = build_design(people, groups=["A", "B"], covariates=[])
    residuals = y - y.mean()

    def welch(values):
        """Squared t, and the same brought to infinite degrees of freedom."""
        found = stats.ttest_ind(values[:3], values[3:], equal_var=False)
        return (found.df - 0.5) * np.log1p(found.statistic**2 / found.df)

    drawn = [welch(residuals * signs) for signs in product([1, -1], repeat=6)]
    exact = np.mean(np.array(drawn) >= welch(y) * (1 - 1e-9))
    m = 20_000
    errors = error_model(design.matrix, np.repeat([0, 1], 3))
    (found,) = flip_p(errors, y, [contrast_vector(design, {"A": 1, "B": -1})], number=m, seed=0)
    assert 0.05 < exact < 0.95
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / m))
