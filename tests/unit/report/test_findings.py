"""What was found is said with its numbers, and no more than the tables say."""

import numpy as np
import pandas as pd
import pytest

from mndmri.report.findings import describe_findings

GROUPS = ["ALS", "PLS", "control"]
PAIRS = ["ALS-PLS", "ALS-control", "PLS-control"]
BEYOND = ("no difference", "diagnos", "patient", "healthy", "normal", "signific", "effect", "damage")


def comparisons(confirmatory, *, groups=GROUPS, primary="yes", **changes):
    """Reported tests of FA in the left tract: all groups, the pairs and all patients, as a study has them."""
    row = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "n_missing": 0}
    row |= {f"n_{group}": 5 for group in groups} | {"primary": primary, "reported": "yes"}
    row |= {"estimate": -0.05, "ci_low": -0.08, "ci_high": -0.02, "p": 0.001, "p_confirmatory": np.nan} | changes
    rows = [row | {"contrast": "group"}, row | {"contrast": "patients-control"}]
    rows += [row | {"contrast": name, "p_confirmatory": p} for name, p in confirmatory.items()]
    # neither another test nor another measure is of the family, whatever their p
    rows += [row | {"contrast": "ALS-control", "reported": "no", "p_confirmatory": 0.0}]
    rows += [row | {"contrast": "ALS-control", "region": "cst_plic", "primary": "no"}]
    return pd.DataFrame(rows)


def signs(counts, *, source="automated", p=0.286, test="fisher_freeman_halton"):
    rows = [
        {"source": source, "group": group, "n": n, "n_assessable": n, "n_present": k,
         "percent": 100 * k / n if n else np.nan, "ci_low": 1.0, "ci_high": 99.0}
        for group, (k, n) in counts.items()
    ]  # fmt: skip
    tests = [{"test": test, "contrast": "group", "p": p}, {"test": "fisher", "contrast": "ALS-control", "p": 0.777}]
    return pd.DataFrame(rows + [own | {"source": source, "group": "all", "n_assessable": 10} for own in tests])


def test_none_confirmed_is_said_so_and_not_that_nothing_differs():
    told = " ".join(describe_findings(comparisons(dict.fromkeys(PAIRS, 0.06)), alpha=0.05))
    assert "Of 3 primary comparisons (1 measure, 3 pairs of groups), none is confirmed at α = 0.05" in told
    assert "does not show that groups are equal" in told
    assert "0.05" not in told.replace("α = 0.05", "")  # no estimate of what is not confirmed
    assert not [word for word in BEYOND if word in told.lower()]


def test_what_is_confirmed_is_named_with_difference_interval_and_p_and_nothing_else_is():
    table = comparisons({"ALS-PLS": 0.9, "ALS-control": 0.2, "PLS-control": 0.012})
    told = " ".join(describe_findings(table))
    assert "Of 3 primary comparisons (1 measure, 3 pairs of groups), 1 is confirmed at α = 0.05" in told
    assert "DWI FA, CST, left, PLS minus control −0.0500 [−0.0800, −0.0200], p confirmatory 0.012." in told
    assert "difference [95% CI]" in told
    assert "ALS minus" not in told and "PLIC" not in told
    assert "the others are not confirmed does not show that groups are equal" in told


def test_all_confirmed_leaves_nothing_to_warn_of_and_a_p_equal_to_alpha_is_confirmed():
    told = describe_findings(comparisons(dict.fromkeys(PAIRS, 0.1)), alpha=0.1)
    assert len(told) == 1
    assert "3 are confirmed at α = 0.1" in told[0] and "90% CI" in told[0]


def test_two_measures_and_units_are_counted_and_named():
    volume = comparisons({"ALS-control": 0.0004}, measure="volume", modality="t1w", region="precentral", unit="ml")
    (told, _) = describe_findings(pd.concat([comparisons({"ALS-control": 0.5}), volume]))
    assert "Of 2 primary comparisons (2 measures, 1 pair of groups), 1 is confirmed" in told
    assert (
        "T1w volume, precentral, left, ALS minus control −0.0500 [−0.0800, −0.0200] ml, p confirmatory <0.001" in told
    )


def test_a_comparison_that_could_not_be_computed_is_no_negative_result():
    told = describe_findings(comparisons({"ALS-control": 0.5, "ALS-PLS": np.nan, "PLS-control": np.nan}))
    assert told[0].startswith("Of 1 primary comparison (1 measure, 1 pair of groups), none is confirmed")
    assert told[-1].startswith("2 primary comparisons could not be computed")
    nothing = describe_findings(comparisons(dict.fromkeys(PAIRS, np.nan)))
    assert nothing[0] == "No primary comparison could be computed: nothing is confirmed."
    assert "equal" not in " ".join(nothing)


def test_a_study_without_a_declared_family_is_exploratory_whatever_its_p():
    told = describe_findings(comparisons(dict.fromkeys(PAIRS, np.nan), primary="no", p=1e-9))
    assert told == ["No primary measure was compared: every result is exploratory."]


def test_one_group_alone_has_its_prevalence_and_no_comparison():
    table = comparisons({}, groups=["ALS"]).iloc[:1].assign(p=np.nan)
    told = describe_findings(table, signs({"ALS": (3, 4)}, p=np.nan))
    assert told == [
        "One group was studied (ALS): there is no comparison.",
        "Motor band sign (automated), of those assessable (percent [95% CI]): ALS 3 of 4 (75.0 [1.0, 99.0]%).",
    ]
    assert describe_findings(pd.DataFrame()) == ["There is no comparison."]


def test_the_motor_band_sign_has_its_counts_and_the_exact_p_of_all_groups():
    table = pd.concat(
        [signs({"ALS": (3, 4), "PLS": (2, 3), "control": (0, 3)}), signs({"ALS": (1, 4)}, source="rated")]
    )
    automated, rated = describe_findings(comparisons(dict.fromkeys(PAIRS, 0.06)), table)[2:]
    assert "(automated)" in automated and "(rated)" in rated
    assert (
        "ALS 3 of 4 (75.0 [1.0, 99.0]%), PLS 2 of 3" in automated and "control 0 of 3 (0.0 [1.0, 99.0]%)" in automated
    )
    assert automated.endswith("all groups: exact p = 0.286 (Fisher-Freeman-Halton, not corrected).")
    assert "0.777" not in automated


@pytest.mark.parametrize(
    ("p", "test", "expected"), [(1e-5, "fisher_freeman_halton", "exact p < 0.001"), (0.2, "chi2", ": p = 0.200 (χ²")]
)
def test_a_test_that_is_not_exact_is_not_called_so(p, test, expected):
    assert expected in describe_findings(pd.DataFrame(), signs({"ALS": (3, 4)}, p=p, test=test))[1]


def test_a_study_of_brought_tables_has_no_word_on_a_sign_that_it_has_not_measured():
    table = signs({"ALS": (0, 0), "control": (0, 0)}, p=np.nan)
    told = describe_findings(comparisons({"ALS-control": 0.5}, modality="7T", groups=["ALS", "control"]), table)
    assert "band" not in " ".join(told)
    assert told == describe_findings(comparisons({"ALS-control": 0.5}, groups=["ALS", "control"]), None)
