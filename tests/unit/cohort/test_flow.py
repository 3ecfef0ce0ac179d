"""The flow of participants: everybody is somewhere, once."""

import pandas as pd

from mndmri.cohort.flow import participant_flow
from mndmri.cohort.records import Scan, Study

SCAN = Scan("swi", {})
STUDY = Study(
    pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["ALS", "ALS", "control"]}),
    scans={"sub-01": {"t1w": SCAN, "swi": SCAN}, "sub-02": {"t1w": SCAN, "swi": SCAN}, "sub-03": {"t1w": SCAN}},
    left_out={"sub-03": {"swi": "no file in the dataset"}},
    bids_dir="",
    cases={f"sub-0{n}": n for n in range(1, 7)},
    excluded={
        "sub-01": {"swi": "excluded by reader: motion (AB)"},
        "sub-05": {"all": "excluded by reader: stroke (AB)"},
    },
)


def test_everybody_is_counted_at_each_step_and_who_is_lost_is_named():
    flow = participant_flow(STUDY, {"exclude": {"sub-04": "moved"}}, modalities=["t1w", "swi"])
    assert [(row["step"], row["n"]) for row in flow] == [
        ("in the participants table", 6),
        ("in no group of the study", 1),
        ("excluded in the config", 1),
        ("excluded by readers", 1),
        ("studied", 3),
        ("T1w: measured", 3),
        ("SWI: without", 1),
        ("SWI: excluded by readers", 1),
        ("SWI: measured", 1),
    ]
    who = {row["step"]: row["who"] for row in flow}
    assert who["excluded in the config"] == "sub-04: moved"
    assert who["SWI: excluded by readers"] == "sub-01: excluded by reader: motion (AB)"
    assert who["SWI: without"] == "sub-03: no file in the dataset"
    assert who["studied"] == ""


def test_study_of_tables_alone_has_no_scans_in_its_flow():
    study = Study(STUDY.participants, {}, {}, "", cases={f"sub-0{n}": n for n in range(1, 4)})
    flow = participant_flow(study, {"exclude": {}}, modalities=["t1w"])
    assert [row["step"] for row in flow] == ["in the participants table", "studied"]
