"""Stored norms of the motor band compared with the scans before anything is computed."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.cohort.band_norms import compare_with_norms, norms_files, read_norms_files
from mndmri.cohort.folders import expand_home
from mndmri.cohort.records import Scan, Study
from mndmri.io import InputError
from mndmri.tables.protocols import HOMODYNE_SWI, KIND, MAGNITUDE, VENDOR_SWI, protocol
from tests.running import ROOT

SIDECAR = {"EchoTime": 0.02, "MagneticFieldStrength": 3.0, "Manufacturer": "Siemens"}


def norms(kind: str, mean: float = 0.01, **changes) -> pd.DataFrame:
    """What of a table of cut-offs the comparison reads."""
    row = {"region": "precentral_hand", "mean": mean, "sd": 0.015}
    return pd.DataFrame([row | {KIND: kind, **protocol(kind, (1, 1, 3), [SIDECAR | changes])}])


@pytest.fixture
def study(tmp_path):
    """sub-01 and sub-02 have a magnitude, sub-03 magnitude and phase, sub-04 the scanner's SWI; sub-02 at 1.5 T."""
    roles = {"sub-01": ["magnitude"], "sub-02": ["magnitude"], "sub-03": ["magnitude", "phase"], "sub-04": ["swi"]}
    scans = {}
    for who, own in roles.items():
        files = {}
        for role in own:
            path = tmp_path / who / "anat" / f"{who}_part-{role}_GRE.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nb.save(nb.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.diag([1.0, 1.0, 3.0, 1.0])), path)
            field = 1.5 if who == "sub-02" else 3.0
            metadata = SIDECAR | {"MagneticFieldStrength": field}
            path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(metadata))
            files[role] = (str(path),)
        scans[who] = {"t1w": Scan("t1w", {}), "swi": Scan("swi", files)}
    people = pd.DataFrame({"participant_id": list(roles), "group": "ALS"})
    return Study(people, scans, {}, str(tmp_path))


def test_scans_of_another_protocol_are_named_with_what_differs(study):
    told = compare_with_norms(study, [norms(MAGNITUDE), norms(HOMODYNE_SWI, EchoTime=0.03), norms(VENDOR_SWI)])
    assert told == [
        "swi.norms: scanned otherwise than the controls of the norms (theirs in brackets): "
        "field strength 1.5 T (3 T): sub-02",
        "swi.norms: scanned otherwise than the controls of the norms (theirs in brackets): "
        "echo times 20 ms (30 ms): sub-03",
    ]


def test_people_of_another_kind_are_named_and_have_no_score(study):
    told = compare_with_norms(study, [norms(MAGNITUDE)])
    assert told[0] == (
        "swi.norms: no limits for vendor SWI of sub-04; homodyne SWI of sub-03: they have no motor band score"
    )


def test_who_is_located_without_a_t1w_image_has_no_limits_of_others(study):
    """The banks are placed otherwise, whatever the scan."""
    own = {**study.scans, "sub-01": {"swi": study.scans["sub-01"]["swi"]}}
    told = compare_with_norms(
        Study(study.participants, own, {}, study.bids_dir), [norms(k) for k in (MAGNITUDE, HOMODYNE_SWI, VENDOR_SWI)]
    )
    assert told[0] == (
        "swi.norms: no limits for magnitude, located without a T1w image of sub-01: they have no motor band score"
    )
    assert "sub-01" not in " ".join(told[1:])


def test_norms_of_a_kind_that_nobody_has_are_refused(study):
    alone = Study(study.participants, {"sub-04": study.scans["sub-04"]}, {}, study.bids_dir)
    with pytest.raises(InputError, match="scans of the kind magnitude, the study has vendor SWI of sub-04"):
        compare_with_norms(alone, [norms(MAGNITUDE)])


def test_what_is_not_known_is_said_and_not_called_different(study):
    unknown = norms(MAGNITUDE).assign(echo_times_ms=None, vendor=None)
    told = compare_with_norms(
        Study(study.participants, {"sub-01": study.scans["sub-01"]}, {}, study.bids_dir), [unknown]
    )
    assert told == [
        "swi.norms: not compared, as not known of both: echo times: sub-01",
        "swi.norms: not compared, as not known of both: scanner: sub-01",
    ]


def test_studies_that_lie_far_apart_are_told_of(study):
    near, far = ([norms(MAGNITUDE), norms(MAGNITUDE, mean)] for mean in (0.02, 0.03))
    told, more = (compare_with_norms(study, own) for own in (near, far))
    assert [line for line in more if line not in told] == [
        "swi.norms: the controls of the studies pooled differ in precentral_hand (magnitude): means 0.01, 0.03, "
        "standard deviation 0.015; the limits are as wide as that. Are their scans alike?"
    ]
    assert told == compare_with_norms(study, [norms(MAGNITUDE)])


def test_without_norms_nothing_is_said(study):
    assert compare_with_norms(study, []) == []


def test_a_path_or_a_list_may_be_given_each_file_once(tmp_path):
    assert norms_files({"swi": {"norms": None}}) == []
    assert norms_files({"swi": {"norms": "a.tsv"}}) == ["a.tsv"]
    assert norms_files({"swi": {"norms": ["a.tsv", "b.tsv"]}}) == ["a.tsv", "b.tsv"]
    path = tmp_path / "a.tsv"
    path.write_text("region\n")
    with pytest.raises(InputError, match="twice; name each study once"):
        read_norms_files({"swi": {"norms": [str(path), str(path)]}})
    with pytest.raises(InputError, match=r"no such file .*b\.tsv"):
        read_norms_files({"swi": {"norms": [str(tmp_path / "b.tsv")]}})
    with pytest.raises(InputError, match=r"a\.tsv: the norms of the motor band have no column modality"):
        read_norms_files({"swi": {"norms": str(path)}})


def test_the_home_folder_may_be_meant_in_a_path_and_in_a_list():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    for given, meant in (("~/a.tsv", str(Path.home() / "a.tsv")), (["~/a.tsv", "b.tsv"], None)):
        found = expand_home({"swi": {"norms": given}}, schema)["swi"]["norms"]
        assert found == (meant or [str(Path.home() / "a.tsv"), "b.tsv"])
