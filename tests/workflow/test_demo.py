"""Which commands run the demo study, and that nothing else does."""

import copy
import subprocess
import sys
from pathlib import Path

import yaml
from snakemake.utils import update_config

from mndmri.cohort.config import resolve_config
from tests.running import ROOT, environment

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
COARSE, FULL = (yaml.safe_load((ROOT / "config" / name).read_text()) for name in ("config.yaml", "demo-full.yaml"))


def snakemake(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd, env=environment())


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


def test_the_full_demo_names_only_keys_that_differ_and_has_a_folder_of_its_own():
    coarse = dict(leaves(COARSE))
    for place, value in leaves(FULL):
        assert coarse.get(place) != value, place
    assert FULL["bids_dir"] == f"{FULL['output_dir']}/sourcedata"
    assert Path(FULL["swi"]["norms"]).name != Path(COARSE["swi"]["norms"]).name
    planned = subprocess.run(["make", "--dry-run", "demo-full"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "--configfile config/config.yaml config/demo-full.yaml" in planned.stdout
    update_config(full := copy.deepcopy(COARSE), FULL)
    assert resolve_config(full, SCHEMA)["simulation"]["t1w"]["voxel_mm"] == FULL["simulation"]["t1w"]["voxel_mm"]
