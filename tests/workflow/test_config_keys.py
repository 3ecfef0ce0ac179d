"""A change of one key of the config runs again what uses it, and nothing else: the table in `config_keys.yaml`."""

import contextlib
import copy
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.atlas.own import NEEDED
from tests.running import ROOT
from tests.workflow.stubs import PEOPLE, StubStudy, write_band_norms

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
TABLE = yaml.safe_load(Path(__file__).with_name("config_keys.yaml").read_text())
# They tell of the whole config.
ALWAYS = {"describe_results", "write_methods"}
# What is known of simulated people, and two files that are made of all of a scan's.
TRUTH = "results/simulation/truth.tsv"
OF_SCANS = [
    "results/sub-01/dwi/sub-01_desc-gradients_ranking.tsv",
    "results/sub-02/swi/sub-02_space-swi_desc-brain_mask.nii.gz",
]
# The same files of a study of visits.
OF_FIRST_VISITS = {own: re.sub(r"(sub-\d+)/(\w+)/sub-\d+", r"\1/ses-01/\2/\1_ses-01", own) for own in OF_SCANS}
COLUMNS = {
    "participant_id": PEOPLE,
    "group": ("ALS", "PLS", "HC"),
    "diagnosis": ("ALS", "PLS", "HC"),
    "age": (61, 58, 60),
    "sex": ("F", "M", "F"),
    "site": (1, 2, 1),
    "alsfrs_r": (40, 44, "n/a"),
    "months": (12, 9, "n/a"),
    "umn_left": (3, 5, "n/a"),
    "rated": (4, 6, 0),
    "onset": ("L", "R", "n/a"),
    "lived": (20, 30, "n/a"),
    "died": (1, 0, "n/a"),
}
WITH_EVERYTHING = {
    "site": "site",
    "clinical_scores": ["alsfrs_r", "umn_left"],
    "clinical_sides": {"umn_left": "L"},
    "progression": {"score": "alsfrs_r", "months": "months"},
    "statistics": {"rated_sign": "rated"},
}
SIMULATED = {
    "modalities": ["t1w", "dwi", "swi", "flair"],
    "maps": {name: {"pattern": f"*/*_{name}.nii.gz", "where": ["cst"]} for name in ("mtr", "cbf")},
    "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
    "simulation": {
        "groups": {"ALS": 1, "control": 1},
        "effects": {"ALS": {"cst_fa_loss": 0.2, "band_ppm": 0.05, "band_prevalence": 1, "cst_mtr_loss": 0.1}},
    },
}


def keys(schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Dotted name of every key with a value of its own; a block that is null by default is one, but the simulation."""
    for name, below in schema["properties"].items():
        if (below.get("default") == {} and "properties" in below) or name == "simulation":
            yield from keys(below, f"{place}{name}.")
        else:
            yield place + name


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Config with other values of some keys, given by their dotted names."""
    new = copy.deepcopy(dict(config))
    for key, value in changes.items():
        *blocks, name = key.split(".")
        block = new
        for own in blocks:
            block = block.setdefault(own, {})
        block[name] = value
    return new


def first_to_run(study: StubStudy, of_simulation: bool, *targets: str) -> dict[str, set[str]]:
    """Rules that run again with each key changed, of themselves and not for what others make; nothing is run.

    In one process for all of them, which imports Snakemake once.
    """
    configs = {
        key: changed(study.config, {key: row["to"], **row.get("with", {})})
        for key, row in TABLE.items()
        if key.startswith("simulation.") == of_simulation
    }
    process = get_context("spawn").Process(target=_plan, args=(study.root, study.folder, configs, targets))
    process.start()
    process.join()
    assert process.exitcode == 0, (study.folder / "plans.txt").read_text()[-4000:]
    return {key: set(rules) for key, rules in json.loads((study.folder / "plans.json").read_text()).items()}


def _plan(root: Path, folder: Path, configs: Mapping[str, Mapping[str, Any]], targets: tuple[str, ...]) -> None:
    """Write the rules that start with each config, or why it is refused, to plans.json; what is said to plans.txt."""
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import WorkflowError
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

    from mndmri import packages

    packages.find_spec = lambda name: name  # an optional package need not be there to be asked for
    os.chdir(folder)
    path = folder / "config.yaml"

    def starting(config: Mapping[str, Any]) -> set[str]:
        with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[path]),
                snakefile=root / "Snakefile",
                workdir=folder,
            )
            named = {OF_FIRST_VISITS.get(own, own) if "visits" in config else own for own in targets}
            workflow.dag(DAGSettings(targets=named)).printfilegraph()  # plans the jobs, and runs none
            dag = workflow._workflow.dag
            reasons = [(job.rule.name, dag.reason(job)) for job in dag.needrun_jobs()]
            return {rule for rule, why in reasons if rule != "all" and (why.missing_output or not why.derived)}

    plans = {}
    with (folder / "plans.txt").open("w") as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for key, config in configs.items():
            path.write_text(yaml.safe_dump(config, sort_keys=False))
            try:
                plans[key] = sorted(starting(config))
            except WorkflowError as error:
                plans[key] = [str(error)]
    (folder / "plans.json").write_text(json.dumps(plans))


def add_files(study: StubStudy) -> None:
    """Write the files that keys of the table name, each fit to be used."""
    folder = study.folder
    people = pd.DataFrame(COLUMNS)
    people.to_csv(study.bids / "participants.tsv", sep="\t", index=False)
    people.to_csv(folder / "people.tsv", sep="\t", index=False)
    shape, regions = (8, 9, 10), [(region, hemi) for region in NEEDED for hemi in "LR"]
    centred = np.diag([2.0, 2.5, 3.0, 1.0])
    centred[0, 3] = -7
    mask, labels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    mask[2:6, 2:7, 2:8] = 1
    for index, (_, hemi) in enumerate(regions, start=1):
        labels[2 if hemi == "L" else 5, index // 2, 5] = index
    for name, data in (("head", 100 * mask), ("mask", mask), ("labels", labels)):
        nb.save(nb.Nifti1Image(data, centred), folder / f"{name}.nii.gz")
    table = pd.DataFrame(regions, columns=["region", "hemi"], index=pd.RangeIndex(1, len(regions) + 1, name="index"))
    table.to_csv(folder / "labels.tsv", sep="\t")
    by_ab = {"participant_id": ["sub-01"], "modality": ["swi"], "decision": ["exclude"], "reason": ["motion"]}
    pd.DataFrame(by_ab | {"rater": ["AB"]}).to_csv(folder / "decisions.tsv", sep="\t", index=False)
    by_ab = {"participant_id": ["sub-01"], "rater": ["AB"], "region": ["leg"], "hemi": ["L"], "rating": [1]}
    pd.DataFrame(by_ab).to_csv(folder / "ratings.tsv", sep="\t", index=False)
    (folder / "qc.tsv").touch()
    write_band_norms(folder / "norms.tsv", "homodyne SWI")
    own = pd.DataFrame({"participant_id": PEOPLE, "region": "cst", "value": 0.5})
    for name, modality in (("brought", "dwi"), ("joined", "spectroscopy")):
        own.assign(modality=modality, measure="fa").to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    own.assign(session_id="ses-01", months=0).to_csv(folder / "visits.tsv", sep="\t", index=False)
    terms = [("intercept", "n/a"), ("age", "n/a"), ("sex", "F"), ("sex", "M")]
    own = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "n": 20, "df": 17, "s": 1}
    norms = pd.DataFrame([own | {"term": term, "level": level, "coefficient": 0} for term, level in terms])
    norms = norms.assign(centre=0, lowest=0, highest=99, **{f"cov_{n}": 0 for n in range(1, 5)})
    norms.to_csv(folder / "person_norms.tsv", sep="\t", index=False)
    # without it there is no distortion to correct
    sidecar = {"PhaseEncodingDirection": "j", "TotalReadoutTime": 0.03}
    (study.bids / "sub-01/dwi/sub-01_dwi.json").write_text(json.dumps(sidecar))
    own = nb.Nifti1Image(mask, np.diag([2, 2.5, 3, 1]))  # as the T1w images
    columns = "# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg ThickStd MeanCurv GausCurv FoldInd CurvInd\n"
    gyri = ["precentral", "paracentral", "postcentral", "superiorfrontal"]
    gyri += ["caudalmiddlefrontal", "rostralmiddlefrontal"]
    for who in PEOPLE:
        nb.save(own, study.bids / who / f"anat/{who}_desc-brain_mask.nii.gz")
        nb.save(own, study.bids / who / f"anat/{who}_desc-aparcaseg_dseg.nii.gz")
        for side in ("lh", "rh"):
            rows = "".join(f"{gyrus} 5000 3000 9000 2.5 0.5 0.1 0.02 40 4\n" for gyrus in gyri)
            text = f"# subjectname {who}\n# hemi {side}\n{columns}{rows}"
            (study.bids / who / f"anat/{side}.aparc.stats").write_text(text)
    shutil.copytree(study.bids, folder / "moved")


@pytest.fixture(scope="module")
def starts(finished_study, tmp_path_factory):
    """Key of the table to the rules that its change starts; ``all`` to every rule of the study."""
    study = finished_study.copy(tmp_path_factory.mktemp("keys") / "study")
    study.config = study.config | WITH_EVERYTHING
    add_files(study)
    study.finish()
    every = {record.job.rule for record in study.records()}
    simulated = StubStudy(tmp_path_factory.mktemp("simulated"), SIMULATED)
    simulating = simulated.pretend(TRUTH)
    of_simulation = first_to_run(simulated, True, TRUTH, *OF_SCANS)
    of_simulation = {key: rules & simulating for key, rules in of_simulation.items()}
    return {"all": every} | first_to_run(study, False) | of_simulation


def test_every_key_of_the_config_has_a_row():
    assert list(TABLE) == list(keys(SCHEMA))


@pytest.mark.parametrize("key", TABLE)
def test_a_changed_key_starts_the_rules_that_use_it(starts, key):
    rules = TABLE[key]["rules"]
    assert starts[key] - ALWAYS == (starts["all"] - ALWAYS if rules == "all" else set(rules))
