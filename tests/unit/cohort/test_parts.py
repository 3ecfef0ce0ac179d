"""Parts of a study: what is left of it, and what is refused."""

import pandas as pd
import pytest

from mndmri.cohort.parts import measured, narrow_config, narrow_study, part_asked_for
from mndmri.cohort.records import Scan, Study
from mndmri.io import InputError

CONFIG = {
    "measures": [],
    "tables": [{"file": "joined.tsv"}],
    "modalities": ["t1w", "dwi", "swi", "flair"],
    "measure_covariates": {"t1w volume": ["tiv"], "dwi fa": ["mean_fd"]},
    "statistics": {
        "primary": [{"modality": m, "measure": "x"} for m in ("t1w", "dwi", "swi", "qsm", "joined")],
        "alpha": 0.05,
    },
}


def study_of(*modalities):
    scans = {who: {name: Scan(name, {}) for name in own} for who, own in modalities}
    return Study(
        pd.DataFrame({"participant_id": list(scans)}),
        scans,
        {"sub-2": {"dwi": "no file", "swi": "no file"}},
        "bids",
        notes=("a note",),
        excluded={"sub-1": {"swi": "moved", "dwi": "moved"}},
        rated=("ratings.tsv",),
    )


@pytest.mark.parametrize(
    ("part", "modalities", "primary", "covariates"),
    [
        ("cst", ["t1w", "dwi"], ["dwi"], ["dwi fa"]),
        ("vbm", ["t1w"], ["t1w"], ["t1w volume"]),
        ("swi", ["t1w", "swi"], ["swi", "qsm"], []),
    ],
)
def test_a_part_keeps_of_the_config_what_is_said_of_its_modalities(part, modalities, primary, covariates):
    own = narrow_config(CONFIG, part)
    assert own["modalities"] == modalities
    assert [measure["modality"] for measure in own["statistics"]["primary"]] == primary
    assert list(own["measure_covariates"]) == covariates
    assert own["tables"] == [] and own["statistics"]["alpha"] == 0.05
    assert CONFIG["tables"] and len(CONFIG["statistics"]["primary"]) == 5


def test_a_part_keeps_the_t1w_image_and_its_own_scans():
    study = study_of(("sub-1", ("t1w", "dwi", "swi", "qsm", "r2star", "flair")), ("sub-2", ("t1w",)))
    own = narrow_study(study, "swi")
    assert {who: set(scans) for who, scans in own.scans.items()} == {
        "sub-1": {"t1w", "swi", "qsm", "r2star"},
        "sub-2": {"t1w"},
    }
    assert own.left_out == {"sub-2": {"swi": "no file"}}
    assert own.excluded == {"sub-1": {"swi": "moved"}}
    assert own.rated == ("ratings.tsv",) and narrow_study(study, "cst").rated == ()
    assert own.notes[0] == "a note" and "only the part swi" in own.notes[1]


def test_somebody_without_a_t1w_image_is_in_the_part_of_the_tract_alone():
    study = study_of(("sub-1", ("t1w", "dwi")), ("sub-2", ("dwi",)))
    assert set(narrow_study(study, "cst").scans["sub-2"]) == {"dwi"}
    assert set(narrow_study(study, "vbm").scans["sub-2"]) == set()


def test_a_part_of_which_nobody_has_a_scan_is_refused():
    with pytest.raises(InputError, match="swi: no participant has a usable scan of swi"):
        narrow_study(study_of(("sub-1", ("t1w", "dwi"))), "swi")


@pytest.mark.parametrize("targets", [[], ["statistics"], ["qc"], ["results/group/measures.tsv", "qc"]])
def test_other_targets_are_of_the_whole_study(targets):
    assert part_asked_for(targets, CONFIG) is None


@pytest.mark.parametrize("target", ["cst", "vbm", "swi", "qc"])
def test_nothing_is_measured_in_a_study_of_tables(target):
    with pytest.raises(InputError, match=f"{target}: nothing is measured from scans"):
        part_asked_for([target], CONFIG | {"measures": [{"file": "brought.tsv"}]})


def test_volumes_are_those_of_grey_matter_or_adjusted_for():
    assert measured("vbm", CONFIG)["volumes"]
    assert not measured("cst", narrow_config(CONFIG, "cst"))["volumes"]
    assert measured("cst", {"measure_covariates": {"dwi": ["tiv"]}})["volumes"]
    assert measured(None, CONFIG)["others"] and not measured("vbm", CONFIG)["others"]
