"""The table of bugs is in step with the code."""

from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, place_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_has_one_place_in_the_code(mutant):
    assert mutant.was != mutant.becomes
    place_of(mutant, ROOT)


def test_each_bug_has_a_name_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
