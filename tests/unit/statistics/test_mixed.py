"""The site as a random intercept, beside the mean of the sites."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from mndmri.statistics.sites import site_effects

GROUPS = ["ALS", "control"]
KEY = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "status": "ok"}
OPTIONS = {"groups": GROUPS, "reference": "control", "site": "site"}


def study(sizes, shift, *, seed=1, difference=1.0, varies=0.0):
    """Participants and one measure at sites, ``sizes`` of each group at each."""
    rng = np.random.default_rng(seed)
    rows = []
    for site, (own, size) in enumerate(zip(shift, sizes, strict=True)):
        here = difference + varies * rng.standard_normal()
        for group, n in zip(GROUPS, size, strict=True):
            rows += [("s" + str(site), group, own + here * (group == "ALS") + rng.standard_normal()) for _ in range(n)]
    people = pd.DataFrame(rows, columns=["site", "group", "value"])
    people["participant_id"] = [f"sub-{n:03d}" for n in range(len(people))]
    return people, people[["participant_id", "value"]].assign(**KEY)


def whole(people, measures):
    return site_effects(measures, people, **OPTIONS).set_index("site").loc["all"]


def test_with_as_many_of_each_group_at_each_site_it_is_the_model_with_fixed_sites():
    """In a balanced design the random intercept takes no information from between the sites."""
    people, _ = study([(8, 8)] * 4, [0, 3, -2, 5])
    # the same errors in both groups, so that their variances are estimated to be the same
    controls = people.loc[people["group"] == "control", "value"].to_numpy()
    people.loc[people["group"] == "ALS", "value"] = controls + 1.0
    row = whole(people, people[["participant_id", "value"]].assign(**KEY))
    fixed = smf.ols("value ~ C(group, Treatment('control')) + site", people).fit()
    name = "C(group, Treatment('control'))[T.ALS]"
    assert row["mixed_estimate"] == pytest.approx(fixed.params[name])
    assert [row["mixed_ci_low"], row["mixed_ci_high"]] == pytest.approx(list(fixed.conf_int().loc[name]), rel=1e-4)
    assert row["mixed_p"] == pytest.approx(fixed.pvalues[name], rel=1e-3)


def test_groups_that_vary_differently_are_no_difference():
    """Of 13, 5 and 10 at a site the 5 have three times the SD: by one variance for all, 25% of such studies had one."""
    rng = np.random.default_rng(17)
    rows = [(f"s{s}", own) for s in range(3) for own, n in (("ALS", 13), ("PLS", 5), ("control", 10)) for _ in range(n)]
    people = pd.DataFrame(rows, columns=["site", "group"])
    people["participant_id"] = [f"sub-{n:03d}" for n in range(len(people))]
    sd = people["group"].map({"ALS": 1, "PLS": 3, "control": 1})
    tables = [
        people[["participant_id"]].assign(**KEY | {"measure": f"m{n}"}, value=sd * rng.normal(size=len(people)))
        for n in range(60)
    ]
    options = OPTIONS | {"groups": ["ALS", "PLS", "control"], "contrasts": [["PLS", "control"]], "pooled": False}
    found = site_effects(pd.concat(tables), people, **options).query("site == 'all'")
    assert len(found) == 60 and (found["mixed_p"] < 0.05).mean() < 0.12


def test_a_site_with_one_group_alone_counts_in_the_model():
    people, measures = study([(8, 8), (8, 8), (12, 0)], [0, 0.5, 0.2])
    row = whole(people, measures)
    assert row["n_sites"] == 2
    without = people["site"] != "s2"
    alone = whole(people[without], measures)
    assert row["estimate"] == pytest.approx(alone["estimate"])
    assert row["mixed_estimate"] != pytest.approx(alone["mixed_estimate"])


def test_a_sentence_says_so_where_the_two_disagree():
    people, measures = study([(12, 12)] * 2, [0, 4], difference=1.5, varies=0.5, seed=3)
    row = whole(people, measures)
    assert row["ci_low"] < 0 < row["mixed_ci_low"]
    assert "the model with a random intercept differs from 0, the mean of the sites does not" in row["note"]
    people, measures = study([(12, 12)] * 5, [0, 4, 1, 2, 3], difference=2.0)
    assert "random intercept" not in whole(people, measures)["note"]


def test_one_site_or_a_measure_without_spread_has_no_such_model():
    people, measures = study([(8, 8), (8, 8)], [0, 1])
    flat = whole(people, measures.assign(value=1.0))
    assert np.isnan(flat["mixed_estimate"])
    assert "no model with a random intercept: every value is the same" in flat["note"]
    alone = whole(people.assign(site="s0"), measures)
    assert np.isnan(alone["mixed_estimate"])
    assert "no model with a random intercept: one site" in alone["note"]


def test_sites_that_do_not_differ_have_the_model_of_everybody():
    """The variance of the sites is estimated as zero in most of these, and the fit must not be lost."""
    for seed in range(30):
        people, measures = study([(7, 6)] * 3, [0, 0, 0], seed=seed)
        row = whole(people, measures)
        plain = smf.ols("value ~ C(group, Treatment('control'))", people).fit()
        assert row["mixed_estimate"] == pytest.approx(plain.params.iloc[1], abs=1e-3)  # balanced


def test_a_contrast_without_data_says_why_it_has_no_model():
    people, measures = study([(8, 8), (8, 8)], [0, 1])
    options = OPTIONS | {"groups": ["ALS", "PLS", "control"], "pooled": False}
    rows = site_effects(measures, people, **options).query("site == 'all'").set_index("contrast")
    assert "no model with a random intercept: a group of the contrast has no data" in rows.at["PLS-control", "note"]
    assert np.isfinite(rows.at["ALS-control", "mixed_estimate"])
