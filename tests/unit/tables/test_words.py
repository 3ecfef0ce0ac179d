"""How names and numbers are written for a reader."""

import numpy as np
import pytest

from mndmri.tables.words import (
    capitalised,
    readable,
    readable_interval,
    readable_number,
    readable_p,
    readable_place,
    readable_test,
    readable_unit,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cst_plic", "CST PLIC"),
        ("normalised_hypointensity", "normalised hypointensity"),
        ("chi_mean", "χ mean"),
        ("t1w", "T1w"),
    ],
)
def test_names_are_words_and_acronyms_are_capitals(name, text):
    assert readable(name) == text


def test_capitals_are_given_to_words_and_not_to_symbols():
    assert capitalised("volume, precentral") == "Volume, precentral"
    assert capitalised("χ mean") == "χ mean"
    assert capitalised("") == ""


def test_side_is_written_out():
    assert readable_place("precentral", "L") == "precentral, left"
    assert readable_place("precentral", "R") == "precentral, right"
    assert readable_place("cc_midbody", "both") == "CC midbody"


def test_a_ratio_has_no_unit():
    assert readable_unit("1") == readable_unit(float("nan")) == ""
    assert readable_unit("1e-3 mm2/s") == "10⁻³ mm²/s"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1234"), (-0.01234, "−0.0123"), (np.nan, "n/a"), (None, "n/a"), (2e-7, "2.00e−07")],
)
def test_numbers_have_three_significant_digits_and_a_real_minus(value, text):
    assert readable_number(value) == text


def test_interval_keeps_the_sign_of_its_ends():
    assert readable_interval(-0.72, -1.45, -0.02) == "−0.72 [−1.45, −0.02]"
    assert readable_interval(np.nan, np.nan, np.nan) == "n/a"
    assert readable_interval(1.5, np.nan, 2.0) == "1.50 [n/a]"
    assert readable_interval(-0.0001, -2.0, 2.0) == "0.00 [−2.00, 2.00]"
    assert readable_interval(-2.0, -7.3075200000e31, 7.3e31) == "−2.00 [−7.31e+31, 7.30e+31]"


def test_small_p_values_are_not_zero():
    assert readable_p(0.00021) == "<0.001"
    assert readable_p(0.0123) == "0.012"
    assert readable_p(np.nan) == "n/a"


def test_tests_are_named_as_in_papers():
    assert readable_test("ancova") == "ANCOVA"
    assert readable_test("some_test") == "some test"
