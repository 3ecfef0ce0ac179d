"""What a real person costs: CPU time and memory of every stage, as its log says."""

import pandas as pd
import pytest

from mndmri.jobs import cost_of_job
from tests.e2e.conftest import demo_config
from tests.running import finish

WHO = "sub-philips01"
BRANCHES = {
    "t1w": ("preprocess_t1w", "register_t1w", "segment_t1w"),
    "dwi": ("check_gradients", "preprocess_dwi", "fit_tensor", "extract_cst", "track_cst"),
    "swi": ("locate_regions", "map_susceptibility", "measure_swi", "measure_qsm", "unfold_sulcus"),
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
    whole = cost_of(tmp_path, WHO, BRANCHES)
    assert (whole["cpu_s"] < 8 * 60).all()
    assert (whole["peak_mb"] < 3072).all()


@pytest.mark.benchmark
def test_five_echoes_of_a_fine_scan_stay_within_eight_cpu_minutes_and_four_gigabytes(tmp_path):
    gre = {"voxel_mm": [0.8, 0.8, 1.5], "echo_times_ms": [6, 11, 16, 21, 26]}
    config = demo_config(tmp_path, gre=gre)
    prefix = f"{config['output_dir']}/sub-01/swi/sub-01_desc-"
    wanted = [f"{prefix}centralsulcus_strip.tsv", f"{prefix}susceptibility_measures.tsv"]
    finish(tmp_path, config, "--cores", "1", "--", *wanted)
    branch = {"swi": (*BRANCHES["swi"], "map_relaxation")}
    whole = cost_of(tmp_path, "sub-01", branch)
    assert (whole["cpu_s"] < 8 * 60).all()
    assert (whole["peak_mb"] < 4096).all()


@pytest.mark.benchmark
def test_thirty_two_directions_of_two_millimetres_stay_within_eight_cpu_minutes_and_three_gigabytes(tmp_path):
    dwi = {"voxel_mm": 2.0, "n_directions": 32, "reverse_b0": True, "field_hz": 40.0, "motion_deg": 1.0}
    config = demo_config(tmp_path, dwi=dwi, missing={"dwi": 0, "swi": 0})
    config["dwi"] |= {"denoise": True, "gibbs": True, "distortion": "auto"}
    prefix = f"{config['output_dir']}/sub-01/dwi/sub-01_desc-"
    finish(tmp_path, config, "--cores", "1", "--", f"{prefix}dwi_qc.tsv", f"{prefix}tracked_qc.tsv")
    whole = cost_of(tmp_path, "sub-01", {"dwi": BRANCHES["dwi"]})
    assert (whole["cpu_s"] < 8 * 60).all()
    assert (whole["peak_mb"] < 3072).all()


def cost_of(folder, who, branches):
    """CPU seconds and peak memory of each branch, printed rule by rule."""
    cost = pd.DataFrame(
        [
            {"branch": branch, "rule": rule, **cost_of_job(folder / f"results/logs/{rule}/{who}.log")._asdict()}
            for branch, rules in branches.items()
            for rule in rules
        ]
    )
    print(f"\n{cost.to_string(index=False)}")
    whole = cost.groupby("branch").agg(cpu_s=("cpu_s", "sum"), peak_mb=("peak_mb", "max"))
    print(f"\n{whole}")
    return whole
