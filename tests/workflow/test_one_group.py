"""The config for gradient-echo magnitudes of one group alone, as it stands in the docs."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.running import ROOT
from tests.workflow.stubs import PEOPLE, add_gradient_echo

EXAMPLE = yaml.safe_load((ROOT / "config/t2star.example.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("people", [PEOPLE, PEOPLE[:1]], ids=["one group", "one person"])
def test_the_example_runs_for_one_group_and_for_one_person(snakemake, dataset, people):
    bids = Path(dataset["bids_dir"])
    for who in people:
        add_gradient_echo(bids, who, "T2starw")
    table = pd.DataFrame({"participant_id": people, "cohort": "VALDO-3", "slice_mm": 3})
    table.to_csv(bids / "participants.tsv", sep="\t", index=False)
    run = snakemake(EXAMPLE | {key: dataset[key] for key in ("bids_dir", "output_dir")})
    assert run.returncode == 0, run.stderr
    said = run.stdout + run.stderr
    assert f"Participants: {len(people)} healthy" in said and f"swi: {len(people)} of {len(people)}" in said
    assert "motor_band_cutoffs.tsv" in said and "motor_band_index.tsv" in said
