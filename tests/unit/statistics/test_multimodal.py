"""The multimodal index: against R, on noise, on planted differences, and on data that must not be believed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mndmri.io import InputError
from mndmri.statistics import multimodal
from mndmri.statistics.multimodal import (
    BY_SITE,
    REPEATED,
    auc_interval,
    calibration,
    multimodal_index,
    multimodal_index_dictionaries,
    ordered_pairs,
)
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
ALS_CONTROL = [["ALS", "control"]]
PRIMARY = [
    {"modality": modality, "measure": measure, "region": region, "hemi": hemi}
    for modality, measure, region in (("t1w", "volume", "precentral"), ("dwi", "fa", "cst"))
    for hemi in "LR"
]


def study(sizes=(13, 5, 10), *, seed=0, difference=0.0, sites=2):
    """Participants, and values (n, 4) of which the last two, FA of the tract, are lower in patients."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    participants = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:03d}" for i in range(n)],
            "group": np.repeat(GROUPS, sizes),
            "age": rng.normal(60, 9, n),
            "sex": rng.choice(["F", "M"], n),
            "site": [f"Łódź {i % sites}" for i in range(n)],
        }
    )
    patient = (participants["group"] != "control").to_numpy()[:, None]
    return participants, rng.normal(size=(n, 4)) - difference * patient * [0, 0, 1, 1]


def long(participants, values):
    return pd.concat(
        pd.DataFrame(key | {"participant_id": participants["participant_id"], "value": column, "status": "ok"})
        for key, column in zip(PRIMARY, values.T, strict=True)
    )


def index(participants, values, **options):
    settings = {"groups": GROUPS, "reference": "control", "primary": PRIMARY, "n_repeats": 1}
    measures = values if isinstance(values, pd.DataFrame) else long(participants, values)
    return multimodal_index(measures, participants, **(settings | options))


def performance(participants, values, contrast="ALS-control", scheme=REPEATED, **options):
    table = index(participants, values, **options).performance
    return table[(table["contrast"] == contrast) & (table["scheme"] == scheme)].iloc[0]


def test_coefficients_are_those_of_r(monkeypatch):
    """Normative adjustment, standardisation and ridge; R 4.2.

    adj <- function(x) x - predict(lm(x ~ age, subset = y == 0), data.frame(age))
    std <- function(x) (x - mean(x)) / sqrt(mean((x - mean(x))^2)); Z <- cbind(std(adj(x1)), std(adj(x2)))
    nll <- function(b) { e <- b[1] + Z %*% b[2:3]
      sum(log1p(exp(-ifelse(y == 1, e, -e)))) + sum(b[2:3]^2) / (2 * C) }
    optim(c(0, 0, 0), nll, gradient, method = "BFGS", control = list(reltol = 1e-16))$par
    """
    participants = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(12)],
            "group": ["ALS"] * 6 + ["control"] * 6,
            "age": [50, 61, 55, 72, 66, 58, 63, 49, 70, 57, 52, 68],
        }
    )
    x1 = [2.1, 3.9, 2.7, 4.4, 4.9, 3.0, 2.2, 1.1, 2.9, 1.8, 1.2, 3.1]
    x2 = [0.3, 1.4, -0.2, 0.9, 0.1, 1.1, 0.2, -0.9, 0.4, 0.8, -0.5, 0.0]
    values = np.column_stack([x1, x2, np.full((12, 2), np.nan)])
    for inverse_penalty, expected in ((0.01, (0.0522856829, 0.0282578753)), (1.0, (1.5863796395, 0.5492827114))):
        monkeypatch.setattr(multimodal, "INVERSE_PENALTIES", (inverse_penalty,))
        features = index(participants, values, groups=["ALS", "control"], covariates=["age"]).features
        assert features["coefficient"].to_numpy()[:2] == pytest.approx(expected, rel=1e-6)
        assert features["note"].str.startswith("fewer than 3 values")[2:].all()


def test_calibration_is_that_of_r():
    """R 4.2: coef(glm(y ~ offset(o), binomial)); coef(glm(y ~ o, binomial))."""
    y = np.repeat([1, 0], 6)
    odds = np.array([[1.2, -0.3, 0.8, 2.1, 0.4, -0.9, -1.1, 0.2, -0.6, -2.0, 0.9, -0.4]])
    assert calibration(y, odds) == pytest.approx((-0.0200870203, 1.1276503383), rel=1e-6)
    assert calibration(y, np.vstack([odds, odds])) == pytest.approx(calibration(y, odds), rel=1e-6)


@pytest.mark.parametrize(
    ("auc", "inflation", "low", "high"),
    [
        (0.8, 1.0, 0.5589165956, 0.9209651229),
        (0.8, 2.0, 0.4576726494, 0.9440874718),
        (1.0, 1.0, 0.8220980299, 1.0),
    ],
)
def test_interval_is_newcombes(auc, inflation, low, high):
    """R 4.2, 13 and 10 people.

    V <- function(A) f * A * (1 - A) / (m * n) * (1 + ((m + n) / 2 - 1) * ((1 - A) / (2 - A) + A / (1 + A)))
    uniroot(function(A) a - A - qnorm(.975) * sqrt(V(A)), c(0, a - 1e-9), tol = 1e-13)$root
    """
    assert auc_interval(auc, [(13, 10)], inflation=inflation) == pytest.approx((auc, low, high), rel=1e-6)
    mirrored = (1 - auc, 1 - high, 1 - low)
    assert auc_interval(1 - auc, [(13, 10)], inflation=inflation) == pytest.approx(mirrored, abs=1e-8)


def test_interval_at_half_has_the_variance_of_the_rank_sum():
    _, low, high = auc_interval(0.5, [(400, 300)], inflation=1.0)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(701 / (12 * 400 * 300)), rel=0.01)


def test_pairs_of_other_sites_count_for_nothing_in_the_interval():
    both, one = (np.ptp(auc_interval(0.7, strata, inflation=1.0)[1:]) for strata in ([(10, 10)] * 2, [(20, 20)]))
    assert both > one


def test_ordered_pairs_are_those_of_scikit_learn_ties_too():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, (30, 2)).astype(float), np.arange(30) < 12
    expected = [roc_auc_score(positive, column) for column in scores.T]
    assert ordered_pairs(scores, positive) / (12 * 18) == pytest.approx(expected, rel=1e-12)


def test_noise_is_at_one_half_on_average():
    rows = [performance(*study((20, 0, 15), seed=s), contrasts=ALS_CONTROL, pooled=False) for s in range(20)]
    table = pd.DataFrame(rows)
    assert abs(table["auc"].mean() - 0.5) < 2 * table["auc"].std() / np.sqrt(20)
    assert abs(table["balanced_accuracy"].mean() - 0.5) < 0.06
    assert ((table["auc_ci_low"] < 0.5) & (table["auc_ci_high"] > 0.5)).sum() >= 18


def test_planted_difference_is_found_and_its_modality_named():
    result = index(*study((40, 0, 40), difference=1.2), contrasts=ALS_CONTROL, pooled=False)
    row = result.performance.iloc[0]
    assert row["auc"] == pytest.approx(0.885, abs=0.07)  # of the ideal score, norm.cdf(1.2 * sqrt(2) / sqrt(2))
    assert row["brier"] < 0.2
    features = result.features.set_index(["modality", "hemi"])
    assert (features.loc["dwi", "coefficient"] < -0.5).all()
    assert (features.loc["dwi", "coefficient_high"] < 0).all()
    assert features.loc["dwi", "auc_drop_modality"].to_numpy() == pytest.approx(row["auc"] - 0.5, abs=0.12)
    assert (features.loc["dwi", "auc_drop"] < features.loc["dwi", "auc_drop_modality"]).all()
    assert (features.loc["t1w", "auc_drop_modality"].abs() < 0.03).all()


def test_perfect_separation_has_an_interval_and_no_calibration():
    row = performance(*study(difference=20))
    assert row["auc"] == 1
    assert row["auc_ci_low"] < 0.8
    assert np.isnan(row["calibration_slope"])
    assert "separate the groups wholly" in row["note"]


def test_effect_of_age_is_not_taken_for_disease():
    participants, values = study((40, 0, 60), seed=2)
    participants["age"] += 9 * (participants["group"] == "ALS")
    row = performance(participants, values + participants[["age"]].to_numpy())
    assert row["auc"] < 0.65
    assert row["auc_covariates"] > 0.7
    unadjusted = performance(participants, values + participants[["age"]].to_numpy(), covariates=())
    assert unadjusted["auc"] > 0.7
    assert np.isnan(unadjusted["auc_covariates"])


def test_covariate_that_is_the_group_is_seen_in_the_covariates_own_auc():
    participants, values = study()
    assert performance(participants.assign(sex=participants["group"]), values)["auc_covariates"] == 1


def test_missingness_is_not_used():
    participants, values = study((30, 0, 30), seed=1)
    values[:20, 2:] = np.nan  # patients only
    row = performance(participants, values)
    assert row["auc"] < 0.65
    assert "missing values taken to be average: 40 of 240" in row["note"]


def test_differences_between_scanners_do_not_pass_as_disease_where_sites_are_named():
    participants, values = study((40, 0, 40), seed=5)
    site = np.r_[np.repeat(["A", "B"], [32, 8]), np.repeat(["A", "B"], [8, 32])]
    values += 5.0 * (site == "A")[:, None]
    participants["site"] = site
    assert performance(participants, values)["auc"] > 0.75
    for scheme in (REPEATED, BY_SITE):
        row = performance(participants, values, scheme=scheme, site="site")
        assert row["auc_ci_low"] < 0.5 < row["auc_ci_high"]


def test_everyone_of_a_contrast_is_predicted_once_and_the_reference_of_another_not():
    participants, values = study()
    values[0] = np.nan
    participants.loc[1, "age"] = np.inf
    predictions = index(participants, values, site="site").predictions
    own = predictions[(predictions["contrast"] == "ALS-PLS") & (predictions["scheme"] == REPEATED)]
    assert own["participant_id"].tolist() == participants["participant_id"][:18].tolist()
    assert own["outcome"].tolist() == [1] * 13 + [0] * 5
    assert own["note"].tolist() == ["no primary measure", "no age", *[""] * 16]
    assert own["probability"].isna().tolist() == [True, True, *[False] * 16]
    row = performance(participants, values, contrast="ALS-PLS")
    assert (row["n_positive"], row["n_negative"], row["n_missing"]) == (11, 5, 2)
    assert row["note"] == "left out: no age (1), no primary measure (1)"


def test_fewer_than_five_is_a_note_and_not_a_number():
    result = index(*study((13, 4, 10)), site="site")
    rows = result.performance[result.performance["contrast"].isin(["ALS-PLS", "PLS-control"])]
    assert rows["auc"].isna().all()
    assert (rows["note"] == "too few: PLS (4); 5 are needed").all()
    assert rows["n_negative"].tolist() == [4, 4, 10, 10]
    assert result.predictions.query("contrast == 'PLS-control'")["probability"].isna().all()
    assert result.features.query("contrast == 'PLS-control'")["coefficient"].isna().all()
    assert len(result.features.query("contrast == 'PLS-control'")) == 4


@pytest.mark.parametrize("change", ["all missing", "none measured", "group of one", "one site", "site of one"])
def test_what_cannot_be_judged_is_a_row_that_says_why(change):
    participants, values = study((13, 1, 10) if change == "group of one" else (13, 5, 10))
    measures = long(participants, values)
    if change == "all missing":
        measures["value"] = np.nan
    if change == "none measured":
        measures = measures[:0]
    if change == "one site":
        participants["site"] = "Linz"
    if change == "site of one":
        participants["site"] = ["a" * 200, *["Łódź"] * 27]
    table = index(participants, measures, site="site").performance
    assert len(table) == 8
    assert (table.loc[table["auc"].isna(), "note"] != "").all()
    if change in ("one site", "site of one"):
        assert table.loc[table["scheme"] == BY_SITE, "auc"].isna().all()
    assert table["auc"].isna().all() == (change in ("all missing", "none measured"))


def test_feature_that_the_covariates_explain_or_that_is_constant_adds_nothing():
    participants, values = study()
    values[:, 0], values[:, 1] = 7.0, 1e6 * participants["age"]
    features = index(participants, values, contrasts=ALS_CONTROL, pooled=False).features
    assert features.set_index("hemi").loc["L", "note"].tolist() == ["", "every value is the same"]
    assert features["coefficient"].iloc[0] == 0
    assert features["auc_drop"].iloc[0] == 0


def test_constant_covariate_and_unmeasured_feature_are_named():
    participants, values = study()
    measures = long(participants, values).query("modality != 'dwi'")
    row = performance(participants.assign(age=60.0), measures)
    assert row["n_features"] == 2
    assert "not measured: dwi fa cst L" in row["note"]
    assert "constant, not adjusted for: age" in row["note"]


def test_wild_value_breaks_nothing(recwarn):
    participants, values = study()
    values[0, 0], values[1, 1] = 1e9, np.inf
    assert np.isfinite(performance(participants, values)["calibration_intercept"])
    assert not recwarn.list


def test_order_of_rows_decides_nothing():
    participants, values = study(difference=1)
    measures = long(participants, values)
    shuffled = measures.sample(frac=1, random_state=1)
    for first, second in zip(
        index(participants, measures), index(participants.sample(frac=1, random_state=2), shuffled), strict=True
    ):
        pd.testing.assert_frame_equal(first, second, rtol=1e-6)


def test_repeats_are_of_the_seed():
    participants, values = study()
    pd.testing.assert_frame_equal(index(participants, values, seed=3)[0], index(participants, values, seed=3)[0])
    assert not index(participants, values, seed=4)[0].equals(index(participants, values, seed=3)[0])


def test_every_column_is_explained():
    for name, table in index(*study())._asdict().items():
        assert list(table) == column_names(multimodal_index_dictionaries()[name])


def test_missing_column_and_unknown_reference_are_errors():
    participants, values = study()
    with pytest.raises(InputError, match="no column weight"):
        index(participants, values, covariates=["weight"])
    with pytest.raises(InputError, match="'HC' is not one of"):
        index(participants, values, reference="HC")


UNEVEN = {2: ((20, 6), (6, 20)), 4: ((12, 5), (5, 12), (12, 5), (5, 12))}  # ALS and controls at each site


def of_sites(cells, seed):
    """People of sites, noise, and a scanner that adds 1 SD to every second site."""
    site = np.concatenate([np.repeat(f"site {k}", a + c) for k, (a, c) in enumerate(cells)])
    group = np.concatenate([np.repeat(["ALS", "control"], pair) for pair in cells])
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"participant_id": [f"sub-{i:03d}" for i in range(len(site))], "group": group, "site": site})
    people["age"], people["sex"] = rng.normal(60, 9, len(site)), rng.choice(["F", "M"], len(site))
    odd = np.array([int(name[-1]) % 2 for name in site])
    return people, rng.normal(size=(len(site), 4)) + 1.0 * odd[:, None]


def area_of_noise(n_sites, seed, **options):
    people, values = of_sites(UNEVEN[n_sites], seed)
    options = {"groups": ["ALS", "control"], "harmonise": "combat", "site": "site", **options}
    return performance(people, values, **options)


def test_sites_are_harmonised_from_the_training_people_and_noise_stays_noise():
    row = area_of_noise(2, 0)
    assert row["auc_ci_low"] < 0.5 < row["auc_ci_high"]
    assert (row["n_positive"], row["n_negative"]) == (26, 26)
    # learnt on everybody, and people of different sites compared: the scanner passes as disease
    people, values = of_sites(UNEVEN[2], 0)
    assert performance(people, values, groups=["ALS", "control"])["auc"] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("n_sites", UNEVEN)
@pytest.mark.parametrize("harmonise", ["combat", "combat_controls"])
def test_noise_at_uneven_sites_has_an_area_of_one_half(n_sites, harmonise):
    areas = [area_of_noise(n_sites, seed, harmonise=harmonise)["auc"] for seed in range(40)]
    assert abs(np.mean(areas) - 0.5) < 3 * np.std(areas) / np.sqrt(40)


def test_sites_without_both_groups_are_a_note_and_no_number():
    people, values = of_sites(((10, 0), (0, 10)), 0)
    row = performance(people, values, groups=["ALS", "control"], site="site")
    assert np.isnan(row["auc"]) and "no site has both groups" in row["note"]
