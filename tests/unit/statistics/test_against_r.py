"""Every estimator against R 4.2, the code beside its numbers.

Packages: car, clubSandwich, coin, effectsize, emmeans, nlme, pROC, sandwich, survival.

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
from mndmri.statistics.assumptions import assumptions_table
from mndmri.statistics.auc import compare_areas
from mndmri.statistics.contrasts import list_contrasts
from mndmri.statistics.deviations import score_deviations
from mndmri.statistics.equivalence import equivalence_table
from mndmri.statistics.exact import permuted_ranks_p
from mndmri.statistics.families import holm
from mndmri.statistics.mixed import random_intercept
from mndmri.statistics.models import build_design, contrast_vector
from mndmri.statistics.ranks import dunn
from mndmri.statistics.samples import Sample
from mndmri.statistics.survival import survival_table
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


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [0.0437924726510, 0.010461606562, 4.932317108833, 0.008862548975034]),
        ("ALS-control", [-0.0502549423519, 0.01386186909061, 7.806556088026, 0.007014344983778]),
        ("PLS-control", [-0.0940474150029, 0.0135867219569, 6.399106904622, 0.000339463753468]),
        ("patients-control", [-0.0677719314123, 0.01276180251293, 6.432245030043, 0.001455260510383]),
    ],
)
def test_differences_by_own_variances_are_those_of_whole_matrices(table, contrast, expected):
    """No package does this: least squares, unbiased variances of the groups, Satterthwaite. Rows of L as above.

    X <- model.matrix(y ~ 0 + group + age + sex, d); P <- solve(crossprod(X), t(X)); M <- diag(16) - X %*% P
    g <- as.integer(d$group); E <- lapply(1:3, function(k) diag(as.numeric(g == k))); r <- c(M %*% d$y)
    T <- sapply(1:3, function(h) sapply(1:3, function(k) sum(diag(M %*% E[[k]] %*% M %*% E[[h]]))))
    s <- solve(T, sapply(1:3, function(k) sum(r[g == k]^2))); V <- diag(s[g])
    K <- 2 * sapply(1:3, function(a) sapply(1:3, function(b)
      sum(diag(E[[a]] %*% M %*% V %*% M %*% E[[b]] %*% M %*% V %*% M))))
    K <- solve(T) %*% K %*% t(solve(T))
    for (i in 1:4) { w <- (c(L[[i]], 0, 0) %*% P)^2; w <- sapply(1:3, function(k) sum(w[g == k]))
      e <- sum(c(L[[i]], 0, 0) %*% P %*% d$y); se <- sqrt(sum(w * s)); df <- 2 * sum(w * s)^2 / c(w %*% K %*% w)
      print(c(e, se, df, 2 * pt(-abs(e / se), df))) }
    """
    np.testing.assert_allclose(row(table, "ancova_welch", contrast, ["estimate", "se", "df", "p"]), expected, rtol=1e-9)


def test_all_groups_by_own_variances_are_those_of_whole_matrices(table):
    """With the matrices above.

    C <- rbind(c(1, 0, -1, 0, 0), c(0, 1, -1, 0, 0))
    A <- lapply(1:3, function(k) C %*% P %*% E[[k]] %*% t(P) %*% t(C)); S <- Reduce(`+`, Map(`*`, A, s)); tr <- 0
    for (a in 1:3) for (b in 1:3) tr <- tr + K[a, b] * sum(diag(solve(S, A[[a]]) %*% solve(S, A[[b]])))
    nu <- 6 / tr; b <- C %*% P %*% d$y; F <- c(t(b) %*% solve(S, b)) * (nu - 1) / (2 * nu)
    c(F, nu - 1, pf(F, 2, nu - 1, lower.tail = FALSE))
    """
    expected = [21.99021688577, 6.050195717136, 0.001677157791861]
    np.testing.assert_allclose(row(table, "ancova_welch", "group", ["statistic", "df", "p"]), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [0.056, 0.02224335106648, 7.552635610348, 0.03759222783484]),
        ("ALS-control", [-0.0545, 0.01918810395358, 8.835220605435, 0.01974672371739]),
        ("PLS-control", [-0.1105, 0.01900219285591, 5.777324207422, 0.001296727209812]),
    ],
)
def test_differences_without_covariates_are_welch_s_and_those_of_gls(measures, contrast, expected):
    """The same estimates and, to 2e-8, standard errors by gls(y ~ 0 + group, d, weights = varIdent(form = ~1 | group)).

    t <- t.test(d$y[d$group == "ALS"], d$y[d$group == "PLS"]); c(t$stderr, t$parameter, t$p.value)
    """
    table = compare_groups(measures, PEOPLE, groups=GROUPS, reference="control", n_permutations=0)
    np.testing.assert_allclose(row(table, "ancova_welch", contrast, ["estimate", "se", "df", "p"]), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("ALS-PLS", [0.04113972419335, 0.01043519139797]),
        ("ALS-control", [-0.05079037841167, 0.01367107566462]),
        ("PLS-control", [-0.09193010260502, 0.01368619279892]),
        ("patients-control", [-0.06724626808901, 0.01268579372942]),
    ],
)
def test_differences_by_own_variances_are_near_those_of_gls_which_weights(table, contrast, expected):
    """Generalised least squares gives participants of groups that vary less more weight in the covariates' effects.

    f <- gls(y ~ 0 + group + age + sex, d, weights = varIdent(form = ~1 | group)); l <- c(L[[i]], 0, 0)
    c(sum(l * coef(f)), sqrt(c(l %*% vcov(f) %*% l)))
    """
    estimate, se = row(table, "ancova_welch", contrast, ["estimate", "se"])
    assert estimate == pytest.approx(expected[0], abs=0.3 * se)
    assert se == pytest.approx(expected[1], rel=0.02)


def test_robust_degrees_of_freedom_are_bell_and_mccaffrey_s_of_clubsandwich(table):
    """Every participant a cluster: CR3 is HC3.

    fit <- lm(y ~ 0 + group + age + sex, d)
    linear_contrast(fit, vcovCR(fit, cluster = 1:16, type = "CR3"), rbind(c(1, -1, 0, 0, 0), ...))[c("SE", "df")]
    """
    expected = [
        [0.01705292007728, 3.905014630327],
        [0.01289540784717, 7.926190491936],
        [0.01672012621452, 5.005307624519],
        [0.01190829435393, 7.325420513009],
    ]
    contrasts = ["ALS-PLS", "ALS-control", "PLS-control", "patients-control"]
    found = [row(table, "ancova_hc3", contrast, ["se", "df"]) for contrast in contrasts]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_two_one_sided_tests_are_those_of_t_test(measures):
    """Margin of half an SD; interval of 90%.

    x <- d$y[d$group == "ALS"]; z <- d$y[d$group == "PLS"]; m <- 0.5 * sqrt((var(x) + var(z)) / 2)
    max(t.test(x, z, mu = -m, alternative = "greater")$p.value, t.test(x, z, mu = m, alternative = "less")$p.value)
    t.test(x, z, conf.level = .9)$conf.int
    """
    table = equivalence_table(measures, PEOPLE, groups=GROUPS, reference="control", margin_sd=0.5, pooled=False)
    expected = [
        [0.0176101296607, 0.9375637167215, 0.01431755318702, 0.09768244681298],
        [0.01661738547426, 0.9598063614637, -0.08974879588274, -0.01925120411726],
        [0.01448634414429, 0.9987010889287, -0.1476811365617, -0.07331886343827],
    ]
    found = table.set_index("contrast").loc[["ALS-PLS", "ALS-control", "PLS-control"]]
    np.testing.assert_allclose(found[["margin", "p_tost", "ci_low", "ci_high"]], expected, rtol=1e-9)


def test_limits_of_hodges_lehmann_are_those_of_the_exact_wilcox_test():
    """wilcox.test(x, z, exact = TRUE, conf.int = TRUE), values without ties."""
    x = np.array([3.1, 0.4, 5.6, 2.2, 7.7, 4.8, 1.9, 6.3, 8.4, 2.9, 5.1, 0.7, 9.2])
    z = np.array([1.2, 0.1, 2.6, 3.3, 0.9, 4.1, 1.7, 2.4, 0.3, 3.8])
    np.testing.assert_allclose(hodges_lehmann(x, z), [2.2, 0.2, 4.7], atol=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0, 4, 6, 12, 3, 8, 0, 5, 9, 7, 2, 10, 6], [0, 0, 1, 0, 3, 0, 0, 2, 0, 0], 0.0008338679761482),
        ([0, 4, 6, 12, 3, 8], [5, 0, 3, 2], 0.2333333333333),
        ([0, 4, 6, 12, 3, 8], [0, 0, 1, 0, 0, 3], 0.03246753246753),
        ([5, 0, 3, 2], [0, 0, 1, 0, 0, 3], 0.1666666666667),
    ],
)
def test_exact_permutation_of_tied_ranks_is_that_of_coin(first, second, expected):
    """pvalue(wilcox_test(s ~ g, data, distribution = "exact"))"""
    assert permuted_ranks_p(np.array(first), np.array(second)) == pytest.approx(expected, rel=1e-10)


def test_spread_of_the_groups_is_tested_as_levene_test_with_medians(measures):
    """leveneTest(resid(fit) ~ d$group, center = median)"""
    table = assumptions_table(measures, PEOPLE, groups=GROUPS, covariates=["age", "sex"]).set_index("check")
    found = table.loc["brown_forsythe", ["statistic", "df_num", "df", "p"]].astype(float)
    np.testing.assert_allclose(found, [0.3500943549341, 2, 13, 0.711064864641], rtol=1e-9)


SECOND = np.array([1.9, 2.6, 1.4, 2.2, 3.1, 2.0, 1.1, 2.4, 1.6, 2.9, 2.8, 3.4, 2.5, 3.9, 3.0, 2.7])


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        (
            ["ALS", "PLS"],
            [0.9333333333333, 0.8666666666667, -0.1126499056063, 0.2459832389397, 0.7286792513359, 0.4661978876635],
        ),
        (
            ["ALS"],
            [0.8888888888889, 0.8611111111111, -0.1759309366824, 0.2314864922379, 0.2672612419124, 0.7892680261343],
        ),
    ],
)
def test_two_markers_are_compared_as_by_roc_test(positives, expected):
    """Without PLS in the second; lower values are positive.

    s <- c(1.9, 2.6, 1.4, 2.2, 3.1, 2.0, 1.1, 2.4, 1.6, 2.9, 2.8, 3.4, 2.5, 3.9, 3.0, 2.7); k <- d$group != "control"
    r <- lapply(list(d$y, s), function(v) roc(k, v, levels = c(FALSE, TRUE), direction = ">"))
    t <- roc.test(r[[1]], r[[2]], paired = TRUE, method = "delong"); c(t$estimate, t$conf.int, t$statistic, t$p.value)
    """
    first, second = PEOPLE["group"].isin(positives).to_numpy(), (PEOPLE["group"] == "control").to_numpy()
    found = compare_areas(*((-v[first], -v[second]) for v in (Y, SECOND)))
    got = [*found.areas, found.interval.low, found.interval.high, found.z, found.p]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


# Miller 1997: weeks of remission in acute myelogenous leukaemia, maintained and not (survival::aml)
AML = pd.DataFrame(
    {
        "participant_id": [f"s{i:02d}" for i in range(23)],
        "time": [9.0, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45],
        "event": [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1],
        "age": [61.0, 55, 68, 70, 50, 63, 59, 66, 72, 60, 57, 65, 52, 69, 62, 55, 71, 48, 64, 58, 67, 53, 60],
    }
)


@pytest.mark.parametrize(
    ("groups", "model", "expected"),
    [
        (["ALS"], "alone", [0.9155325750147, 0.511934275172, 0.07371486063905, 0.975746044445]),
        (["ALS"], "adjusted", [0.8551004748537, 0.5249746301776, 0.1033465724891, 0.9815593451899]),
        (["ALS", "PLS"], "adjusted", [0.7780105140945, 0.536016554093, 0.1466497743479, 0.8526488413233]),
    ],
)
def test_hazard_ratios_are_those_of_coxph(groups, model, expected):
    """Efron's ties; groups of patients as strata (g is ALS, PLS, ALS, ...).

    p of proportionality is of the correlation with the rank of time; cox.zph(f, transform = "rank", terms = FALSE), a
    score test since survival 3.0, gives 0.9836, 0.9836 and 0.8369.

    q <- cbind(aml, age = c(61, 55, 68, ...), g = rep(c("ALS", "PLS"), length.out = 23)); q$x <- rep(0:1, c(11, 12))
    f <- coxph(Surv(time, status) ~ x + age + strata(g), q); summary(f)$coef["x", ]
    s <- as.matrix(residuals(f, "scaledsch")); cor.test(rank(as.numeric(rownames(s))), s[, 1])$p.value
    """
    people = AML.assign(group=np.resize(groups, len(AML)))
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "status": "ok"}
    measured = people[["participant_id"]].assign(value=np.repeat([0.0, 1.0], [11, 12]), **place)
    options = {"groups": groups, "reference": None, "time": "time", "event": "event", "covariates": ["age"]}
    found = survival_table(measured, people, **options).set_index("model").loc[model]
    coefficient = np.log(found["hazard_ratio"]) / found["sd"]
    got = [coefficient, coefficient / found["statistic"], found["p"], found["p_proportional"]]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_w_scores_with_covariates_are_those_of_predict():
    """Two patients, and a control by the model of the others.

    co <- data.frame(y = c(.489, .462, ...), age = c(57.1, ...), sex = c("F", ...)); f <- lm(y ~ age + sex, co)
    p <- predict(f, data.frame(age = c(61.2, 75.4), sex = c("M", "F")), se.fit = TRUE)
    w <- (c(.412, .455) - p$fit) / sqrt(p$se.fit^2 + p$residual.scale^2); cbind(p$fit, w, 100 * pt(w, p$df))
    f <- lm(y ~ age + sex, co[-1, ]); ... co[1, ]
    """
    values = [0.489, 0.462, 0.503, 0.447, 0.512, 0.458, 0.471, 0.495, 0.480, 0.466, 0.501, 0.452]
    age = [57.1, 64.9, 52.3, 69.4, 61.8, 55.0, 60.2, 66.7, 49.5, 71.3, 58.8, 63.6]
    people = pd.DataFrame(
        {
            "participant_id": ["c00", *(f"c{n:02d}" for n in range(1, 12)), "p0", "p1"],
            "group": [*["control"] * 12, "ALS", "ALS"],
            "age": [*age, 61.2, 75.4],
            "sex": [*"FMFMFFMMFMFM", "M", "F"],
        }
    )
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "status": "ok"}
    measured = people[["participant_id"]].assign(value=[*values, 0.412, 0.455], **place)
    found = score_deviations(measured, people, groups=["ALS", "control"], reference="control").deviations
    found = found.set_index("participant_id").loc[["p0", "p1", "c00"], ["expected", "w_score", "percentile"]]
    expected = [
        [0.4609055202681, -2.288959201408, 2.392803143847],
        [0.5092435695635, -1.587915575899, 7.338394539237],
        [0.4923864155711, -0.154551902862, 44.05012864524],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_random_intercept_is_that_of_lme():
    """Weights by the groups' variances in the model with fixed sites, unbiased as above.

    All variances by REML, lme with weights = varIdent(form = ~1 | group), gives 1.12863 (se 1.05141),
    -0.89969 (0.17154) and -2.02832 (1.04737).

    e <- data.frame(group = factor(rep(c("ALS", "PLS", "control"), c(9, 6, 9))), site = rep(c("A", "B", "C"), 8),
      age = c(61, ...), y = c(4.1, ...))
    X <- cbind(model.matrix(~0 + group + age, e), model.matrix(~site, e)[, -1]); g <- as.integer(e$group)
    M <- diag(24) - X %*% solve(crossprod(X), t(X)); r <- c(M %*% e$y)
    T <- sapply(1:3, function(h) sapply(1:3, function(k) sum(M[g == k, g == h]^2)))
    v <- solve(T, sapply(1:3, function(k) sum(r[g == k]^2))); e$v <- v[g]
    f <- lme(y ~ 0 + group + age, e, random = ~1 | site, weights = varFixed(~v)); l <- c(1, -1, 0, 0)
    c(sum(l * fixef(f)), sqrt(c(l %*% vcov(f) %*% l)))
    """
    y = [4.1, 5.9, 2.2, 4.6, 6.8, 3.1, 4.4, 6.1, 2.0, 2.1, 8.4, -2.0, 5.8, 3.3, 1.9]
    y += [5.2, 7.1, 3.5, 5.5, 7.4, 3.2, 5.0, 6.9, 3.9]
    age = [61, 55, 68, 70, 50, 63, 59, 66, 72, 60, 57, 65, 52, 69, 62, 55, 71, 48, 64, 58, 67, 53, 60, 56]
    people = pd.DataFrame({"group": np.repeat(GROUPS, [9, 6, 9]), "value": y, "age": np.array(age, float)})
    contrasts = list_contrasts(GROUPS, reference="control", pooled=False)
    sites = pd.Series(list("ABC") * 8)
    fitted = random_intercept(Sample(people, GROUPS, 0, []), sites, covariates=["age"], contrasts=contrasts, alpha=0.05)
    found = [[fitted[name].interval.estimate, fitted[name].error] for name in ("ALS-PLS", "ALS-control", "PLS-control")]
    expected = [[1.125162322867, 0.9832213584251], [-0.9064191987489, 0.1878743492101], [-2.031581521616, 0.9741209540]]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
