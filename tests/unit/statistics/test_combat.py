"""ComBat: against R, planted site effects that go, group effects that stay, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics.combat import combat, combat_dictionary, fit_combat
from mndmri.statistics.samples import KEY
from mndmri.tables.dictionaries import column_names

PRESERVE = ["group", "age"]
FA = [0.481, 0.533, np.nan, 0.531, 0.46, 0.523, 0.484, 0.366, 0.404]
FA += [0.372, 0.401, 0.363, 0.52, 0.47, 0.488, 0.525, 0.466, 0.468]
MD = [0.632, 0.784, 0.7, 0.724, 0.79, 0.788, 0.502, 0.571, 0.602]
MD += [np.nan, 0.673, np.nan, 0.772, 0.753, 0.654, 0.752, 0.642, 0.747]
RD = [0.764, 0.814, 0.791, 0.885, 0.841, 0.791, 0.66, 0.725, 0.549]
RD += [0.698, 0.72, 0.792, 0.862, 0.796, 0.775, 0.832, 0.813, 0.826]


def study(per_site, *, seed=0, sites="ABC"):
    """People of sites given as {group: n} each, ages and sexes alike everywhere."""
    rng = np.random.default_rng(seed)
    rows = [(g, s) for s, cells in zip(sites, per_site, strict=True) for g, n in cells.items() for _ in range(n)]
    table = pd.DataFrame(rows, columns=["group", "site"])
    table.insert(0, "participant_id", [f"sub-{i:03d}" for i in range(len(rows))])
    return table.assign(age=rng.normal(60, 9, len(rows)))


def harmonise(measures, participants, **options):
    return combat(measures, participants, **({"site": "site", "preserve": PRESERVE} | options))


def wide(measures):
    return measures.pivot(index="participant_id", columns="measure", values="value")


@pytest.fixture
def people():
    return study([{"ALS": 10, "control": 10}, {"ALS": 10, "control": 10}], sites="AB")


@pytest.fixture
def noise(people, tidy):
    """Four measures of nothing, in units far apart."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(4, len(people))) * [[0.02], [1e-3], [400], [3]]
    return tidy(people, **dict(zip(["fa", "md", "volume", "chi"], values, strict=True)))


def test_values_shifts_and_scales_are_those_of_the_published_algorithm_in_r(tidy):
    """The two steps of Johnson et al. 2007 in R, run to convergence.

    Without missing values it gives the numbers of the source of sva::ComBat to 1e-15 (checked once).

    for (f in c("fa", "md", "rd")) {              # Y, age, als and site as below; Z, expected, out like Y
      k <- !is.na(Y[,f]); B <- coef(lm(Y[,f] ~ 0 + site + als + age)); n <- sum(k)
      expected[,f] <- sum(B[1:3] * table(site[k])) / n + cbind(als, age) %*% B[4:5]
      sigma[f] <- sqrt(sum(resid(lm(Y[,f] ~ site + als + age))^2) / n)
      Z[,f] <- (Y[,f] - expected[,f]) / sigma[f]
    }
    for (s in levels(site)) {
      z <- Z[site == s,]; n <- colSums(!is.na(z)); g <- colMeans(z, na.rm=TRUE); d <- apply(z, 2, var, na.rm=TRUE)
      gbar <- mean(g); t2 <- var(g); gs <- g; ds <- d
      a <- (2 * var(d) + mean(d)^2) / var(d); b <- (mean(d) * var(d) + mean(d)^3) / var(d)
      for (i in 1:5000) {
        gs <- (n * t2 * g + ds * gbar) / (n * t2 + ds)
        ds <- (b + colSums(sweep(z, 2, gs)^2, na.rm=TRUE) / 2) / (n / 2 + a - 1)
      }
      out[site == s,] <- expected[site == s,] + sweep(sweep(z, 2, gs), 2, sigma / sqrt(ds), "*")
      cat(s, gs * sigma, sqrt(ds))
    }
    """
    als = [1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0]
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(18)],
            "group": np.where(als, "ALS", "control"),
            "age": [73, 61, 63, 71, 60, 67, 69, 47, 41, 50, 49, 70, 71, 40, 57, 68, 44, 67],
            "site": np.repeat(["A", "B", "C"], [5, 6, 7]),
        }
    )
    measures = tidy(people, fa=np.array(FA), md=np.array(MD), rd=np.array(RD))
    harmonised, report = harmonise(measures, people, min_per_cell=2)
    shifts = [
        [0.0371232311, 0.0445772079, 0.0378683999],
        [-0.0389457976, -0.0587653680, -0.0645048370],
        [0.01164584095, 0.00978132182, 0.03008700142],
    ]
    scales = [
        [0.785848531, 1.161760094, 0.957545585],
        [1.35237772, 1.36145866, 1.38191252],
        [1.041620304, 0.561191948, 0.685548147],
    ]
    values = [
        [0.438647303, 0.592707997, 0.724369742],
        [0.409679892, 0.633980415, 0.772927025],
        [0.457787930, 0.732217257, 0.788452375],
    ]
    np.testing.assert_allclose(report.pivot(index="site", columns="measure", values="shift"), shifts, rtol=1e-6)
    np.testing.assert_allclose(report.pivot(index="site", columns="measure", values="scale"), scales, rtol=1e-6)
    np.testing.assert_allclose(wide(harmonised).iloc[[0, 7, 17]], values, rtol=1e-6)
    means = [0.460827786, 0.692573652, 0.775432076]
    np.testing.assert_allclose(wide(harmonised).mean(), means, rtol=1e-6)
    assert report["n_learnt"].tolist() == [4, 6, 7, 5, 5, 6, 5, 6, 7]


@pytest.mark.parametrize("learn_on", ["all", "controls"])
@pytest.mark.parametrize("cells", [[(60, 60)] * 3, [(100, 20), (20, 100), (60, 60)]], ids=["balanced", "unbalanced"])
def test_planted_shifts_and_scales_go_and_the_group_effect_stays(tidy, cells, learn_on):
    people = study([{"ALS": als, "control": controls} for als, controls in cells])
    rng = np.random.default_rng(4)
    shift, scale = (
        people["site"].map({"A": 1.0, "B": -1.0, "C": 0.0}),
        people["site"].map({"A": 1.0, "B": 1.5, "C": 0.7}),
    )
    truth = 0.8 * (people["group"] == "control") + 0.05 * people["age"]
    values = {f"m{i}": truth + shift + rng.normal(0, 0.2) * shift + scale * rng.normal(size=360) for i in range(30)}
    harmonised, report = harmonise(tidy(people, **values), people, learn_on=learn_on, reference_group="control")
    left = wide(harmonised).set_axis(people.index).sub(truth, axis=0)
    by_site = left[people["group"] == "control"].groupby(people["site"])
    assert np.ptp(by_site.mean().mean(axis=1)) < 0.1  # two in the data
    spread = by_site.std().mean(axis=1)
    assert spread.max() / spread.min() < 1.1  # more than two in the data
    by_group = left.groupby(people["group"]).mean().mean(axis=1)
    assert by_group["control"] - by_group["ALS"] == pytest.approx(0, abs=0.06)
    shifts = report.groupby("site")["shift"].mean()
    assert shifts["A"] - shifts["B"] == pytest.approx(2, abs=0.2)


def test_five_people_at_a_site_half_a_standard_deviation_off_bring_its_values_nearer_the_truth(tidy):
    rng = np.random.default_rng(1)
    people = study([{"ALS": 20, "control": 20}, {"ALS": 20, "control": 20}, {"control": 5}])
    small = (people["site"] == "C").to_numpy()
    before, after = [], []
    for _ in range(20):
        person = rng.normal(size=85)
        truth = np.sqrt(0.5) * (person + rng.normal(size=(10, 85)))
        at_site = 0.5 * np.sqrt(0.5) * (rng.normal(size=(1, 3)) + rng.normal(size=(10, 3)))
        added = at_site[:, pd.factorize(people["site"])[0]]
        values = {f"m{i}": row for i, row in enumerate(truth + added)}
        found = wide(harmonise(tidy(people, **values), people)[0])[list(values)].to_numpy().T
        aim = truth + added.mean(axis=1, keepdims=True)
        before.append(np.mean((truth + added - aim)[:, small] ** 2))
        after.append(np.mean((found - aim)[:, small] ** 2))
    assert np.sqrt(np.mean(after) / np.mean(before)) < 0.9


def test_a_group_effect_is_lost_when_the_group_is_not_preserved(tidy):
    people = study([{"ALS": 50, "control": 10}, {"ALS": 10, "control": 50}], sites="AB")
    rng = np.random.default_rng(1)
    measures = tidy(people, **{f"m{i}": 2.0 * (people["group"] == "ALS") + rng.normal(size=120) for i in range(10)})

    def difference(preserve):
        values = (
            wide(harmonise(measures, people, preserve=preserve)[0]).mean(axis=1).groupby(people["group"].to_numpy())
        )
        return values.mean()["ALS"] - values.mean()["control"]

    assert difference(["group", "age"]) == pytest.approx(2, abs=0.2)
    assert difference(["age"]) < 1.5


def test_only_values_change_and_rows_keep_their_order(people, noise):
    noise.loc[3, ["value", "status"]] = np.nan, "no dwi image"
    shuffled = noise.sample(frac=1, random_state=0)
    before = shuffled.copy()
    harmonised, _ = harmonise(shuffled, people.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled, before)
    pd.testing.assert_frame_equal(harmonised.drop(columns="value"), shuffled.drop(columns="value"), check_dtype=False)
    pd.testing.assert_series_equal(harmonised["value"].isna(), shuffled["value"].isna())
    in_order, _ = harmonise(noise, people)
    np.testing.assert_allclose(harmonised.sort_index()["value"], in_order["value"], rtol=1e-8)


def test_ratings_stay_whole_numbers(people, noise, tidy):
    ratings = tidy(people, motor_band_score=np.arange(len(people)) % 13.0)
    harmonised, report = harmonise(pd.concat([noise, ratings]), people)
    pd.testing.assert_frame_equal(harmonised[harmonised["measure"] == "motor_band_score"], ratings)
    assert "motor_band_score" not in set(report["measure"])


def test_measures_of_another_modality_tell_nothing(people, noise):
    other = noise[noise["measure"].isin(["volume", "chi"])].assign(modality="t1w", value=lambda t: t["value"] * 7)
    alone, _ = harmonise(noise, people)
    together, _ = harmonise(pd.concat([noise, other]), people)
    np.testing.assert_allclose(together["value"][: len(noise)], alone["value"], rtol=1e-12)


def test_units_do_not_matter(people, noise):
    factors = noise["measure"].map({"fa": 1e3, "md": 1e6, "volume": 1e-3, "chi": 0.1})
    plain, report = harmonise(noise, people)
    scaled, in_units = harmonise(noise.assign(value=noise["value"] * factors), people)
    np.testing.assert_allclose(scaled["value"], plain["value"] * factors, rtol=1e-6)
    np.testing.assert_allclose(in_units["scale"], report["scale"], rtol=1e-6)


def test_the_one_measure_of_a_modality_loses_exactly_its_own_shift_and_scale(people, noise):
    harmonised, report = harmonise(noise[noise["measure"] == "fa"], people, preserve=[])
    values = harmonised["value"].groupby(people["site"])
    assert values.mean()["A"] == pytest.approx(values.mean()["B"])
    assert values.std()["A"] == pytest.approx(values.std()["B"])
    assert report["note"].tolist() == ["not pooled: no other measure of the modality"] * 2


def test_measures_that_agree_fully_are_shrunk_to_one_another(people, noise, tidy):
    values = noise["value"][:40].to_numpy()
    harmonised, _ = harmonise(tidy(people, a=values, b=values, c=values), people)
    alone, _ = harmonise(tidy(people, a=values), people)
    np.testing.assert_allclose(harmonised["value"][:40], alone["value"], rtol=1e-9)


def test_report_gives_what_was_done_to_the_values(people, noise):
    harmonised, report = harmonise(noise, people, preserve=[])
    old, new = (table[table["measure"] == "fa"]["value"].to_numpy() for table in (noise, harmonised))
    rows = report[report["measure"] == "fa"].set_index("site")
    expected = np.mean(old)  # of the average site, as nothing is preserved
    by_hand = expected + (old - expected - people["site"].map(rows["shift"])) / people["site"].map(rows["scale"])
    np.testing.assert_allclose(new, by_hand)


def test_a_site_with_too_few_values_of_a_measure_has_none_harmonised_and_says_so(people, noise):
    few = noise["participant_id"].isin(people["participant_id"][22:40]) & (noise["measure"] == "fa")
    noise.loc[few, ["value", "status"]] = np.nan, "no dwi image"
    harmonised, report = harmonise(noise, people)
    lost = harmonised[(harmonised["measure"] == "fa") & harmonised["participant_id"].isin(["sub-020", "sub-021"])]
    assert lost["value"].isna().all()
    assert set(lost["status"]) == {"not harmonised: fewer than 5 to learn from"}
    row = report[(report["measure"] == "fa") & (report["site"] == "B")].iloc[0]
    assert row[["n_learnt", "n_harmonised", "n_missing"]].tolist() == [0, 0, 20]
    assert row["note"] == "fewer than 5 to learn from; left out: no dwi image (18)"
    assert np.isnan(row["shift"])
    # nobody is left to harmonise the other site with
    kept = harmonised["participant_id"].isin(people["participant_id"][:20]) & (harmonised["measure"] == "fa")
    np.testing.assert_array_equal(harmonised["value"][kept], noise["value"][kept])
    other = report[(report["measure"] == "fa") & (report["site"] == "A")].iloc[0]
    assert other[["shift", "scale", "note"]].tolist() == [0, 1, "no other site to compare with"]


def test_who_lacks_a_covariate_a_site_or_a_group_is_not_harmonised_and_says_so(people, noise):
    people.loc[0, "age"], people.loc[1, "site"], people.loc[2, "group"] = np.inf, None, None
    harmonised, report = harmonise(noise, people.drop(index=3))
    status = harmonised[harmonised["measure"] == "fa"]["status"].tolist()
    assert status[:5] == [f"not harmonised: no {what}" for what in ("age", "site", "group", "group")] + ["ok"]
    assert harmonised["value"].isna().sum() == 4 * 4
    assert report["note"].iloc[0] == "left out: no age (1)"


def test_an_infinite_value_stays_and_tells_nothing(people, noise):
    without = noise.drop(index=0)
    noise.loc[0, "value"] = np.inf
    harmonised, report = harmonise(noise, people)
    assert harmonised["value"][0] == np.inf
    np.testing.assert_allclose(harmonised["value"][1:], harmonise(without, people)[0]["value"])
    assert report["note"].iloc[0] == "left out: infinite value (1)"


@pytest.mark.parametrize(
    ("flat", "notes"),
    [
        ("A", ["no variation to learn from", "no other site to compare with"]),
        ("AB", ["no variation to learn from"] * 2),
    ],
)
def test_a_site_where_a_measure_has_no_spread_has_it_not_harmonised(people, noise, flat, notes):
    same = (noise["measure"] == "fa") & noise["participant_id"].isin(
        people["participant_id"][people["site"].isin(list(flat))]
    )
    noise.loc[same, "value"] = 0.0
    harmonised, report = harmonise(noise, people, preserve=[])
    assert report[report["measure"] == "fa"]["note"].tolist() == notes
    np.testing.assert_array_equal(harmonised["value"].isna(), same)


def test_a_site_that_the_covariates_explain_to_the_last_value_is_not_harmonised(tidy):
    people = study([{"ALS": 10, "control": 10}, {"ALS": 10, "control": 10}, {"control": 2}])
    people["coil"] = np.where(people.index == 41, "new", "old")
    measures = tidy(people, fa=np.random.default_rng(0).normal(size=42))
    harmonised, report = harmonise(measures, people, preserve=["group", "coil"], min_per_cell=2)
    assert report["note"].iloc[2] == "no variation to learn from"
    assert harmonised["value"].isna().tolist() == [False] * 40 + [True] * 2


def test_what_is_learnt_on_controls_does_not_depend_on_patients(people, noise):
    patients = noise["participant_id"].isin(people["participant_id"][people["group"] == "ALS"])
    options = {"learn_on": "controls", "reference_group": "control"}
    _, report = harmonise(noise, people, **options)
    _, again = harmonise(noise.assign(value=noise["value"] + 100.0 * patients), people, **options)
    assert report["n_learnt"].eq(10).all()
    pd.testing.assert_frame_equal(report, again)


def test_groups_apart_from_each_other_by_site_are_refused_unless_every_site_has_controls(noise, people):
    apart = people.assign(group=np.repeat(["ALS", "control"], 20))
    with pytest.raises(InputError, match="cannot tell site from group: the sites share too little"):
        harmonise(noise, apart)
    with pytest.raises(InputError, match="5 people to learn from at each site; too few at A"):
        harmonise(noise, apart, learn_on="controls", reference_group="control")


def test_groups_that_share_sites_by_a_few_people_only_are_refused(noise, people):
    nearly = people.assign(group=np.repeat(["ALS", "control", "ALS", "control"], [17, 3, 3, 17]))
    with pytest.raises(InputError, match="cannot tell site from group"):
        harmonise(noise, nearly)
    assert harmonise(noise, nearly, min_per_cell=3)[1]["shift"].notna().all()


def test_a_site_of_controls_alone_is_harmonised_by_them(tidy):
    people = study([{"ALS": 10, "control": 10}, {"control": 6}], sites="AB")
    rng = np.random.default_rng(0)
    measures = tidy(people, **{f"m{i}": rng.normal(size=26) + 3.0 * (people["site"] == "B") for i in range(8)})
    _, report = harmonise(measures, people)
    shifts = report.groupby("site")["shift"].mean()
    assert shifts["B"] - shifts["A"] == pytest.approx(3, abs=0.7)


def test_a_measure_whose_sites_are_confounded_is_not_harmonised_but_the_others_are(people, noise):
    gone = (noise["measure"] == "fa") & noise["participant_id"].isin(
        people["participant_id"][(people["group"] == "ALS") == (people["site"] == "A")]
    )
    noise.loc[gone, ["value", "status"]] = np.nan, "failed"
    harmonised, report = harmonise(noise, people)
    assert harmonised["value"][harmonised["measure"] == "fa"].isna().all()
    assert report["note"].iloc[0] == "site confounded with group; left out: failed (10)"
    assert harmonised["value"][harmonised["measure"] != "fa"].notna().all()


def test_a_covariate_twice_or_the_same_in_everyone_changes_nothing(people, noise):
    more = people.assign(months=people["age"] * 12, scanner="Prisma", tesla=3.0)
    plain, _ = harmonise(noise, people)
    same, _ = harmonise(noise, more, preserve=["group", "age", "months", "scanner", "tesla"])
    np.testing.assert_allclose(same["value"], plain["value"], rtol=1e-6)


def test_sites_may_have_any_name(people, noise):
    plain, _ = harmonise(noise, people)
    for names in ({"A": "Łódź – früh", "B": "東京" * 60}, {"A": "12", "B": "7"}):
        named, its_report = harmonise(noise, people.assign(site=people["site"].map(names)))
        np.testing.assert_allclose(named["value"], plain["value"], rtol=1e-8)
        assert set(its_report["site"]) == set(names.values())


def test_columns_are_explained_and_an_empty_table_gives_empty_ones(people, noise):
    _, report = harmonise(noise, people)
    counts = ["n_learnt", "n_harmonised", "n_missing"]
    assert list(report.columns) == [*KEY, "site", *counts, "shift", "scale", "note"]
    assert list(report.columns) == column_names(combat_dictionary())
    harmonised, nothing = harmonise(noise.iloc[:0], people)
    assert harmonised.empty
    assert list(nothing.columns) == list(report.columns)


def test_what_is_wrong_with_the_input_is_named(people, noise):
    with pytest.raises(InputError, match="no column scanner; it has participant_id"):
        harmonise(noise, people, site="scanner")
    with pytest.raises(InputError, match="no column group"):
        harmonise(noise, people.drop(columns="group"))
    with pytest.raises(InputError, match="two sites or more; the column site has A"):
        harmonise(noise, people.assign(site="A"))
    with pytest.raises(InputError, match="two sites or more; the column site has none"):
        harmonise(noise, people.assign(site=np.nan))
    with pytest.raises(InputError, match="needs 5 people of one group at each site; too few at C"):
        harmonise(noise, people.assign(site=people["site"].where(people.index > 0, "C")))
    with pytest.raises(InputError, match="reference group 'HC' is not one of ALS, control"):
        harmonise(noise, people, learn_on="controls", reference_group="HC")
    with pytest.raises(InputError, match="learn_on is patients"):
        harmonise(noise, people, learn_on="patients")
    with pytest.raises(InputError, match="min_per_cell is 1; a spread needs 2"):
        harmonise(noise, people, min_per_cell=1)


def features(participants, *, seed=0):
    """Twelve measures of nothing in one modality, site A 1.5 SD above and 1.5 times as wide."""
    rng = np.random.default_rng(seed)
    columns = pd.MultiIndex.from_tuples([("dwi", f"m{k}", "cst", "L") for k in range(12)], names=KEY)
    at = (participants["site"] == "A").to_numpy()[:, None]
    values = rng.normal(size=(len(participants), 12)) * np.where(at, 1.5, 1.0) + 1.5 * at
    return pd.DataFrame(values, participants.index, columns)


OF_FOLDS = {"site": "site", "preserve": ["age"]}


def test_what_is_learnt_knows_nothing_of_the_people_held_out():
    people = study([{"ALS": 20, "control": 10}, {"ALS": 10, "control": 20}], sites="AB").set_index("participant_id")
    values, learners = features(people), np.arange(60) % 5 > 0
    learnt = fit_combat(values, people, learners=learners, **OF_FOLDS)
    other = values.copy()
    other[~learners] = 99.0
    relabelled = people.assign(group=people["group"].where(learners, "ALS"))
    again = fit_combat(other, relabelled, learners=learners, **OF_FOLDS)
    for one, two in zip(learnt.sites, again.sites, strict=True):
        assert one[["shift", "scale"]].to_numpy() == pytest.approx(two[["shift", "scale"]].to_numpy())
    # nor does the value of a person who is held out depend on the group
    assert learnt.transform(values, people["site"]).to_numpy() == pytest.approx(
        again.transform(values, people["site"]).to_numpy()
    )


def test_people_held_out_lose_the_shift_and_the_scale_of_their_site():
    people = study([{"ALS": 60, "control": 40}, {"ALS": 40, "control": 60}], sites="AB").set_index("participant_id")
    values, learners = features(people), np.arange(200) % 2 > 0
    made = fit_combat(values, people, learners=learners, **OF_FOLDS).transform(values, people["site"])[~learners]
    at = (people["site"] == "A")[~learners]
    assert abs(made[at].to_numpy().mean() - made[~at].to_numpy().mean()) < 0.4
    assert made[at].to_numpy().std() / made[~at].to_numpy().std() == pytest.approx(1, abs=0.25)


def test_everyone_learnt_from_is_harmonised_as_by_combat_but_for_the_scale_of_the_group():
    people = study([{"ALS": 12, "control": 8}, {"ALS": 8, "control": 12}], sites="AB")
    values = features(people)
    long = values.set_axis(people["participant_id"]).melt(ignore_index=False).reset_index().assign(status="ok")
    _, report = harmonise(long, people)
    learnt = fit_combat(values, people, learners=np.ones(40, bool), **OF_FOLDS)
    shifts = report.pivot(index="site", columns="measure", values="shift")
    for sites, key in zip(learnt.sites, values, strict=True):
        assert sites["shift"].to_numpy() == pytest.approx(shifts[key[1]].to_numpy())


def test_a_site_without_learners_has_no_values():
    people = study([{"ALS": 10, "control": 10}] * 3).set_index("participant_id")
    values = features(people)
    learners = (people["site"] != "C").to_numpy()
    made = fit_combat(values, people, learners=learners, **OF_FOLDS).transform(values, people["site"])
    assert made[~learners].isna().all(axis=None) and made[learners].notna().all(axis=None)
