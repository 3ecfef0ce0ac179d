"""Which commands run the demo study, and that nothing else does."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from mndmri.cohort.config import resolve_config
from mndmri.phantom.plan import plan_visits
from mndmri.units import folder_of, named_after
from tests.running import ROOT, environment
from tests.workflow.stubs import StubStudy

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
COARSE, FULL, VISITS = (
    yaml.safe_load((ROOT / "config" / name).read_text())
    for name in ("config.yaml", "demo-full.yaml", "demo-visits.yaml")
)


def snakemake(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd, env=environment())


def merged(changes: dict) -> dict:
    """Config of the demo with these keys in the place of its own."""
    update_config(config := copy.deepcopy(COARSE), changes)
    return resolve_config(config, SCHEMA)


def leaves(block: dict, *above: str):
    """Every key of nested blocks, and its value."""
    for key, value in block.items():
        if isinstance(value, dict) and key != "groups":
            yield from leaves(value, *above, key)
        else:
            yield (*above, key), value


def test_in_somebodys_own_folder_nobody_is_simulated_unasked(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text((ROOT / "config/config.yaml").read_text())
    for arguments, cwd in (([], tmp_path), (["--directory", str(tmp_path)], ROOT)):
        done = snakemake(*arguments, cwd=cwd)
        assert done.returncode != 0
        assert "--configfile study.yaml" in done.stderr
        assert f"make --directory {ROOT} demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["config"]


def test_in_the_repository_snakemake_alone_is_the_demo():
    done = snakemake("--dry-run", "--forceall", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    n_people = sum(COARSE["simulation"]["groups"].values())
    assert f"simulate_t1w {n_people}" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(("name", "changes"), [("demo-full", FULL), ("demo-visits", VISITS)])
def test_another_demo_names_only_keys_that_differ_and_has_a_folder_of_its_own(name, changes):
    coarse = dict(leaves(COARSE))
    for place, value in leaves(changes):
        assert coarse.get(place) != value, place
    assert changes["bids_dir"] == f"{changes['output_dir']}/sourcedata"
    planned = subprocess.run(["make", "--dry-run", name], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f"--configfile config/config.yaml config/{name}.yaml" in planned.stdout
    cleaned = subprocess.run(["make", "--dry-run", "clean"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert changes["output_dir"] in cleaned.stdout.split()


def test_the_full_demo_has_finer_voxels_and_norms_of_its_own():
    assert Path(FULL["swi"]["norms"]).name != Path(COARSE["swi"]["norms"]).name
    assert merged(FULL)["simulation"]["t1w"]["voxel_mm"] == FULL["simulation"]["t1w"]["voxel_mm"]


@pytest.fixture(scope="module")
def wiring(tmp_path_factory):
    """Files of each job of the demo of visits."""
    config = merged(VISITS)
    config["swi"]["norms"] = str(ROOT / config["swi"]["norms"])
    return StubStudy(tmp_path_factory.mktemp("visits"), config).wiring()


def test_the_demo_of_visits_scans_everybody_as_often_as_planned(wiring):
    plan = plan_visits(merged(VISITS)["simulation"])
    seen = plan.groupby("participant_id")["session"].count()
    assert len(seen) <= 6
    assert seen.max() == 3 > seen.min()  # somebody leaves
    units = {(who, session.removeprefix("ses-")) for who, session in plan[["participant_id", "session"]].to_numpy()}
    for scan in ("t1w", "dwi", "gre"):
        own = {job.wildcards: made for job, (_, made) in wiring.items() if job.rule == f"simulate_{scan}"}
        assert own.keys() == {f"subject={who[4:]}, session={label}" for who, label in units}
        for made in own.values():
            [unit] = {named_after(Path(path).name) for path in made}
            assert all(f"/{folder_of(unit)}/" in path for path in made if path.startswith("bids/"))


def test_the_demo_of_visits_writes_the_dates_and_the_truth_and_makes_the_tables_of_change(wiring):
    files = {job.rule: own for job, own in wiring.items()}
    truths = {path for path in files["collect_truth"][0] if path.endswith("_truth.tsv")}
    made = files["collect_truth"][1]
    assert len(truths) == 3 * len(plan_visits(merged(VISITS)["simulation"]))
    assert {path for path in made if path.endswith("_sessions.tsv")} == {
        f"bids/sub-0{n}/sub-0{n}_sessions.tsv" for n in range(1, 7)
    }
    assert "results/simulation/true_changes.tsv" in made
    assert {"measure_change", "compare_change", "plan_trial", "align_visits", "draw_visits"} <= files.keys()
