"""Data that cannot be analysed in full: a row with a note each, never a crash, a warning or a silent number."""

import numpy as np
import pandas as pd
import pytest

from mndmri.statistics import adjusted_means, compare_groups, demographics
from mndmri.statistics.balance import balance_table
from mndmri.statistics.sensitivity import sensitivity_table

pytestmark = pytest.mark.filterwarnings("error")

GROUPS = ["ALS", "PLS", "control"]
LONG = "Universitätsklinikum für Neurologie und Neuroradiologie, Gerät 3 " * 20
IN_PLS = slice(13, 18)


def analyse(measures, participants, *, covariates=("age", "sex"), groups=GROUPS):
    """Every table of the study."""
    people = {"groups": groups, "reference": groups[-1], "covariates": list(covariates)}
    motion = pd.Series(np.linspace(0.1, 0.5, len(participants)), participants["participant_id"])
    flagged = {"dwi": set(participants["participant_id"].head(1))}
    extra = {"motion": motion, "site": "site", "age": "age", "sex": "sex"}
    return {
        "comparisons": compare_groups(measures, participants, **people, n_permutations=19),
        "means": adjusted_means(measures, participants, groups=groups, covariates=list(covariates)),
        "sensitivity": sensitivity_table(measures, participants, **people, flagged=flagged, **extra),
        "balance": balance_table(participants, **people, **extra),
        "demographics": demographics(participants, **people, scores=[]),
    }


def check(tables, *, groups=GROUPS):
    """All rows are there; each number is finite, or missing with a note that says why."""
    comparisons, sensitivity, balance = (tables[name] for name in ("comparisons", "sensitivity", "balance"))
    pairs = len(groups) * (len(groups) - 1) // 2
    contrasts = pairs + (len(groups) > 2)
    assert len(comparisons) == 2 + 3 * contrasts + 1 + pairs
    assert len(tables["means"]) == len(groups)
    assert (sensitivity["variant"] == "main").sum() == contrasts
    assert sensitivity["contrast"].value_counts().nunique() == 1
    assert len(balance) % contrasts == 0
    for table in tables.values():
        numbers = table.select_dtypes("number").to_numpy(float)
        assert not np.isinf(numbers).any()
    is_test = {
        "comparisons": comparisons["test"].notna(),
        "demographics": tables["demographics"]["test"].notna(),
    }
    needed = {
        "comparisons": ["p"],
        "means": ["estimate", "ci_low", "ci_high"],
        "sensitivity": ["estimate", "ci_low", "ci_high", "adjusted_g", "p"],
        "balance": ["smd"],
        "demographics": ["p"],
    }
    for name, columns in needed.items():
        table = tables[name][is_test.get(name, slice(None))]
        unexplained = table[columns].isna().any(axis=1) & (table["note"] == "")
        assert not unexplained.any(), table[unexplained].to_string()
    plain = comparisons[comparisons["test"] == "ancova_contrast"]
    lacking = plain[["hedges_g", "g_ci_low", "g_ci_high", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high"]].isna()
    assert (plain.loc[lacking.any(axis=1), "note"] != "").all()
    assert not balance["sentence"].str.contains("nan|inf", regex=True).any()
    assert (balance["sentence"] != "").all()


def contrast(tables, name, test="ancova_contrast"):
    table = tables["comparisons"]
    return table[(table["test"] == test) & (table["contrast"] == name)].iloc[0]


@pytest.fixture
def values(participants):
    rng = np.random.default_rng(11)
    shift = participants["group"].map({"ALS": -1.0, "PLS": -2.0, "control": 0.0})
    return (shift + 0.05 * participants["age"] + rng.normal(size=28)).to_numpy()


def test_a_group_of_one(participants, tidy, values):
    people, values = participants.drop(index=range(14, 18)), np.delete(values, range(14, 18))
    tables = analyse(tidy(people, fa=values), people)
    check(tables)
    row = contrast(tables, "PLS-control")
    assert row["n_PLS"] == 1
    assert "one participant only: PLS" in row["note"]
    assert np.isfinite(row[["p", "adjusted_g"]].astype(float)).all()
    ages = tables["balance"].query("variable == 'age' and contrast == 'PLS-control'").iloc[0]
    assert ages["note"] == "one participant only: PLS"
    assert "without variation to compare it with" in ages["sentence"]


def test_a_group_of_one_with_one_control(participants, tidy, values):
    kept = [0, 1, 2, 3, 4, 13, 18]
    tables = analyse(tidy(participants.iloc[kept], fa=values[kept]), participants.iloc[kept])
    check(tables)
    assert np.isnan(contrast(tables, "PLS-control")["hedges_g"])


def test_an_empty_group(participants, tidy, values):
    people, values = participants.drop(index=range(13, 18)), np.delete(values, range(13, 18))
    tables = analyse(tidy(people, fa=values), people)
    check(tables)
    row = contrast(tables, "PLS-control")
    assert np.isnan(row["estimate"])
    assert "a group of the contrast has no data" in row["note"]
    assert np.isfinite(contrast(tables, "ALS-control")["p"])


@pytest.mark.parametrize("constant", [3.0, "Prisma"])
def test_a_constant_covariate(participants, tidy, values, constant):
    tables = analyse(tidy(participants, fa=values), participants.assign(x=constant), covariates=["age", "x"])
    check(tables)
    without = analyse(tidy(participants, fa=values), participants, covariates=["age"])
    assert contrast(tables, "ALS-control")["p"] == pytest.approx(contrast(without, "ALS-control")["p"])
    assert "constant, left out of the model: x" in contrast(tables, "ALS-control")["note"]
    balance = tables["balance"].query("variable == 'x'")
    assert (balance["sentence"].str.contains("is the same in all")).all()


def test_a_covariate_that_is_constant_but_for_rounding_is_constant(participants, tidy, values):
    field = np.where(np.arange(28) % 2, 0.1 + 0.2, 0.3)
    tables = analyse(tidy(participants, fa=values), participants.assign(x=field), covariates=["x"])
    check(tables)
    assert "constant, left out of the model: x" in contrast(tables, "ALS-control")["note"]
    assert contrast(tables, "ALS-control")["df"] == 25


@pytest.mark.parametrize("numeric", [True, False])
def test_a_covariate_collinear_with_group(participants, tidy, values, numeric):
    coil = participants["group"].map({"ALS": 1.0, "PLS": 2.0, "control": 1.0})
    people = participants.assign(coil=coil if numeric else coil.astype(str))
    tables = analyse(tidy(participants, fa=values), people, covariates=["age", "coil"])
    check(tables)
    row = contrast(tables, "PLS-control")
    assert np.isnan(row["p"])
    assert "not estimable: groups confounded with coil" in row["note"]
    main = tables["sensitivity"].query("contrast == 'PLS-control'").set_index("variant")
    assert np.isnan(main.loc["main", "estimate"])
    assert np.isfinite(main.loc["without_covariates", "estimate"])
    assert np.isnan(main.loc["without_covariates", "change_percent"])


def test_two_collinear_covariates(participants, tidy, values):
    people = participants.assign(months=participants["age"] * 12 + 3)
    tables = analyse(tidy(participants, fa=values), people, covariates=["age", "months"])
    once = analyse(tidy(participants, fa=values), people, covariates=["age"])
    check(tables)
    for column in ("estimate", "p", "df", "adjusted_g"):
        assert contrast(tables, "PLS-control")[column] == pytest.approx(contrast(once, "PLS-control")[column])


def test_all_values_missing(participants, tidy):
    tables = analyse(tidy(participants, fa=np.full(28, np.nan)), participants)
    check(tables)
    for name, column in (("comparisons", "p"), ("means", "estimate"), ("sensitivity", "estimate")):
        assert tables[name][column].isna().all()
    assert "left out: no dwi image (28)" in contrast(tables, "ALS-control")["note"]


def test_a_missing_value_with_an_ok_status_is_said_to_be_missing(participants, tidy, values):
    measures = tidy(participants, fa=values)
    measures.loc[[0, 1], "value"] = np.nan
    measures.loc[1, "status"] = np.nan
    tables = analyse(measures, participants)
    check(tables)
    assert contrast(tables, "ALS-control")["note"] == "left out: no value (2)"


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_an_infinite_value_and_an_infinite_covariate(participants, tidy, values, infinite):
    values[2] = infinite
    participants.loc[20, "age"] = infinite
    tables = analyse(tidy(participants, fa=values), participants)
    check(tables)
    assert contrast(tables, "ALS-control")["note"] == "left out: infinite value (1), no age (1)"
    assert tables["demographics"].query("variable == 'age' and group == 'control'")["n_missing"].iloc[0] == 1


def test_a_site_with_one_person(participants, tidy, values):
    participants.loc[20, "site"] = "Graz"
    tables = analyse(tidy(participants, fa=values), participants, covariates=["age", "site"])
    check(tables)
    row = contrast(tables, "ALS-control")
    assert "only one participant, who does not contribute to the comparison, in site: Graz" in row["note"]
    # the estimate is that without this person
    alone = participants.drop(index=20)
    without = analyse(tidy(alone, fa=np.delete(values, 20)), alone, covariates=["age", "site"])
    assert row["p"] == pytest.approx(contrast(without, "ALS-control")["p"])
    assert np.isnan(contrast(tables, "ALS-control", "ancova_hc3")["p"])


def test_every_person_at_a_site_of_their_own(participants, tidy, values):
    people = participants.assign(site=participants["participant_id"])
    check(analyse(tidy(people, fa=values), people, covariates=["site"]))


@pytest.mark.parametrize(
    "names",
    [
        {"ALS": "БАС", "PLS": "原発性側索硬化症", "control": "العربية"},
        {"ALS": "definite ALS", "PLS": "PLS - early", "control": "healthy control"},
        {"ALS": "1", "PLS": "2.0", "control": "nan"},
        {"ALS": "{x}", "PLS": "a%s\\", "control": "C('q')"},
    ],
)
def test_labels_of_any_kind(participants, tidy, values, names):
    plain = analyse(tidy(participants, fa=values), participants, covariates=["age", "site"])
    people = participants.replace({"group": names, "site": {"Łódź": LONG}})
    groups = list(names.values())
    tables = analyse(tidy(people, fa=values), people, covariates=["age", "site"], groups=groups)
    if "nan" not in groups:
        check(tables, groups=groups)
    for name in ("comparisons", "sensitivity"):
        columns = ["estimate", "p"]
        np.testing.assert_allclose(tables[name][columns].astype(float), plain[name][columns].astype(float))
        assert f"n_{groups[0]}" in tables[name]
    assert f"without_site_{LONG}" in set(tables["sensitivity"]["variant"])


@pytest.mark.parametrize("ids", [[f"{i:03d}" for i in range(28)], list(range(28)), [f"{i:02d}e5" for i in range(28)]])
def test_ids_that_look_like_numbers(participants, tidy, values, ids):
    people = participants.assign(participant_id=ids)
    plain, tables = analyse(tidy(participants, fa=values), participants), analyse(tidy(people, fa=values), people)
    check(tables)
    for name in ("comparisons", "balance", "means"):
        found, expected = (t[name].select_dtypes("number") for t in (tables, plain))
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("kept", [[0, 18], [0, 1], [0]])
def test_two_people_in_total_and_one(participants, tidy, values, kept):
    tables = analyse(tidy(participants.iloc[kept], fa=values[kept]), participants.iloc[kept])
    check(tables)
    assert tables["comparisons"].loc[tables["comparisons"]["test"].str.startswith("ancova"), "p"].isna().all()


def test_nobody(participants, tidy, values):
    measures, nobody = tidy(participants, fa=values), participants.iloc[:0]
    tables = analyse(measures, nobody)
    check(tables)


@pytest.mark.parametrize("scale", [1e-9, 1e12])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_scale_of_values_and_covariates_changes_no_test(participants, tidy, values, scale, offset):
    people = participants.assign(x=np.random.default_rng(0).normal(size=28))
    plain = analyse(tidy(people, fa=values), people, covariates=["age", "x"])
    scaled = people.assign(x=(people["x"] + offset) * scale)
    tables = analyse(tidy(people, fa=(values + offset) * scale), scaled, covariates=["age", "x"])
    check(tables)
    columns = ["statistic", "p", "p_permutation", "hedges_g", "g_ci_low", "adjusted_g", "adj_g_ci_low"]
    found, expected = (t["comparisons"][columns].astype(float) for t in (tables, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    found, expected = (t["sensitivity"][["adjusted_g", "p", "change_percent"]].astype(float) for t in (tables, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tables["balance"]["smd"], plain["balance"]["smd"], rtol=1e-6)
    np.testing.assert_allclose(tables["means"]["estimate"], (plain["means"]["estimate"] + offset) * scale, rtol=1e-9)


def test_ties(participants, tidy, values):
    check(analyse(tidy(participants, fa=np.sign(values - np.median(values))), participants))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e12])
def test_all_values_equal_in_one_group(participants, tidy, values, constant):
    values[IN_PLS] = constant
    check(analyse(tidy(participants, fa=values), participants))


@pytest.mark.parametrize("covariates", [[], ["age"]])
def test_no_spread_in_two_of_three_groups(participants, tidy, values, covariates):
    values[:13], values[IN_PLS] = 0.1, 0.3
    tables = analyse(tidy(participants, fa=values), participants, covariates=covariates)
    check(tables)
    assert "no Hedges g: no variation within these groups" in contrast(tables, "ALS-PLS")["note"]
    if not covariates:
        robust = contrast(tables, "ALS-PLS", "ancova_hc3")
        assert np.isnan(robust["p"])
        assert "HC3 not defined: no variation within these groups" in robust["note"]


def test_no_spread_in_any_group(participants, tidy):
    tables = analyse(tidy(participants, fa=np.repeat([0.1, 0.2, 0.3], [13, 5, 10])), participants)
    check(tables)
    assert contrast(tables, "ALS-PLS")[["p", "hedges_g", "adjusted_g"]].isna().all()


def test_a_covariate_without_spread_in_any_group(participants, tidy, values):
    people = participants.assign(age=np.repeat([0.1, 0.2, 0.3], [13, 5, 10]))
    tables = analyse(tidy(people, fa=values), people)
    check(tables)
    assert tables["demographics"].query("test == 'anova'")["p"].isna().all()


@pytest.mark.parametrize("unknown", [np.nan, None])
def test_a_covariate_that_nobody_has(participants, tidy, values, unknown):
    tables = analyse(tidy(participants, fa=values), participants.assign(site=unknown), covariates=["age", "site"])
    check(tables)
    site = tables["balance"].query("variable == 'site'")
    assert site["sentence"].str.contains("is missing in").all()


def test_an_effect_beyond_all_measure_has_finite_sizes(participants, tidy, values):
    values[IN_PLS] += 1e6
    tables = analyse(tidy(participants, fa=values), participants)
    check(tables)
    sizes = ["g_ci_low", "hedges_g", "g_ci_high", "adj_g_ci_low", "adjusted_g", "adj_g_ci_high"]
    row = contrast(tables, "PLS-control")[sizes].astype(float)
    assert (np.diff(row.iloc[:3]) > 0).all()
    assert (np.diff(row.iloc[3:]) > 0).all()


def test_one_residual_degree_of_freedom_has_a_p_but_no_adjusted_g(participants, tidy, values):
    kept = [0, 1, 13, 18]
    tables = analyse(tidy(participants.iloc[kept], fa=values[kept]), participants.iloc[kept], covariates=[])
    check(tables)
    row = contrast(tables, "ALS-control")
    assert row["df"] == 1
    assert np.isfinite(row["p"])
    assert "no adjusted g: one residual degree of freedom" in row["note"]


def test_more_terms_than_people(participants, tidy, values):
    kept = [0, 1, 13, 18]
    tables = analyse(tidy(participants.iloc[kept], fa=values[kept]), participants.iloc[kept])
    check(tables)
    assert "too few participants" in contrast(tables, "ALS-control")["note"]
