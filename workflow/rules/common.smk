"""The study: config and cohort checked, and what rules ask of them. No rules here."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from snakemake.exceptions import WorkflowError

from mndmri import __version__ as VERSION
from mndmri.atlas.own import FILES as OWN_ATLAS
from mndmri.atlas.own import check_atlas, space_of
from mndmri.cohort import check_study, load_study, participants_path, settle
from mndmri.cohort.config import resolve_config, score_columns
from mndmri.diffusion.free_water import has_two_shells
from mndmri.diffusion.gradients import read_gradients
from mndmri.io import InputError, read_json, read_table, read_text, write_json
from mndmri.jobs import read_unfinished
from mndmri.packages import check_packages, check_tools
from mndmri.phantom.plan import plan_cohort

# Set for the second pass after a run in which jobs failed, see measure_the_others.
WITHOUT_FAILED = "MNDMRI_WITHOUT_FAILED"
FAILED = "failed:"
# What a participant's failed job takes away: the branch it belongs to, or with the T1w all.
BRANCHES = {
    "check_gradients": "dwi",
    "preprocess_dwi": "dwi",
    "fit_tensor": "dwi",
    "extract_cst": "dwi",
    "locate_regions": "swi",
    "measure_swi": "swi",
    "map_susceptibility": "qsm",
    "map_relaxation": "r2star",
    "smooth_fa": "dwi",
    "smooth_swi": "swi",
}
# Jobs whose failure takes away what they make and no more, and whose measures those are.
ALONE = {
    "measure_qsm": "qsm",
    "unfold_sulcus": "strip",
    "track_cst": "tracking",
    "map_free_water": "free_water",
    "measure_thickness": "t1w",
    **{
        f"{job} {contrast}": contrast.lower()
        for job in ("align_contrast", "measure_signal")
        for contrast in ("T1w", "FLAIR", "T2w")
    },
}
# Modalities of the study, and what is made of them.
DERIVED = {"swi": ("swi", "qsm")}
# What is gone with a branch.
WITH_BRANCH = {"swi": ("swi", "qsm", "r2star")}


def read_config():
    """Config with its defaults, checked against the schema."""
    schema = Path(workflow.basedir, "workflow/schemas/config.schema.yaml")
    return resolve_config(config, yaml.safe_load(schema.read_text(encoding="utf-8")))


def read_study():
    """The study, once every scan has been looked at; refused with the whole list if one is bad."""
    planned = config["simulation"] and plan_cohort(config["simulation"])
    table = planned if planned is not None else read_table(participants_path(config))
    study = load_study(config, participants_table=table)
    checked = Path(RESULTS, ".checked_inputs.json")
    problems, cache = check_study(study, read_json(checked) if checked.exists() else {})
    if workflow.is_main_process and not study.simulated:
        write_json(cache, checked)
    return settle(study, problems, bad_input=config["bad_input"])


def name_of(job):
    """A job's rule, and which of several of a participant it is, if so."""
    return f"{job['rule']} {job['part']}".strip()


def without_failed(study, jobs):
    """The study less the branches in which these jobs have failed."""
    scans = {who: dict(own) for who, own in study.scans.items()}
    left_out = {who: dict(reasons) for who, reasons in study.left_out.items()}
    for job in jobs:
        who, name = job["participant_id"], name_of(job)
        if name in ALONE:
            lost = [ALONE[name]]
        else:
            branch = BRANCHES.get(name)
            gone = (
                WITH_BRANCH.get(branch, [branch])
                if branch
                else list(scans.get(who, ()))
            )
            lost = [m for m in gone if scans.get(who, {}).pop(m, None)]
        reason = f"{name} {FAILED} {job['reason']}"
        left_out.setdefault(who, {}).update(dict.fromkeys(lost, reason))
    return replace(study, scans=scans, left_out=left_out)


def measure_the_others():
    """Run again without what failed, so that the group tables of the others are there.

    A job that failed keeps every job after it from running, the group's too. With
    --keep-going all else is done by now; what is left are the tables of those who finished.
    """
    if not workflow.execution_settings.keep_going or WITHOUT_FAILED in os.environ:
        return
    failed = sorted({job["participant_id"] for job in read_unfinished(LOGS)})
    if not failed:
        return
    print(
        f"Making the group tables without what failed in {', '.join(failed)}",
        file=sys.stderr,
    )
    forcing = {"-F", "--forceall", "-f", "--force"}
    arguments = [argument for argument in sys.argv[1:] if argument not in forcing]
    subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments, "--nolock"],
        env=os.environ | {WITHOUT_FAILED: "1"},
        check=False,
    )


def people(modality="t1w"):
    """Labels of the participants who have a modality."""
    return [
        who.removeprefix("sub-") for who, own in STUDY.scans.items() if modality in own
    ]


def person(wildcards):
    """Parameter function: what is planted in a simulated participant."""
    plan = plan_cohort(config["simulation"]).set_index("participant_id", drop=False)
    return plan.loc[f"sub-{wildcards.subject}"].to_dict()


def scans(modality, role):
    """Input function: files of a participant's scan in one role, none where it has none."""
    return lambda wildcards: list(
        STUDY.scans[f"sub-{wildcards.subject}"][modality].files.get(role, ())
        if modality in STUDY.scans[f"sub-{wildcards.subject}"]
        else ()
    )


def scan(modality, role):
    """Input function: the one file of a participant's scan in a role."""
    return lambda wildcards: scans(modality, role)(wildcards)[0]


def free_water_maps():
    """Maps of free water of those whose series can tell it from tissue."""
    maps = []
    for subject in people("dwi") if not STUDY.simulated else []:
        files = STUDY.scans[f"sub-{subject}"]["dwi"].files
        table = [read_text(files[role][0]) for role in ("bval", "bvec")]
        # the axes do not matter to how many shells there are
        if has_two_shells(read_gradients(*table, np.eye(4)))[0]:
            prefix = f"{RESULTS}/sub-{subject}/dwi/sub-{subject}_space-dwi"
            maps.append(f"{prefix}_model-freewater_param-fraction_dwimap.nii.gz")
    return maps


def distortion_of(wildcards):
    """Parameter function: how the distortion of a participant's diffusion series is corrected."""
    return STUDY.scans[f"sub-{wildcards.subject}"]["dwi"].distortion


def tissue_for_distortion():
    """Input functions: tissue maps of a participant whose distortion is corrected with the T1w image."""

    def part(name):
        return lambda wildcards: (
            rules.segment_t1w.output[name] if distortion_of(wildcards) == "t1w" else []
        )

    return {f"tissue_{name}": part(name) for name in ("gm", "wm", "csf")}


def has(modality, path, *others, made_by=()):
    """Input function: a file of a modality's branch, or of others; none for a participant without any.

    Nor for one in whom a job that makes it has failed.
    """
    return lambda wildcards: (
        path
        if {modality, *others} & set(STUDY.scans[f"sub-{wildcards.subject}"])
        and not any((f"sub-{wildcards.subject}", name) in LOST for name in made_by)
        else []
    )


def joined(*functions):
    """Input function: the files of several."""
    return lambda wildcards: [
        path for path in (function(wildcards) for function in functions) if path
    ]


def study_template(name, before):
    """Input functions: parts of the study's template after some rounds, or of the standard one before the first."""

    def part(which):
        def path(wildcards):
            if before(wildcards) < 0:
                return MNI[f"target_{which}"]
            made = rules.average_study.output.get(which)
            return expand(made, round=before(wildcards))[0] if made else []

        return path

    return {f"{name}_{which}": part(which) for which in ("brain", "tissue", "compared")}


def of_kind(key):
    """Parameter function: a property of the kind of maps."""
    return lambda wildcards: MAPS[wildcards.maps][key]


def everybodys(key):
    """Input function: files of a kind of maps, of all who have the modality."""
    return lambda wildcards: expand(
        MAPS[wildcards.maps][key], subject=people(MAPS[wildcards.maps]["modality"])
    )


def without_map(wildcards):
    """Parameter function: why a participant has no map of a kind."""
    modality = MAPS[wildcards.maps]["modality"]
    return {
        who: own[modality] for who, own in STUDY.left_out.items() if modality in own
    }


def group_of(who):
    """Group of a participant."""
    return STUDY.participants.set_index("participant_id").at[who, "group"]


def stages_of(who):
    """What became of each modality of a participant: done, left out or failed, and why."""
    stages = []
    for modality in MODALITIES:
        reason = STUDY.left_out.get(who, {}).get(modality, "")
        if FAILED in reason:
            status = "failed"
        else:
            status = "done" if modality in STUDY.scans[who] else "left out"
        stages.append({"stage": modality, "status": status, "reason": reason})
    return stages


def failed():
    """Participants in whom a job failed, and which."""
    reasons = {
        who: [r for r in own.values() if FAILED in r]
        for who, own in STUDY.left_out.items()
    }
    return {who: "; ".join(dict.fromkeys(own)) for who, own in reasons.items() if own}


try:
    config = read_config()
    norms = config["swi"]["norms"]
    if norms and not Path(norms).is_file():
        raise InputError(f"swi.norms: no such file {norms}; correct the path")
    for path in config["t1w"]["head_template"].values():
        if path and not Path(path).is_file():
            raise InputError(
                f"t1w.head_template: no such file {path}; correct the path"
            )
    SPACE = space_of(config["atlas"])
    TOOLS = {}
    if not config["measures"]:
        check_packages(config)
        if workflow.is_main_process:
            check_atlas(config["atlas"])
        TOOLS = check_tools(config)
    RESULTS = config["output_dir"]
    LOGS = f"{RESULTS}/logs"
    STUDY = read_study()
    MODALITIES = [m for own in config["modalities"] for m in DERIVED.get(own, (own,))]
except InputError as error:
    raise WorkflowError(str(error)) from None
# What has failed, in the pass that goes without it.
lost_jobs = read_unfinished(LOGS) if WITHOUT_FAILED in os.environ else []
LOST = {(job["participant_id"], name_of(job)) for job in lost_jobs}
STUDY = without_failed(STUDY, lost_jobs)
