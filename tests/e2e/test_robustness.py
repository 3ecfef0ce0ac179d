"""Sides, storage orders, restarts, failures: what must not change a result, does not."""

import json
import shutil
import time
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.diffusion.gradients import read_gradients, to_fsl
from mndmri.io import read_table
from tests.running import finish, kill, run, start

pytestmark = pytest.mark.slow

THREE = {"groups": {"ALS": 1, "PLS": 1, "control": 1}, "missing": {"dwi": 0, "swi": 0}}
KEY = ["modality", "measure", "region", "hemi"]


def tables(results: Path) -> dict[str, bytes]:
    """Every table of the results, byte by byte; benchmarks hold times and are none."""
    found = [p for p in results.rglob("*.tsv") if "benchmarks" not in p.parts]
    assert len(found) > 20
    return {str(p.relative_to(results)): p.read_bytes() for p in sorted(found)}


@pytest.fixture(scope="module")
def small(study):
    """A study of three people, run on one core."""
    folder, config = study("small", **THREE)
    finish(folder, config, "--cores", "1")
    return folder, config


def test_two_cores_and_a_kill_in_the_middle_change_no_table(study, small):
    folder, config = study("killed", **THREE)
    process = start(folder, config, "--cores", "2")
    halfway = folder / "results/sub-01/anat"
    while not list(halfway.glob("*_xfm.nii.gz")):
        assert process.poll() is None, "the study ended before it could be killed"
        time.sleep(0.5)
    kill(process)
    assert not (folder / "results/group/measures.tsv").exists()
    finish(folder, config, "--unlock")
    finish(folder, config, "--cores", "2", "--rerun-incomplete")
    assert tables(folder / "results") == tables(small[0] / "results")


def real_study(small, folder: Path) -> tuple[Path, dict]:
    """The simulated dataset as somebody would bring it: files, and no simulation."""
    source, config = small
    shutil.copytree(source / "results/sourcedata", folder / "bids")
    config = config | {"bids_dir": str(folder / "bids"), "output_dir": str(folder / "results"), "simulation": None}
    return folder, config


def scans(bids: Path, who: str, pattern: str) -> list[Path]:
    return sorted((bids / who).glob(pattern))


def store_as(path: Path, axes: str) -> None:
    """Write an image in another storage order, and its gradient table with it."""
    image = nb.load(path)
    stored = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(axes)))
    bvec = Path(str(path).replace(".nii.gz", ".bvec"))
    if bvec.exists():
        bval = bvec.with_suffix(".bval")
        world = read_gradients(bval.read_text(), bvec.read_text(), image.affine).bvecs
        np.savetxt(bvec, to_fsl(world, stored.affine), fmt="%.8f")
    nb.save(nb.Nifti1Image(np.asarray(stored.dataobj), stored.affine), path)


def turn_scanner(path: Path, matrix: np.ndarray) -> None:
    """Turn the world under an image: the same voxels, an oblique affine, the gradients turned along."""
    image = nb.load(path)
    nb.save(nb.Nifti1Image(np.asarray(image.dataobj), matrix @ image.affine), path)


def mirror(path: Path) -> None:
    """Mirror the person from left to right; the gradients too."""
    image = nb.load(path)
    axis = int(np.flatnonzero(io_orientation(image.affine)[:, 0] == 0)[0])
    bvec = Path(str(path).replace(".nii.gz", ".bvec"))
    if bvec.exists():
        table = np.loadtxt(bvec)
        table[axis] *= -1
        np.savetxt(bvec, table, fmt="%.8f")
    nb.save(nb.Nifti1Image(np.flip(np.asarray(image.dataobj), axis), image.affine), path)


@pytest.fixture(scope="module")
def turned(small, tmp_path_factory):
    """One person four times over: as scanned, stored the other way round, in an oblique scanner, and mirrored."""
    folder, config = real_study(small, tmp_path_factory.mktemp("turned"))
    bids, original = folder / "bids", "sub-01"
    for who in ("sub-02", "sub-03"):
        shutil.rmtree(bids / who)
    people = ["asis", "stored", "oblique", "mirrored"]
    for name in people:
        shutil.copytree(bids / original, bids / f"sub-{name}")
        for file in (bids / f"sub-{name}").rglob(f"{original}*"):
            file.rename(file.with_name(file.name.replace(original, f"sub-{name}")))
    shutil.rmtree(bids / original)
    for name, change in {
        "stored": lambda path: store_as(path, "LAS" if "T1w" in path.name else "PSR"),
        "oblique": lambda path: turn_scanner(path, OBLIQUE),
        "mirrored": mirror,
    }.items():
        for path in scans(bids, f"sub-{name}", "*/*.nii.gz"):
            change(path)
    table = pd.DataFrame({"participant_id": [f"sub-{name}" for name in people]})
    table["group"] = ["ALS", "ALS", "control", "control"]
    table.assign(age=60, sex="F").to_csv(bids / "participants.tsv", sep="\t", index=False)
    config["groups"] = config["groups"] | {"levels": {"ALS": ["ALS"], "control": ["control"]}}
    config |= {"clinical_scores": [], "clinical_sides": {}, "progression": None}
    wanted = [f"{folder}/results/sub-{name}/sub-{name}_measures.tsv" for name in people]
    finish(folder, config, "--cores", "2", "--", *wanted)
    return {name: read_table(path).set_index(KEY) for name, path in zip(people, wanted, strict=True)}


OBLIQUE = np.eye(4)
OBLIQUE[1:3, 1:3] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
OBLIQUE[:3, 3] = [4, -7, 11]


def largest_change(found: pd.Series, expected: pd.Series) -> dict[str, float]:
    """Largest difference of each modality: of volumes as a share, of the others as it is."""
    both = pd.DataFrame({"found": found, "expected": expected}).dropna()
    assert len(both) > 60
    change = (both["found"] - both["expected"]).abs()
    share = both["expected"].abs().where(both.index.get_level_values("modality") == "t1w", 1.0)
    return (change / share).groupby(level="modality").max().to_dict()


def test_the_storage_order_changes_no_measure(turned):
    found, expected = (turned[name]["value"].dropna() for name in ("stored", "asis"))
    pd.testing.assert_series_equal(found, expected, rtol=1e-4)


def test_an_oblique_scanner_changes_no_measure_beyond_interpolation(turned):
    change = largest_change(turned["oblique"]["value"], turned["asis"]["value"])
    assert change["t1w"] < 0.05 and change["dwi"] < 0.03 and change["swi"] < 0.06, change


@pytest.mark.parametrize(
    "kind",
    [
        ("dwi", "fa", "cst"),
        ("t1w", "volume", "precentral"),
        ("swi", "normalised_hypointensity", "precentral_posterior_deep"),
    ],
)
def test_mirroring_the_person_swaps_the_sides(turned, small, kind):
    """The atlas has sides of its own, so that half of what mirroring changes is the person's asymmetry."""
    truth = read_table(small[0] / "results/simulation/truth.tsv").query("participant_id == 'sub-01'")
    true = truth.set_index(KEY)["value"]
    sides = {name: turned[name]["value"][(*kind, "L")] - turned[name]["value"][(*kind, "R")] for name in turned}
    found = (sides["asis"] - sides["mirrored"]) / 2
    assert np.sign(found) == np.sign(true[(*kind, "L")] - true[(*kind, "R")]), (found, sides)


def test_one_persons_failure_stops_nobody_else(small, tmp_path):
    folder, config = real_study(small, tmp_path)
    broken = folder / "bids/sub-02/anat/sub-02_T1w.nii.gz"
    image = nb.load(broken)
    noise = np.zeros(image.shape, np.float32)
    noise[1, 1, 1] = 1.0  # passes every check of the file, and holds no brain
    nb.save(nb.Nifti1Image(noise, image.affine), broken)
    done = run(folder, config, "--cores", "2", "--keep-going")
    assert done.returncode != 0
    assert "sub-02" in done.stderr and "no brain" in done.stderr
    measures = read_table(folder / "results/group/measures.tsv")
    assert set(measures["participant_id"]) == {"sub-01", "sub-02", "sub-03"}
    lost = measures[measures["participant_id"] == "sub-02"]
    assert lost["value"].isna().all()
    assert lost["status"].str.contains("preprocess_t1w failed").all()
    assert measures.loc[measures["participant_id"] != "sub-02", "value"].notna().sum() > 100
    for page in ("group/report.html", "qc/index.html"):
        assert "no brain" in (folder / "results" / page).read_text()
    left_out = json.loads((folder / "results/provenance.json").read_text())["left_out"]
    assert "no brain" in left_out["sub-02"]["t1w"]
