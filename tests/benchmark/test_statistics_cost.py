"""What the statistics of a large study cost."""

import time

import numpy as np
import pandas as pd
import pytest

from mndmri.jobs import cost_of_job
from tests.running import finish

PEOPLE, MEASURES = 1000, 200


@pytest.mark.benchmark
def test_a_thousand_participants_with_two_hundred_measures_take_two_minutes_on_two_cores(tmp_path):
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"participant_id": [f"sub-{n:04d}" for n in range(PEOPLE)]})
    people["group"] = rng.choice(["ALS", "PLS", "control"], PEOPLE, p=[0.5, 0.2, 0.3])
    people["age"], people["sex"] = rng.normal(60, 9, PEOPLE).round(), rng.choice(["F", "M"], PEOPLE)
    people["site"], people["umn_left"] = rng.choice(list("abc"), PEOPLE), rng.integers(0, 9, PEOPLE)
    people.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    names = [(f"fa{n // 2}", "LR"[n % 2]) for n in range(MEASURES)]
    tables = [
        people[["participant_id"]].assign(
            modality="dwi", measure="fa", region=region, hemi=hemi, value=rng.standard_normal(PEOPLE)
        )
        for region, hemi in names
    ]
    pd.concat(tables).to_csv(tmp_path / "measures.tsv", sep="\t", index=False)
    primary = [{"modality": "dwi", "measure": "fa", "region": region, "hemi": hemi} for region, hemi in names[:6]]
    config = {
        "output_dir": str(tmp_path / "results"),
        "participants": str(tmp_path / "people.tsv"),
        "measures": str(tmp_path / "measures.tsv"),
        "site": "site",
        "clinical_scores": ["umn_left"],
        "clinical_sides": {"umn_left": "L"},
        "statistics": {"primary": primary},
    }
    begin = time.monotonic()
    finish(tmp_path, config, "--cores", "2", "statistics")
    took = time.monotonic() - begin
    logs = sorted((tmp_path / "results/logs").glob("*/study.log"))
    cost = pd.DataFrame([{"rule": log.parent.name, **cost_of_job(log)._asdict()} for log in logs])
    print(f"\n{cost.to_string(index=False)}\nwhole: {took:.0f} s")
    assert took < 120
