"""Names of participants and of their visits."""

import pytest

from mndmri.io import InputError, by_participant, by_unit
from mndmri.units import folder_of, name_unit, named_after, person_of, split_unit, unit_of, wildcards_of


@pytest.mark.parametrize(
    ("unit", "pair", "folder", "wildcards"),
    [
        ("sub-01", ("sub-01", ""), "sub-01", {"subject": "01"}),
        ("sub-01_ses-02", ("sub-01", "ses-02"), "sub-01/ses-02", {"subject": "01", "session": "02"}),
    ],
)
def test_a_unit_has_a_name_a_folder_and_wildcards(unit, pair, folder, wildcards):
    assert split_unit(unit) == pair and name_unit(*pair) == unit and person_of(unit) == pair[0]
    assert folder_of(unit) == folder
    assert wildcards_of(unit) == wildcards and unit_of(wildcards) == unit


def test_files_are_named_after_their_unit():
    for unit in ("sub-01", "sub-01_ses-02"):
        for name in (f"{unit}_measures.tsv", f"{unit}.html", f"{unit}_desc-a_dwi.nii.gz", f"{unit}_thumbnails"):
            assert named_after(name) == unit


def test_files_of_two_visits_are_of_one_participant():
    paths = ["a/sub-01_ses-01_measures.tsv", "a/sub-01_ses-02_measures.tsv"]
    assert list(by_unit(paths)) == ["sub-01_ses-01", "sub-01_ses-02"]
    with pytest.raises(InputError, match="are both of sub-01; expected one file for each participant"):
        by_participant(paths)
    with pytest.raises(InputError, match="are both of sub-01_ses-01; expected one file for each participant and visit"):
        by_unit([*paths, "b/sub-01_ses-01_qc.tsv"])
