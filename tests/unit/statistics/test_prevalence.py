"""The motor band sign: published prevalences and R's numbers, and people whose band cannot be judged."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics.prevalence import (
    agreement_dictionary,
    prevalence_dictionary,
    sign_agreement,
    sign_prevalence,
)
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
NUMBERS = ["percent", "ci_low", "ci_high", "difference", "odds_ratio", "p", "p_holm"]

# 20 people rated by program and person; the results of R below rest on these
AUTOMATED = [0, 0, 1, 2, 3, 5, 4, 6, 7, 9, 12, 3, 2, 0, 4, 8, 5, 10, 1, 3]
RATED = [0, 1, 0, 3, 3, 4, 5, 6, 9, 8, 11, 2, 4, 0, 3, 7, 5, 12, 2, 4]


def scored(people, scores, status="no swi image"):
    """Measures table of one score a person; None is not assessable."""
    values = pd.Series(scores, dtype=float)
    return pd.DataFrame(
        {
            "participant_id": people["participant_id"].to_numpy(),
            "modality": "swi",
            "measure": "motor_band_score",
            "region": "precentral",
            "hemi": "both",
            "value": values,
            "status": np.where(values.isna(), status, "ok"),
        }
    )


def prevalence(measures, people, **options):
    return sign_prevalence(measures, people, **({"groups": GROUPS, "reference": "control"} | options))


def agreement(measures, people, **options):
    table = sign_agreement(measures, people, **({"groups": GROUPS, "rated": "mcli"} | options))
    return table.set_index("statistic")


def group_row(table, name, source="automated"):
    chosen = table[table["test"].isna() & (table["group"] == name) & (table["source"] == source)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_row(table, contrast, source="automated"):
    chosen = table[(table["contrast"] == contrast) & (table["source"] == source)]
    assert len(chosen) == 1
    return chosen.iloc[0]


test_row.__test__ = False


@pytest.fixture
def published(participants):
    """9 of 13 with ALS, 4 of 5 with PLS and none of 10 controls have the sign."""
    return scored(
        participants, [3, 12, 5, 6, 4, 3, 3, 8, 9, 0, 1, 2, 2, 4, 3, 3, 7, 0, *[0, 1, 2, 0, 0, 1, 0, 0, 2, 2]]
    )


@pytest.mark.parametrize(
    ("group", "n", "present", "percent", "low", "high"),
    [  # R: 100 * prop.test(x, n, correct = TRUE)$conf.int
        ("ALS", 13, 9, 900 / 13, 38.8849020666, 89.6414789897),
        ("PLS", 5, 4, 80, 29.8791054072, 98.9470045641),
        ("control", 10, 0, 0, 0, 34.4537218307),
    ],
)
def test_published_prevalences_have_the_published_intervals(
    participants, published, group, n, present, percent, low, high
):
    row = group_row(prevalence(published, participants), group)
    assert row[["n", "n_assessable", "n_present"]].tolist() == [n, n, present]
    assert row[["percent", "ci_low", "ci_high"]].tolist() == pytest.approx([percent, low, high], rel=1e-9, abs=1e-9)
    assert row["note"] == ""


@pytest.mark.parametrize(
    ("contrast", "p", "p_holm"),
    [  # R: fisher.test(matrix(c(9, 4, 0, 10), 2, byrow = TRUE))$p.value; p.adjust(c(...), "holm") over the pairs
        ("ALS-control", 0.00160305436924, 0.00480916310772),
        ("PLS-control", 0.003663003663, 0.007326007326),
        ("ALS-PLS", 1, 1),
        ("patients-control", 0.000250626566416, np.nan),
        ("group", 0.000504885401911, np.nan),  # fisher.test(matrix(c(9, 4, 4, 1, 0, 10), 3, byrow = TRUE))
    ],
)
def test_exact_tests_are_those_of_r(participants, published, contrast, p, p_holm):
    row = test_row(prevalence(published, participants), contrast)
    assert row["p"] == pytest.approx(p, rel=1e-9)
    assert row["p_holm"] == pytest.approx(p_holm, rel=1e-6, nan_ok=True)
    assert row["test"] == ("fisher_freeman_halton" if contrast == "group" else "fisher")


def test_difference_has_newcombes_interval_from_the_intervals_of_the_groups(participants, published):
    """R, method 11 of Newcombe 1998.

    l <- prop.test(9, 13)$conf.int; u <- prop.test(4, 5)$conf.int; p <- 9 / 13; q <- 4 / 5
    100 * c(p - q, p - q - sqrt((p - l[1])^2 + (u[2] - q)^2), p - q + sqrt((l[2] - p)^2 + (q - u[1])^2))
    """
    table = prevalence(published, participants)
    columns = ["difference", "difference_ci_low", "difference_ci_high"]
    for contrast, expected in {
        "ALS-PLS": [-10.7692307692, -46.5443706837, 43.3482446675],
        "ALS-control": [69.2307692308, 23.3185638608, 89.6414789897],
        "patients-control": [72.2222222222, 29.1693889008, 89.2874242069],
    }.items():
        assert test_row(table, contrast)[columns].tolist() == pytest.approx(expected, rel=1e-9)


def test_odds_ratio_is_the_conditional_one_of_r_and_an_infinite_one_is_said(participants, published):
    """R's fisher.test estimates this but stops at a tolerance of 1e-4; solved to 1e-14 with the same likelihood.

    s <- 0:13; s <- s[s >= 13 - 5]; ld <- dhyper(s, 13, 5, 13, log = TRUE)
    d <- function(psi) { v <- exp(ld + log(psi) * s); v / sum(v) }
    uniroot(function(l) sum(s * d(exp(l))) - 9, c(-15, 15), tol = 1e-14)          # estimate
    uniroot(function(l) sum(d(exp(l))[s >= 9]) - 0.025, c(-15, 15), tol = 1e-14)  # low; s <= 9: high
    """
    table = prevalence(published, participants)
    columns = ["odds_ratio", "odds_ratio_ci_low", "odds_ratio_ci_high"]
    expected = [0.57964148760782, 0.00916342651672, 9.0586744575763]
    assert test_row(table, "ALS-PLS")[columns].tolist() == pytest.approx(expected, rel=1e-9)
    endless = test_row(table, "ALS-control")
    assert endless["odds_ratio_ci_low"] == pytest.approx(2.85819791553, rel=1e-9)
    assert endless[["odds_ratio", "odds_ratio_ci_high"]].isna().all()
    assert endless["note"] == "infinite: odds_ratio, odds_ratio_ci_high"


def test_sign_is_present_from_the_threshold_on(participants):
    measures = scored(participants, [2] * 13 + [3] * 5 + [4] * 10)
    assert [group_row(prevalence(measures, participants), g)["percent"] for g in GROUPS] == [0, 100, 100]
    higher = prevalence(measures, participants, threshold=4)
    assert [group_row(higher, g)["percent"] for g in GROUPS] == [0, 0, 100]


def test_who_cannot_be_judged_is_counted_with_the_reason_and_no_denominator(participants):
    measures = scored(participants, [5, None, None, *[0] * 25])
    measures.loc[2, "status"] = "in-plane voxels of 2 mm do not resolve the band"
    measures.loc[3, "value"] = np.inf
    row = group_row(prevalence(measures.drop(index=4), participants), "ALS")
    assert row[["n", "n_assessable", "n_present", "percent"]].tolist() == [13, 9, 1, pytest.approx(100 / 9)]
    assert row["note"] == (
        "not assessable: no swi image (1), in-plane voxels of 2 mm do not resolve the band (1), infinite value (1), "
        "no row in the table (1)"
    )


def test_study_without_any_score_has_every_row_and_says_why(participants, tidy):
    for measures in (tidy(participants, fa=np.zeros(28)), scored(participants, [None] * 28)):
        table = prevalence(measures, participants)
        assert table["n_assessable"].tolist() == [0] * 8
        assert table["n"].tolist()[:3] == [13, 5, 10]
        assert table[NUMBERS].isna().all(axis=None)
        assert (table["note"] != "").all()


def test_group_without_anyone_assessable_takes_no_part_in_the_tests(participants, published):
    published.loc[13:17, ["value", "status"]] = [np.nan, "no swi image"]
    table = prevalence(published, participants)
    together, alone = test_row(table, "group"), test_row(table, "ALS-control")
    assert together["p"] == pytest.approx(alone["p"])
    assert together["note"] == "no data: PLS"
    assert test_row(table, "PLS-control")["note"] == "a group of the contrast has no data"
    # two pairs lack a test, so that the third is corrected for nothing
    assert alone["p_holm"] == alone["p"]
    assert test_row(table, "patients-control")["n_assessable"] == 23


def test_group_that_nobody_is_in_has_a_row(participants, published):
    table = prevalence(published, participants, groups=[*GROUPS, "Kennedy-Syndrom · 球脊髄性筋萎縮症"])
    row = group_row(table, "Kennedy-Syndrom · 球脊髄性筋萎縮症")
    assert row[["n", "note"]].tolist() == [0, "no participants"]


def test_group_of_one_has_an_interval_and_a_test(participants, published):
    kept = pd.concat([participants[:13], participants[13:14], participants[18:]])
    table = prevalence(published, kept)
    row = group_row(table, "PLS")
    # R: 100 * prop.test(1, 1, correct = TRUE)$conf.int
    assert row[["percent", "ci_low", "ci_high"]].tolist() == pytest.approx([100, 5.4620755529, 100], rel=1e-9)
    assert test_row(table, "PLS-control")["p"] == pytest.approx(1 / 11)


@pytest.mark.parametrize("score", [0, 12])
def test_sign_that_all_or_none_have_has_p_of_one_and_no_odds_ratio(participants, score):
    table = prevalence(scored(participants, [score] * 28), participants)
    tests = table[table["test"].notna()]
    assert tests["p"].tolist() == [1] * 5
    assert test_row(table, "ALS-control")["note"] == "no odds ratio: the same in everyone"


def test_large_groups_are_tested_by_chi_squared_and_it_is_said():
    people = pd.DataFrame({"participant_id": [f"sub-{i:04d}" for i in range(1200)], "group": [*"ABCD"] * 300})
    measures = scored(people, [5, 0, 0, 0] * 200 + [0] * 400)
    row = test_row(prevalence(measures, people, groups=[*"ABCD"], reference="D"), "group")
    assert row[["test", "note"]].tolist() == ["chi2", "too many tables for the exact test"]
    nobody = prevalence(scored(people, [0] * 1200), people, groups=[*"ABCD"], reference="D")
    assert test_row(nobody, "group")[["test", "p"]].tolist() == ["fisher_freeman_halton", 1]
    # R: chisq.test(matrix(c(200, 100, 0, 300, 0, 300, 0, 300), 4, byrow = TRUE))
    assert row["p"] == pytest.approx(9.66484202376e-156, rel=1e-6)


def test_neither_order_nor_other_measures_matter(participants, published, tidy):
    expected = prevalence(published, participants)
    measures = pd.concat([tidy(participants, fa=np.arange(28.0)), published]).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(prevalence(measures, participants.sample(frac=1, random_state=2)), expected)


def test_rated_sign_has_rows_in_the_same_shape(participants, published):
    people = participants.assign(mcli=[*[12] * 6, *[0] * 6, np.nan, *[3] * 5, *[2] * 10])
    table = prevalence(published, people, rated="mcli")
    assert table["source"].value_counts().to_dict() == {"automated": 8, "rated": 8}
    row = group_row(table, "ALS", "rated")
    assert row[["n", "n_assessable", "n_present", "percent"]].tolist() == [13, 12, 6, 50]
    assert row["note"] == "not assessable: no rating (1)"
    assert test_row(table, "PLS-control", "rated")["p"] == pytest.approx(1 / 3003)


def test_ratings_of_0_and_1_are_absence_and_presence_and_it_is_said(participants, published):
    people = participants.assign(mcli=[1] * 13 + [0] * 15)
    row = group_row(prevalence(published, people, rated="mcli"), "ALS", "rated")
    assert row[["n_present", "note"]].tolist() == [13, "ratings of 0 and 1 read as absent and present"]
    table = agreement(published, people)
    assert table.loc["kappa", "estimate"] == pytest.approx(0.425641025641)  # R: 1 - (8 / 28) / (1 - (169 + 225) / 784)
    scores = table.loc[["weighted_kappa", "bias", "limit_low", "limit_high"]]
    assert scores["estimate"].isna().all()
    assert scores["note"].str.endswith("the ratings are no scores").all()


@pytest.mark.parametrize(
    ("ratings", "found"),
    [([13, *[0] * 27], "sub-00 13"), ([2.5, *[0] * 27], "sub-00 2.5"), (["yes", *["0"] * 27], "sub-00 yes")],
)
def test_rating_that_is_none_is_refused_with_the_person(participants, published, ratings, found):
    with pytest.raises(
        InputError, match=f"the column mcli of ratings has {found}; expected whole numbers from 0 to 12"
    ):
        prevalence(published, participants.assign(mcli=ratings), rated="mcli")


def test_score_out_of_range_and_column_that_is_not_there_are_refused(participants, published):
    with pytest.raises(InputError, match="no column mcli"):
        prevalence(published, participants, rated="mcli")
    published.loc[2, "value"] = -1
    with pytest.raises(InputError, match=r"the motor band score of the measures table has sub-02 -1"):
        prevalence(published, participants)


@pytest.fixture
def rated_people():
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(20)],
            "group": np.repeat(GROUPS, [8, 4, 8]),
            "mcli": [float(v) for v in RATED],
        }
    )


def test_agreement_is_that_of_r_by_hand(rated_people):
    """R, with the errors of Fleiss, Cohen and Everitt 1969 and of Bland and Altman 1999.

    kap <- function(x, y, lev, w) {
      P <- table(factor(x, lev), factor(y, lev)) / length(x); r <- rowSums(P); q <- colSums(P); E <- outer(r, q)
      k <- 1 - sum((1 - w) * P) / sum((1 - w) * E); wr <- as.vector(w %*% q); wc <- as.vector(r %*% w)
      pe <- sum(w * E)
      v <- (sum(P * (w - outer(wr, wc, "+") * (1 - k))^2) - (k - pe * (1 - k))^2) / ((1 - pe)^2 * length(x))
      c(k, k - qnorm(.975) * sqrt(v), k + qnorm(.975) * sqrt(v)) }
    kap(a >= 3, b >= 3, c(FALSE, TRUE), diag(2)); kap(a, b, 0:12, 1 - outer(0:12, 0:12, "-")^2 / 144)
    d <- a - b; n <- 20; s <- sd(d); z <- qnorm(.975); t <- qt(.975, n - 1)
    t.test(d)$conf.int; e <- s * sqrt(1 / n + z^2 / (2 * (n - 1)))
    mean(d) - z * s + c(0, -t, t) * e; mean(d) + z * s + c(0, -t, t) * e
    100 * prop.test(17, 20)$conf.int
    """
    table = agreement(scored(rated_people, AUTOMATED), rated_people)
    expected = {
        "agreement": [85, 61.1374878157, 96.0433728297],
        "kappa": [0.659090909091, 0.308354495507, 1],  # 1.0098, which no kappa reaches
        "weighted_kappa": [0.948442534909, 0.918086017482, 0.978799052335],
        "bias": [-0.2, -0.717161770634, 0.317161770634],
        "limit_low": [-2.36578470816, -3.26478687887, -1.46678253745],
        "limit_high": [1.96578470816, 1.06678253745, 2.86478687887],
    }
    assert list(table.index) == list(expected)
    for name, numbers in expected.items():
        assert table.loc[name, ["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(numbers, rel=1e-9)
    assert (table["n"] == 20).all()
    assert (table["note"] == "").all()


def test_agreement_rests_on_those_with_both_and_counts_the_others(rated_people):
    rated_people.loc[0, "mcli"] = np.nan
    table = agreement(scored(rated_people, [None, None, *AUTOMATED[2:]]), rated_people)
    assert (table[["n", "n_missing"]] == [18, 2]).all(axis=None)
    assert (table["note"] == "left out: no swi image (2)").all()
    measures = scored(rated_people, [0, None, *AUTOMATED[2:]])
    assert agreement(measures, rated_people).loc["bias", "note"] == "left out: no rating (1), no swi image (1)"


def test_complete_agreement_has_a_kappa_of_one_without_a_false_interval(rated_people):
    table = agreement(scored(rated_people, RATED), rated_people)
    for name in ("kappa", "weighted_kappa"):
        assert table.loc[name, "estimate"] == 1
        assert table.loc[name, ["ci_low", "ci_high"]].isna().all()
        assert table.loc[name, "note"] == "no interval: the large-sample error is zero"
    assert table.loc[["bias", "limit_low", "limit_high"], "estimate"].tolist() == [0, 0, 0]


def test_sign_that_both_see_in_nobody_has_no_kappa(rated_people):
    table = agreement(scored(rated_people, [0] * 20), rated_people.assign(mcli=[0] * 19 + [2]))
    assert table.loc["agreement", "estimate"] == 100
    assert np.isnan(table.loc["kappa", "estimate"])
    assert table.loc["kappa", "note"] == "both say the same of everybody, so that chance explains it all"


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_or_one_person_with_both_is_rows_with_a_note(rated_people, n):
    table = agreement(scored(rated_people, [5] * n + [None] * (20 - n)), rated_people.assign(mcli=4.0))
    assert table[["ci_low", "ci_high"]].drop(index="agreement").isna().all(axis=None)
    assert table["note"].str.contains("left out: no swi image").all()
    assert table.loc["bias", "note"].endswith("no participant has both" if n == 0 else "one participant only")
    assert table.loc["bias", "estimate"] == pytest.approx(1 if n else np.nan, nan_ok=True)


def test_dictionaries_describe_every_column(rated_people):
    measures = scored(rated_people, AUTOMATED)
    assert column_names(prevalence_dictionary()) == list(prevalence(measures, rated_people).columns)
    table = sign_agreement(measures, rated_people, groups=GROUPS, rated="mcli")
    assert column_names(agreement_dictionary()) == list(table.columns)


def test_without_a_human_rating_there_is_nothing_to_agree_with(rated_people):
    table = sign_agreement(scored(rated_people, AUTOMATED), rated_people, groups=GROUPS, rated=None)
    assert table.empty
    assert list(table.columns) == column_names(agreement_dictionary())
