import re

import pytest

from mndmri.tables.names import contrast_label, file_names, variable_name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("swi", "dark_fraction", "precentral_leg", "L"), "swi_dark_fraction_precentral_leg_L"),
        (("ALSFRS-R",), "ALSFRS_R"),
        (("2nd visit (months)",), "x2nd_visit_months"),
        (("âge",), "age"),
        (("пол",), "u043fu043eu043b"),
    ],
)
def test_names_are_valid_variables(parts, name):
    assert variable_name(*parts) == name
    assert re.fullmatch(r"[A-Za-z][0-9A-Za-z_]*", name)


def test_a_contrast_has_letters_and_digits_alone():
    assert contrast_label("ALS-control") == "ALSminuscontrol"
    assert contrast_label("Später Beginn-HC_2") == "SpaterBeginnminusHC2"


HOSTILE = [
    "fa/../../../../PWNED",
    "/etc/passwd",
    "..",
    ".",
    "",
    "FVC/L",
    "C9+-control",
    "C9-control",
    "a" * 400,
    "a" * 399,
]
HOSTILE += ["CON", "x\ny", "x y", "X Y", r"$\frac{1}{$", "пол", "a_b", "a b", "a" * 99 + "é", "a2", "a", "A"]


@pytest.mark.parametrize("spell", [variable_name, contrast_label])
def test_a_file_name_stays_in_its_folder_and_is_nobody_elses(spell):
    names = file_names(HOSTILE, spell=spell)
    assert all(re.fullmatch(r"[A-Za-z][0-9A-Za-z_]{0,110}", name) for name in names)
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    assert file_names(HOSTILE, spell=spell) == names


def test_labels_that_are_spelt_alike_are_numbered_in_their_order():
    assert file_names(["C9+-control", "C9-control", "ALS-control"], spell=contrast_label) == [
        "C9minuscontrol",
        "C9minuscontrol2",
        "ALSminuscontrol",
    ]
