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
    assert [row["modality"] for row in flow] == [""] * 5 + ["t1w"] + ["swi"] * 3
    lost = {row["step"]: row["lost"] for row in flow}
    assert lost["excluded in the config"] == {"moved": ["sub-04"]}
    assert lost["SWI: excluded by readers"] == {"excluded by reader: motion (AB)": ["sub-01"]}
    assert lost["SWI: without"] == {"no file in the dataset": ["sub-03"]}
    assert lost["studied"] == {}


def test_people_lost_for_one_reason_stand_together():
    flow = participant_flow(
        STUDY, {"exclude": {"sub-04": "moved", "sub-05": "metal", "sub-06": "moved"}}, modalities=[]
    )
    (lost,) = [row["lost"] for row in flow if row["step"] == "excluded in the config"]
    assert lost == {"moved": ["sub-04", "sub-06"], "metal": ["sub-05"]}


def test_study_of_tables_alone_has_no_scans_in_its_flow():
    study = Study(STUDY.participants, {}, {}, "", cases={f"sub-0{n}": n for n in range(1, 4)})
    flow = participant_flow(study, {"exclude": {}}, modalities=["t1w"])
    assert [row["step"] for row in flow] == ["in the participants table", "studied"]
