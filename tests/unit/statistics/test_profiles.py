"""Profiles along the tract: each node as compare_groups has it, and a correction that holds over all of them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter1d

from mndmri.io import InputError
from mndmri.statistics import compare_groups, profiles
from mndmri.statistics.draws import draw_among, draw_people
from mndmri.statistics.models import build_design, contrast_vector
from mndmri.statistics.profiles import compare_profiles, compare_profiles_dictionary, profile_means
from mndmri.statistics.welch import directions_of, error_model, pivot, sums_of, wald_test
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
STUDY = {"groups": GROUPS, "reference": "control", "covariates": ["age", "sex"]}
NUMBERS = ["estimate", "se", "ci_low", "ci_high", "statistic", "df", "p", "p_fwe"]


def long(participants, values, *, modality="dwi", measure="fa"):
    """Table of profiles of an array, shape (2 sides, participants, nodes)."""
    ids = participants["participant_id"]
    axes = [["L", "R"], ids, range(1, values.shape[2] + 1)]
    index = pd.MultiIndex.from_product(axes, names=["hemi", "participant_id", "node"])
    table = pd.DataFrame({"value": values.ravel()}, index).reset_index()
    status = np.where(np.isnan(table["value"]), "outside the slab", "ok")
    return table.assign(
        modality=modality, measure=measure, position_mm=1.5 * table["node"], unit="1", n_voxels=9, status=status
    )


def smooth(participants, nodes, *, seed):
    noise = np.random.default_rng(seed).normal(size=(2, len(participants), nodes))
    return gaussian_filter1d(noise, nodes / 15, axis=-1)


@pytest.fixture
def values(participants):
    """Ten nodes a side that depend on age; four people lack one or more of the first three."""
    values = smooth(participants, 10, seed=5) + 0.05 * participants["age"].to_numpy()[:, None]
    for person, first in ((1, 3), (8, 1), (15, 2), (27, 3)):
        values[:, person, :first] = np.nan
    return values


def at(table, hemi, node, contrast="ALS-control"):
    chosen = (table["hemi"] == hemi) & (table["node"] == node) & (table["contrast"] == contrast)
    (row,) = table[chosen].to_dict("records")
    return row


def test_every_node_is_the_ancova_of_compare_groups(participants, values):
    table = long(participants, values)
    found = compare_profiles(table, participants, **STUDY, n_permutations=9)
    expected = compare_groups(table.rename(columns={"node": "region"}), participants, **STUDY, n_permutations=0)
    expected = expected[expected["reported"] == "yes"].rename(columns={"region": "node"})
    both = found.merge(expected, on=["modality", "measure", "hemi", "node", "contrast"], suffixes=("", "_expected"))
    assert len(both) == len(found) == 2 * 10 * 4
    for column in [*NUMBERS[:-1], "n_ALS", "n_PLS", "n_control", "n_missing"]:
        np.testing.assert_allclose(both[column], both[f"{column}_expected"].astype(float), rtol=1e-9)
    assert (both["note"] == both["note_expected"]).all()


def test_a_node_of_two_groups_is_welchs_test_of_those_who_have_it():
    """R: t.test(y ~ group, d), of a node that one of eleven lacks; here by scipy."""
    people = pd.DataFrame(
        {"participant_id": [f"sub-{i:02d}" for i in range(11)], "group": np.repeat(["A", "B"], [6, 5])}
    )
    y = np.array([0.612, 0.655, 0.598, 0.567, 0.671, np.nan, 0.585, 0.652, 0.633, 0.702, 0.689])
    table = compare_profiles(
        long(people, np.tile(y[:, None], (2, 1, 1))), people, groups=["A", "B"], reference="B", n_permutations=0
    )
    expected = stats.ttest_ind(y[:5], y[6:], equal_var=False)
    row = at(table, "R", 1, "A-B")
    found = [row[name] for name in ("statistic", "df", "p", "ci_low", "ci_high")]
    limits = expected.confidence_interval()
    np.testing.assert_allclose(found, [expected.statistic, expected.df, expected.pvalue, *limits], rtol=1e-9)
    assert np.isnan(row["p_fwe"])


def scales(y, owner, design):
    """Of each group at each node, shape (groups, nodes): roots of the mean squared residual and of the variance."""
    hat = design @ np.linalg.pinv(design)
    maker = (np.eye(len(y)) - hat) ** 2
    members = [owner == g for g in np.unique(owner)]
    squares = np.array([((y - hat @ y)[own] ** 2).sum(axis=0) for own in members])
    expected = [[maker[np.ix_(own, other)].sum() for other in members] for own in members]
    unbiased = np.maximum(
        np.linalg.solve(expected, squares),
        [[0.1 / (1 - hat.diagonal()[own]).sum()] for own in members] * squares,
    )
    of_residuals = squares / [[own.sum()] for own in members]
    halves = []
    for variances in (of_residuals, unbiased):
        ratio = variances / variances.mean(axis=0)
        halves.append(np.sqrt(variances.mean(axis=0) * (ratio + ratio.mean(axis=1, keepdims=True)) / 2))
    return halves


def test_corrected_p_is_that_of_enumerating_every_draw(monkeypatch):
    """Three nodes, three people against three; all draws but the data's order, Welch's t of each node."""
    y = np.array([[1.3, 2.6, 0.9, 3.9, 2.2, 4.1], [2.1, 2.4, 1.7, 3.6, 3.1, 4.4], [0.4, 0.9, 0.2, 0.1, 0.8, 0.5]])
    people = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(6)], "group": list("AAABBB")})
    owner = np.repeat([0, 1], 3)
    draws = np.array([d for d in product(range(6), repeat=6) if len(set(d[:3])) > 1 and len(set(d[3:])) > 1])

    def largest(values):
        found = stats.ttest_ind(values[..., :3], values[..., 3:], axis=-1, equal_var=False)
        return (found.df - 0.5) * np.log1p(found.statistic**2 / found.df)

    means = np.array([y[:, owner == g].mean(axis=1) for g in (0, 1)])[owner].T
    lent, given = scales(y.T, owner, np.column_stack([owner == 0, owner == 1]).astype(float))
    residuals = (y - means) / lent[owner].T
    drawn = largest(residuals[:, draws] * given[owner].T[:, None]).max(axis=0)
    expected = [(np.sum(drawn >= own * (1 - 1e-9)) + 1) / (len(draws) + 1) for own in largest(y)]
    monkeypatch.setattr(profiles, "draw_people", lambda n, *, number, seed: draws)
    table = compare_profiles(
        long(people, np.stack([y.T, y.T])), people, groups=["A", "B"], reference="B", n_permutations=len(draws)
    )
    assert len(set(expected)) == 3
    for hemi in "LR":
        np.testing.assert_allclose(table.loc[table["hemi"] == hemi, "p_fwe"], expected, atol=1e-4)


def test_corrected_p_is_that_of_refitting_every_draw(participants):
    """Residuals of everybody, on the scale of each group, refitted node by node."""
    number = 60
    values = smooth(participants, 10, seed=5) + 0.05 * participants["age"].to_numpy()[:, None]
    table = compare_profiles(long(participants, values), participants, **STUDY, n_permutations=number, seed=4)
    draws = draw_people(28, number=number, seed=4)
    y = np.concatenate(values, axis=1)
    design = build_design(participants, groups=GROUPS, covariates=["age", "sex"])
    contrast = contrast_vector(design, {"ALS": 1, "control": -1})
    owner = participants["group"].map(GROUPS.index).to_numpy()
    errors = error_model(design.matrix, owner)
    directions = directions_of(errors, contrast)
    lent, given = scales(y, owner, design.matrix)
    residuals = (y - design.matrix @ np.linalg.lstsq(design.matrix, y, rcond=None)[0]) / lent[owner]

    def statistic(data):
        return pivot(wald_test(errors, directions, *sums_of(errors, data)))

    drawn = np.array([statistic(residuals[people] * given[owner]).max() for people in draws])
    observed = statistic(y)
    expected = [(np.sum(drawn >= v * (1 - 1e-9)) + 1) / (number + 1) for v in observed]
    pairs = table[table["contrast"] == "ALS-control"].sort_values(["hemi", "node"])
    assert len(set(expected)) > 5
    np.testing.assert_allclose(pairs["p_fwe"], expected, rtol=1e-12)


def test_a_node_that_someone_lacks_has_the_draws_of_the_others():
    """Who is absent is replaced in the draws, everybody else stays; nobody draws from a group without a spread."""
    drawn = draw_people(7, number=400, seed=3)
    present = np.array([True, True, False, True, True, True, True])
    owner = np.array([0, 0, 1, 1, 1, 2])
    errors = error_model(np.eye(3)[owner], owner)
    assert list(errors.borrowing) == [False, False, True]
    found = draw_among(drawn, present, errors, seed=3)
    assert found.shape == (400, 6)
    ids = np.flatnonzero(present)[found]
    kept = ~np.isin(drawn[:, present], [2, 6])
    assert (ids == drawn[:, present])[kept].all()
    assert set(np.unique(ids)) == {0, 1, 3, 4, 5}
    counts = np.bincount(ids.ravel(), minlength=7)[[0, 1, 3, 4, 5]] / ids.size
    np.testing.assert_allclose(counts, 0.2, atol=0.03)


def test_one_person_of_a_group_leaves_the_p_of_the_others_as_it_is(participants):
    """A group of one has no residual of its own: draws are tested by the spread of the others."""
    alone = participants["group"] != "PLS"
    alone |= participants.index == np.flatnonzero(~alone)[0]
    p = []
    for people in (participants[alone], participants[alone & (participants["group"] != "PLS")]):
        values = smooth(participants, 10, seed=8)[:, people.index]
        options = {"groups": GROUPS, "reference": "control", "n_permutations": 999}
        table = compare_profiles(long(people, values), people, **options)
        p.append(table.loc[table["contrast"] == "ALS-control", "p_fwe"])
    np.testing.assert_allclose(p[0], p[1], atol=0.06)


@pytest.mark.parametrize("missing", [False, True])
def test_corrected_p_finds_something_in_one_null_study_of_twenty(participants, missing):
    found = []
    for cohort in range(60):
        values = smooth(participants, 6, seed=cohort) + 0.02 * participants["age"].to_numpy()[:, None]
        if missing:
            rng = np.random.default_rng(cohort)
            for person in rng.choice(28, 8, replace=False):
                values[:, person, : rng.integers(1, 4)] = np.nan
        table = compare_profiles(
            long(participants, values),
            participants,
            **STUDY,
            contrasts=[("ALS", "control")],
            pooled=False,
            n_permutations=99,
            seed=cohort,
        )
        found.append(table["p_fwe"].min() <= 0.05)
    low, high = stats.binom.ppf([0.001, 0.999], 60, 0.05)
    assert low <= sum(found) <= high


def test_a_local_loss_is_found_in_its_place_and_nowhere_else(participants):
    values = 0.03 * smooth(participants, 40, seed=7) + 0.5
    patients = (participants["group"] == "ALS").to_numpy()
    values[0, patients, 24:30] -= 0.08
    table = compare_profiles(long(participants, values), participants, **STUDY, n_permutations=999)
    found = table[table["p_fwe"] < 0.05]
    assert set(found["hemi"]) == {"L"}
    assert set(found["contrast"]) == {"ALS-PLS", "ALS-control", "patients-control"}
    assert set(found.loc[found["contrast"] == "ALS-control", "node"]) == set(range(25, 31))
    assert (found["estimate"] < 0).all()
    assert at(table, "L", 27)["position_mm"] == 40.5


def test_a_node_that_few_people_have_does_not_drown_the_others(participants):
    """With one degree of freedom or less, one |t| in twenty is above 12.7."""
    values = smooth(participants, 6, seed=8)
    values[:, (participants["group"] == "ALS").to_numpy()] -= 1.5
    few = values.copy()
    few[:, 2:-2, 0] = np.nan
    study = {**STUDY, "covariates": ["age"], "n_permutations": 499}
    all_have, few_have = (
        compare_profiles(long(participants, v), participants, **study).set_index(["hemi", "node", "contrast"])
        for v in (values, few)
    )
    assert few_have.loc[("L", 1, "ALS-control"), "df"] <= 1
    strong = all_have["p_fwe"] <= 0.01
    assert strong.any()
    others = strong & (all_have.index.get_level_values("node") > 1)
    assert (few_have.loc[others, "p_fwe"] < 0.05).all()


def test_order_of_rows_and_other_measures_decide_nothing(participants, values):
    table = long(participants, values)
    expected = compare_profiles(table, participants, **STUDY, n_permutations=99)
    shuffled = pd.concat([table, long(participants, values**2, measure="md")]).sample(frac=1, random_state=1)
    people = participants.sample(frac=1, random_state=2)
    found = compare_profiles(shuffled, people, **STUDY, n_permutations=99)
    pd.testing.assert_frame_equal(found[found["measure"] == "fa"].reset_index(drop=True), expected)
    means = profile_means(shuffled, people, groups=GROUPS)
    pd.testing.assert_frame_equal(
        means[means["measure"] == "fa"].reset_index(drop=True), profile_means(table, participants, groups=GROUPS)
    )


def test_a_map_is_compared_as_the_diffusion_series_is_and_each_is_corrected_alone(participants, values):
    """MD brought as a map has the rows of the built-in MD; a map beside it in which much differs changes neither."""
    other = values.copy()
    other[:, (participants["group"] == "ALS").to_numpy()] += 9
    tables = [
        long(participants, values, measure="md"),
        long(participants, values, modality="own", measure="mean"),
        long(participants, other, modality="mtr", measure="mean"),
    ]
    found = compare_profiles(pd.concat(tables), participants, **STUDY, n_permutations=99, seed=3)
    means = profile_means(pd.concat(tables), participants, groups=GROUPS)
    for table in (found, means):
        of = {
            m: own.drop(columns=["modality", "measure"]).reset_index(drop=True) for m, own in table.groupby("modality")
        }
        assert list(of) == ["dwi", "mtr", "own"]
        pd.testing.assert_frame_equal(of["own"], of["dwi"], rtol=1e-9)
    least = found.groupby(["modality", "contrast"])["p_fwe"].min()
    assert least["mtr", "ALS-control"] == 0.01 < 0.05 < least["own", "ALS-control"]


def test_a_covariate_of_a_map_is_one_of_no_other(participants, values):
    people = participants.assign(**{"depth": np.arange(28.0) ** 2})
    table = pd.concat([long(people, values), long(people, values, modality="mtr", measure="mean")])
    found = compare_profiles(table, people, **STUDY, measure_covariates={"mtr": ["depth"]}, n_permutations=0)
    plain = compare_profiles(long(people, values), people, **STUDY, n_permutations=0)
    own = {name: rows["estimate"].to_numpy() for name, rows in found.groupby("modality")}
    np.testing.assert_array_equal(own["dwi"], plain["estimate"])
    assert not np.isclose(own["mtr"], own["dwi"]).any()


def test_means_are_those_of_each_group_with_students_interval(participants, values):
    means = profile_means(long(participants, values), participants, groups=GROUPS, alpha=0.1)
    assert len(means) == 2 * 10 * 3
    for row in means.to_dict("records"):
        y = values["LR".index(row["hemi"]), :, row["node"] - 1]
        y = y[(participants["group"] == row["group"]).to_numpy() & np.isfinite(y)]
        interval = stats.ttest_1samp(y, 0).confidence_interval(0.9)
        np.testing.assert_allclose([row["mean"], row["ci_low"], row["ci_high"]], [y.mean(), *interval], rtol=1e-12)
        assert (row["n"], row["unit"], row["position_mm"]) == (len(y), "1", 1.5 * row["node"])


def test_a_mean_of_one_has_no_interval_and_a_mean_of_nobody_no_value(participants, values):
    pls = (participants["group"] == "PLS").to_numpy()
    values[0, pls, 0] = np.nan
    values[0, pls, 1] = [np.nan, 0.5, np.inf, np.nan, np.nan]
    means = profile_means(long(participants, values), participants, groups=GROUPS)
    means = means[(means["group"] == "PLS") & (means["hemi"] == "L")].set_index("node")
    assert list(means.loc[[1, 2, 3], "n"]) == [0, 1, 5]
    assert list(means.loc[[1, 2], "mean"].fillna(-1)) == [-1, 0.5]
    assert means.loc[[1, 2], ["ci_low", "ci_high"]].isna().all(axis=None)
    assert means.loc[3, ["mean", "ci_low", "ci_high"]].notna().all()


def test_dictionary_describes_every_column(participants, values):
    table = compare_profiles(long(participants, values), participants, **STUDY, n_permutations=0)
    assert column_names(compare_profiles_dictionary(GROUPS)) == list(table)


def no_pls(people, values):
    values[:, (people["group"] == "PLS").to_numpy(), 0] = np.nan


def one_pls(people, values):
    values[:, np.flatnonzero(people["group"] == "PLS")[1:], 0] = np.nan


def nobody(people, values):
    values[:, :, 0] = np.nan


def nothing_at_all(people, values):
    values[:] = np.nan


def infinite(people, values):
    values[:, 3, 0] = np.inf


def all_the_same(people, values):
    values[:, :, 0] = 0.5


def the_model_explains_all(people, values):
    values[:, :, 0] = 0.01 * people["age"]


def too_few(people, values):
    values[:, 2:-1, 0] = np.nan


def collinear(people, values):
    people["age"] = people["group"].map({"ALS": 60.0, "PLS": 70.0, "control": 60.0})


def constant_and_absent(people, values):
    people["age"] = 60.0
    people["sex"] = None


def one_at_a_site(people, values):
    people["sex"] = ["Ł" * 300] + ["中"] * 27


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (no_pls, "a group of the contrast has no data"),
        (one_pls, "one participant only: PLS"),
        (nobody, "fewer than two groups with data"),
        (nothing_at_all, "left out: outside the slab (28)"),
        (infinite, "infinite value (1)"),
        (all_the_same, "every value is the same"),
        (the_model_explains_all, "the model leaves no residual variation"),
        (too_few, "too few participants (3)"),
        (collinear, "not estimable: groups confounded with age"),
        (constant_and_absent, "no sex (28)"),
        (one_at_a_site, f"only one participant, who does not contribute to the comparison, in sex: {'Ł' * 300}"),
    ],
)
def test_what_cannot_be_compared_is_a_row_that_says_why(participants, spoil, note):
    values = smooth(participants, 3, seed=9)
    spoil(participants, values)
    table = compare_profiles(long(participants, values), participants, **STUDY, n_permutations=19)
    assert len(table) == 2 * 3 * 4
    assert table["note"].str.contains(note, regex=False).any()
    known = table[NUMBERS].notna()
    assert (known.all(axis=1) | ~known.any(axis=1)).all()
    assert (table.loc[~known.all(axis=1), "note"] != "").all()
    assert np.isfinite(table[NUMBERS].to_numpy(float)[known]).all()
    assert table["position_mm"].notna().all()


def test_a_node_without_a_result_stays_out_of_the_correction(participants):
    values = smooth(participants, 4, seed=10)
    expected = compare_profiles(long(participants, values[:, :, 1:]), participants, **STUDY, n_permutations=99)
    all_the_same(participants, values)
    found = compare_profiles(long(participants, values), participants, **STUDY, n_permutations=99)
    assert found.loc[found["node"] == 1, NUMBERS].isna().all(axis=None)
    np.testing.assert_array_equal(found.loc[found["node"] > 1, "p_fwe"], expected["p_fwe"])


def test_an_empty_table_gives_empty_tables(participants, values):
    table = long(participants, values).iloc[:0]
    assert list(compare_profiles(table, participants, **STUDY)) == column_names(compare_profiles_dictionary(GROUPS))
    assert profile_means(table, participants, groups=GROUPS).empty


@pytest.mark.parametrize("function", [compare_profiles, profile_means])
def test_unusable_tables_are_refused(participants, values, function):
    study = STUDY if function is compare_profiles else {"groups": GROUPS}
    table = long(participants, values)
    with pytest.raises(InputError, match="no column position_mm; it has hemi"):
        function(table.drop(columns="position_mm"), participants, **study)
    with pytest.raises(InputError, match="sub-00: the table of profiles has dwi fa L 1 twice"):
        function(pd.concat([table, table.head(1)]), participants, **study)
    table.loc[len(table) - 1, "position_mm"] = 0.0
    with pytest.raises(InputError, match="dwi fa R 10: the node has more than one position_mm"):
        function(table, participants, **study)
