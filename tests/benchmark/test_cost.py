"""What a real person costs: CPU time and memory of every stage, from Snakemake's own benchmarks."""

from pathlib import Path

import pandas as pd
import pytest

from tests.running import finish

WHO = "sub-philips01"
BRANCHES = {
    "t1w": ("preprocess_t1w", "register_t1w", "segment_t1w"),
    "dwi": ("preprocess_dwi", "fit_tensor", "extract_cst"),
    "swi": ("preprocess_swi", "measure_swi"),
}


@pytest.mark.benchmark
def test_every_branch_stays_within_eight_cpu_minutes_and_three_gigabytes(real_data, tmp_path):
    people = {"participant_id": [WHO, "sub-iu01"], "group": ["control", "ALS"], "age": [40, 50], "sex": "F"}
    table = pd.DataFrame(people)
    table.to_csv(tmp_path / "participants.tsv", sep="\t", index=False)
    config = {
        "bids_dir": str(real_data / "real"),
        "output_dir": str(tmp_path / "results"),
        "participants": str(tmp_path / "participants.tsv"),
        "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
    }
    wanted = [f"{tmp_path}/results/{WHO}/{WHO}_measures.tsv"]
    finish(tmp_path, config, "--cores", "1", "--", *wanted)
    rows = []
    for branch, rules in BRANCHES.items():
        found = [pd.read_csv(benchmark(tmp_path, rule), sep="\t").assign(rule=rule, branch=branch) for rule in rules]
        rows += found
    cost = pd.concat(rows)[["branch", "rule", "s", "cpu_time", "max_rss"]]
    print(f"\n{cost.to_string(index=False)}")
    whole = cost.groupby("branch").agg(cpu_s=("cpu_time", "sum"), peak_mb=("max_rss", "max"))
    print(f"\n{whole}")
    assert (whole["cpu_s"] < 8 * 60).all()
    assert (whole["peak_mb"] < 3072).all()


def benchmark(folder: Path, rule: str) -> Path:
    """Snakemake's benchmark of a participant's rule."""
    return folder / "results/benchmarks" / rule / f"{WHO}.tsv"
