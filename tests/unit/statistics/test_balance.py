"""Balance of the groups: numbers against R, and a sentence that is right in every case."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics.balance import balance_dictionary, balance_table
from mndmri.tables.dictionaries import column_names

PAIR = ["ALS", "control"]


def people(first, second, *, name="x"):
    """ALS with these values, controls with those."""
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(len(first) + len(second))],
            "group": np.repeat(PAIR, [len(first), len(second)]),
            name: [*first, *second],
        }
    )


def balance(first, second, *, name="x", **options):
    settings = {"groups": PAIR, "reference": "control", "covariates": [name]} | options
    return balance_table(people(first, second, name=name), **settings).iloc[0]


def test_numbers_have_the_smd_of_austin_and_the_p_of_welch():
    """In R.

    a <- c(61.2, 55.4, 67.8, 70.1, 49.9, 63.3); b <- c(57.1, 64.9, 52.3, 69.4, 61.8, 55.0, 48.0)
    c((mean(a) - mean(b)) / sqrt((var(a) + var(b)) / 2), t.test(a, b)$p.value)
    """
    row = balance([61.2, 55.4, 67.8, 70.1, 49.9, 63.3], [57.1, 64.9, 52.3, 69.4, 61.8, 55.0, 48.0])
    assert row[["smd", "p"]].tolist() == pytest.approx([0.3888420238, 0.4999154372], rel=1e-8)
    assert row["difference"] == row["first"] - row["second"]
    assert row["test"] == "welch"


def test_two_levels_have_the_smd_of_their_shares_and_the_exact_p():
    """In R.

    p <- 4 / 6; q <- 3 / 7; (p - q) / sqrt((p * (1 - p) + q * (1 - q)) / 2)
    fisher.test(matrix(c(4, 2, 3, 4), 2))$p.value
    """
    row = balance(list("MMMMFF"), list("MMMFFFF"))
    assert row[["smd", "p"]].tolist() == pytest.approx([0.4926646391, 0.5920745921], rel=1e-8)
    assert row[["level", "test"]].tolist() == ["M", "fisher_freeman_halton"]
    assert row[["first", "second"]].tolist() == pytest.approx([400 / 6, 300 / 7])


def test_several_levels_have_the_largest_smd_of_any():
    row = balance(list("aaaabbbbcc"), list("aabbbbcccc"))
    assert row["level"] in "ac"
    assert abs(row["smd"]) == pytest.approx(0.2 / np.sqrt((0.4 * 0.6 + 0.2 * 0.8) / 2))
    shares = balance(list("aaaaaabbcc"), list("abbbbbbccc"))
    assert shares[["level", "first", "second"]].tolist() == ["a", 60, 10]


AGES = [50.0, 55, 60, 65, 70]


@pytest.mark.parametrize(
    ("first", "second", "options", "sentence"),
    [
        (
            np.add(AGES, 6.2),
            AGES,
            {"name": "age", "age": "age"},
            "ALS are 6.2 years older than control (SMD 0.78, p = 0.25), which is not significant in groups of "
            "this size: age is in the model",
        ),
        (
            np.subtract(AGES * 9, 6.2),
            AGES * 9,
            {"name": "age", "age": "age"},
            "ALS are 6.2 years younger than control (SMD -0.87, p < 0.001): age is in the model",
        ),
        (
            np.add(AGES, 60),
            AGES,
            {"name": "age", "age": "age", "covariates": []},
            "ALS are 60.0 years older than control (SMD 7.59, p < 0.001), and their ranges do not overlap: "
            "age is not in the model, see the sensitivity table",
        ),
        (AGES, AGES, {"name": "age", "age": "age"}, "ALS and control are balanced in age (mean 60 and 60, SMD 0.00)"),
        (
            np.add(AGES, 0.2),
            AGES,
            {"name": "bmi"},
            "ALS and control are balanced in bmi (mean 60.2 and 60, SMD 0.03)",
        ),
        (
            np.multiply(AGES, 2),
            AGES,
            {"name": "education"},
            "ALS have a higher education than control (mean 120 and 60, SMD 4.80, p < 0.001), and their ranges do not "
            "overlap: education is in the model",
        ),
        (
            AGES,
            np.multiply(AGES, 2),
            {"name": "education"},
            "ALS have a lower education than control (mean 60 and 120, SMD -4.80, p < 0.001), and their ranges do not "
            "overlap: education is in the model",
        ),
        (
            [72.0],
            AGES,
            {"name": "age", "age": "age"},
            "ALS are 12.0 years older than control, without variation to compare it with: age is in the model",
        ),
        (
            [60.0],
            AGES,
            {"name": "age", "age": "age"},
            "ALS and control are balanced in age (mean 60 and 60)",
        ),
        (
            [1.0, 1.0],
            [2.0, 2.0, 2.0],
            {"name": "coil"},
            "ALS have a lower coil than control (mean 1 and 2), without variation to compare it with, and their ranges "
            "do not overlap: coil is in the model",
        ),
        ([3.0, 3.0], [3.0, 3.0], {"name": "tesla"}, "tesla is the same in all ALS and control (3)"),
        (["F", "F"], ["F"], {"name": "sex", "sex": "sex"}, "sex is the same in all ALS and control (F)"),
        (
            list("MMMMMF") * 8,
            list("MFFFFF") * 8,
            {"name": "sex", "sex": "sex", "covariates": []},
            "sex is M in 83% of ALS and 17% of control (SMD 1.79, p < 0.001): sex is not in the model",
        ),
        (
            list("MMF"),
            list("MFF"),
            {"name": "sex"},
            "sex is M in 67% of ALS and 33% of control (SMD 0.71, p = 1), which is not significant in groups of "
            "this size: sex is in the model",
        ),
        (
            list("MF"),
            list("MFMF"),
            {"name": "sex"},
            "ALS and control are balanced in sex (F in 50% of ALS and 50% of control, SMD 0.00)",
        ),
        (
            ["Linz", "Graz"],
            ["Łódź", "Wien"],
            {"name": "site", "site": "site"},
            "ALS and control have no site in common: a difference between them may be caused by site, which no model "
            "can separate",
        ),
        (
            ["1", "1", "2"] * 20,
            ["1", "2", "2"] * 20,
            {"name": "site", "site": "site", "covariates": []},
            "site is 1 in 67% of ALS and 33% of control (SMD 0.71, p < 0.001): site is not in the model, "
            "see the sensitivity table",
        ),
        (
            [np.nan, np.nan],
            AGES,
            {"name": "age"},
            "age is missing in ALS: ALS and control cannot be compared",
        ),
        (
            [None],
            [None],
            {"name": "sex"},
            "sex is missing in ALS and control: ALS and control cannot be compared",
        ),
    ],
)
def test_the_sentence_is_right(first, second, options, sentence):
    assert balance(list(first), list(second), **options)["sentence"] == sentence


@pytest.mark.parametrize(
    ("sign", "word"),
    [(1, "ALS move more than control"), (-1, "ALS move less than control")],
)
def test_who_moves_more_is_said_whatever_the_order_of_motion(sign, word):
    table = people([60.0] * 10, [60.0] * 10)
    fd = 0.3 + sign * np.repeat([0.1, 0.0], 10) + np.tile(np.linspace(0, 0.05, 10), 2)
    motion = pd.Series(fd, table["participant_id"]).sample(frac=1, random_state=0)
    row = balance_table(table, groups=PAIR, reference="control", motion=motion).iloc[0]
    assert row["variable"] == "head motion"
    assert row["sentence"].startswith(word + " (mean ")
    assert row["sentence"].endswith(": head motion is not in the model, see the sensitivity table")


def test_all_patients_together_are_called_patients_and_who_is_missing_is_counted(participants):
    participants.loc[[0, 13], "age"] = np.nan
    participants.loc[20, "age"] = np.inf
    groups = ["ALS", "PLS", "control"]
    table = balance_table(participants, groups=groups, reference="control", covariates=["age", "sex"], site="site")
    assert table["variable"].unique().tolist() == ["age", "sex", "site"]
    assert table["contrast"].unique().tolist() == ["ALS-PLS", "ALS-control", "PLS-control", "patients-control"]
    row = table.query("variable == 'age' and contrast == 'patients-control'").iloc[0]
    assert row[["n_first", "n_second", "n_missing"]].tolist() == [16, 9, 3]
    assert row["note"] == "left out: no age (3)"
    assert "patients" in row["sentence"]
    assert table["in_model"].tolist() == ["yes"] * 8 + ["no"] * 4


def test_the_order_of_people_decides_nothing(participants):
    options = {"groups": ["ALS", "PLS", "control"], "reference": "control", "covariates": ["age", "sex", "site"]}
    shuffled = participants.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(balance_table(participants, **options), balance_table(shuffled, **options))


def test_columns_are_all_explained(participants):
    table = balance_table(participants, groups=PAIR, reference="control", covariates=["age"])
    assert list(table.columns) == column_names(balance_dictionary())


def test_what_is_wrong_with_the_input_is_named(participants):
    with pytest.raises(InputError, match="no column scanner"):
        balance_table(participants, groups=PAIR, reference="control", site="scanner")


def test_a_correction_of_some_participants_alone_is_compared_between_the_groups():
    given = people([1, 2, 3, 4], [1, 2, 3, 5])
    settings = {"groups": PAIR, "reference": "control", "covariates": []}
    corrected = pd.Series(["yes", "yes", "yes", "no", "no", "no", "no", "no"], given["participant_id"])
    row = balance_table(given, corrected=corrected, **settings).set_index("variable").loc["distortion_corrected"]
    assert row[["level", "first", "second"]].tolist() == ["yes", 75, 0]
    assert "distortion_corrected is not in the model" in row["sentence"]
    apart = pd.Series(["yes"] * 4 + ["no"] * 4, given["participant_id"])
    told = balance_table(given, corrected=apart, **settings).set_index("variable")["sentence"]
    assert "no model can separate" in told["distortion_corrected"]
    same = balance_table(given, corrected=apart.replace("no", "yes"), **settings)
    assert "distortion_corrected" not in set(same["variable"])
