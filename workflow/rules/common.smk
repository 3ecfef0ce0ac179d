"""The study: config and cohort checked, and what rules ask of them. No rules here."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.io import flag, is_flagged

from mndmri import __version__ as VERSION
from mndmri.atlas.own import FILES as OWN_ATLAS
from mndmri.atlas.own import SPACE as BUILTIN_SPACE
from mndmri.atlas.own import check_atlas, space_of
from mndmri.cohort import (
    check_study,
    images_of,
    load_study,
    read_people,
    settle,
    stamp,
)
from mndmri.cohort.band_norms import (
    compare_with_norms,
    norms_files,
    read_norms_files,
)
from mndmri.cohort.config import resolve_config, score_columns, survival_columns
from mndmri.cohort.copies import find_copies
from mndmri.cohort.costs import memory_mb
from mndmri.cohort.failures import (
    Job,
    Loss,
    add_losses,
    failures,
    find_losses,
    next_pass,
    stages,
    without,
)
from mndmri.cohort.first_look import first_look
from mndmri.cohort.flow import participant_flow
from mndmri.cohort.folders import (
    CHECKED,
    check_folders,
    expand_home,
    mark_results,
    mark_simulated,
)
from mndmri.cohort.handover import HANDED_OVER, hand_over, take_over
from mndmri.cohort.last_look import failed_jobs, last_look, places
from mndmri.cohort.lock import lock_results
from mndmri.cohort.parts import (
    FOLDER,
    PARTS,
    QUALITY_TARGET,
    measured,
    narrow_config,
    narrow_study,
    part_asked_for,
)
from mndmri.cohort.readings import key_files
from mndmri.cohort.records import STAND_INS, may_stand_in, refuse, stand_in_of
from mndmri.cohort.table import columns_used
from mndmri.cohort.title import study_title
from mndmri.cohort.visits import at_baseline, check_visits, moved_baselines
from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.shells import MODELS
from mndmri.io import InputError, read_json, read_text, write_json
from mndmri.jobs import bad_end
from mndmri.packages import check_packages, check_tools
from mndmri.phantom.plan import (
    MAP_FILES,
    plan_cohort,
    plan_settings,
    plan_visits,
    planted,
    scan_settings,
)
from mndmri.tables.covariates import is_of_quality, names_of
from mndmri.tables.decisions import (
    by_readers,
    count_excluded,
    decision_lines,
    decisions_on,
)
from mndmri.tables.dictionaries import dictionary_path
from mndmri.tables.given import dictionaries_of, files_of
from mndmri.tables.maps import ITSELF, MEASURE, maps_of, of_tract
from mndmri.tables.norms import check_norms, read_norms
from mndmri.tables.visits import name_units
from mndmri.units import folder_of, person_of, split_unit, unit_of, wildcards_of

# Names the file that says what the pass after one with failures goes without, see measure_the_others.
WITHOUT_FAILED = "MNDMRI_WITHOUT_FAILED"
# Names the part of the study that a run makes, for its jobs.
PART_MADE = "MNDMRI_PART"
# Modality that a participant loses when a job fails, by the file in which the job's rule stands. A rule in any other
# file stands alone: its failure costs what it makes and what needs that.
BRANCHES = {
    "anat": "t1w",
    "stand_in": "t1w",
    "study": "t1w",
    "measures": "t1w",
    "dwi": "dwi",
    "swi": "swi",
}
# Rules that do not follow their file, see in_branch and alone.
DECLARED = {}
# Signals with which the user has stopped this run, and when it began.
STOPPED, BEGAN = [], time.time()
# Input that a rule can do without.
OPTIONAL = "optional"
# Modalities of the study, and what is made of them.
DERIVED = {"swi": ("swi", "qsm")}


def read_config():
    """Config with its defaults, checked against the schema."""
    schema = Path(workflow.basedir, "workflow/schemas/config.schema.yaml")
    # libyaml, where it is there: every job reads this, ten times as fast
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema = yaml.load(schema.read_text(encoding="utf-8"), Loader=loader)
    resolved = expand_home(resolve_config(config, schema), schema)
    if workflow.is_main_process:
        refuse(check_folders(resolved, schema), "in the config")
    return resolved


def read_part():
    """Part of the study that this run makes, None for all of it; a job takes it from the run's main process."""
    if not workflow.is_main_process:
        return os.environ.get(PART_MADE) or None
    # of the command line, because Snakemake tells its targets when all rules have been read
    targets = []
    if not {*PARTS, QUALITY_TARGET}.isdisjoint(sys.argv):
        targets = get_argument_parser().parse_known_args(sys.argv[1:])[0].targets
    part = part_asked_for(targets, config)
    os.environ[PART_MADE] = part or ""
    return part


def read_study():
    """The study, once every scan has been looked at; refused with the whole list if one is bad.

    A job takes it as the run's main process has found it.
    """
    handed_over = None
    if not workflow.is_main_process:
        handed_over = take_over(config, Path(RESULTS, HANDED_OVER))
    return look_at_study() if handed_over is None else handed_over


def look_at_study():
    """The study as its table and its files are now."""
    planned = config["simulation"] and plan_cohort(config["simulation"])
    table = planned if planned is not None else read_people(config)
    study = load_study(config, participants_table=table)
    checked = Path(RESULTS, CHECKED)
    problems, cache = check_study(study, read_json(checked) if checked.exists() else {})
    if workflow.is_main_process and not study.simulated:
        write_json(cache, checked)
    study = settle(
        study,
        problems,
        bad_input=config["bad_input"],
        without_t1w=may_stand_in(config),
    )
    notes = [
        *find_copies(study, images_of(cache)),
        *compare_with_norms(study, BAND_NORMS),
        *check_visits(study, (config["visits"] or {}).get("baseline")),
    ]
    return replace(study, notes=(*study.notes, *notes))


def begin_writing():
    """Keep the results for this run, the second pass in its turn, and mark what may be written over."""
    try:
        lock_results(RESULTS, inherit=WITHOUT_FAILED in os.environ)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    mark_results(RESULTS)
    hand_over(SETTLED, AS_A_WHOLE, Path(RESULTS, HANDED_OVER))
    if config["simulation"]:
        mark_simulated(config["bids_dir"])
    for number in (signal.SIGINT, signal.SIGTERM):
        notice(number, signal.getsignal(number))
    watch_progress()


def notice(number, handler):
    """Remember that a signal to stop has come, before it is handled as it was to be."""

    def remember(*details):
        STOPPED.append(number)
        if callable(handler):
            handler(*details)

    signal.signal(number, remember)


def look_back():
    """Say what the run leaves behind."""
    of_study = [own for own in failed_now() if not own["who"]]
    end_watch("ended, with failures" if LOSSES or of_study else "done")
    lines = last_look(BY_UNIT, LOSSES, PLACE, MODALITIES, logs=LOGS, failed=of_study)
    print(*lines, sep="\n", file=sys.stderr)


def look_at_failure():
    """Say what a run has failed of that ends at the first failure."""
    end_watch("ended at the first failure")
    again = "To go on without what failed: --keep-going. The same run again does what is not done yet."
    lines = [*failed_jobs(failed_now()), *places(PLACE), again]
    print(*lines, sep="\n", file=sys.stderr)


def follow_files():
    """Give every rule the size and date of what it reads of the user's as a parameter.

    A scan that is replaced by an older one (rsync -a, unzip, a restored copy) has no newer date, which is all that
    Snakemake looks at; that it has another one shows in this.
    """
    for own in workflow.rules:
        readers = [given for given in own.input if getattr(given, "of_user", False)]
        fixed = [
            str(given)
            for given in own.input
            if isinstance(given, str) and not given.startswith(f"{RESULTS}/")
        ]
        if readers or fixed:
            own.set_params(read=stamps(fixed, readers))


def stamps(fixed, readers):
    """Parameter function: size and date of some files, and of those that input functions name."""
    return lambda wildcards: [
        stamp(path)
        for paths in (fixed, *(reader(wildcards) for reader in readers))
        for path in ([paths] if isinstance(paths, str) else paths)
        if not STUDY.simulated
    ]


def in_branch(proxy, branch):
    """Declare that a rule belongs to another branch than its file's."""
    DECLARED[proxy.rule.name] = (branch, False)


def alone(proxy, branch):
    """Declare that a rule's failure costs what it makes and no more; a branch may name a wildcard."""
    DECLARED[proxy.rule.name] = (branch, True)


def branch_of(job):
    """Branch that a job of the DAG belongs to, and whether it stands alone."""
    file = Path(job.rule.snakefile).stem
    branch, stands_alone = DECLARED.get(
        job.rule.name, (BRANCHES.get(file, file), file not in BRANCHES)
    )
    return branch.format(**dict(job.wildcards.items())).lower(), stands_alone


def unit_of_job(job):
    """Participant, or visit, of a job of the DAG; empty for one of the whole study."""
    return unit_of(job.wildcards) if "subject" in job.wildcards.keys() else ""


def job_of(job, reason):
    """A participant's job of the DAG, as `find_losses` takes it."""
    of_several = [
        own for name, own in job.wildcards.items() if name not in ("subject", "session")
    ]
    branch, stands_alone = branch_of(job)
    return Job(
        name=" ".join([job.rule.name, *of_several]),
        participant_id=unit_of_job(job),
        branch=branch,
        alone=stands_alone,
        needs=frozenset(str(f) for f in job.input if not is_flagged(f, OPTIONAL)),
        makes=frozenset(map(str, job.output)),
        reason=reason,
    )


def measure_the_others():
    """Run again without what failed, so that the group tables of the others are there.

    A job that failed keeps every job after it from running, the group's too. With
    --keep-going all else is done by now; what is left are the tables of those who finished.
    A job that was stopped from outside is tried once more in that pass. If in it another job fails,
    or the same again, for which a participant can be left out, so it goes on. A signal to
    Snakemake is the user's: then nobody has failed, and nothing more is run.
    """
    if STOPPED:
        end_watch("stopped")
        return
    if not workflow.execution_settings.keep_going:
        look_at_failure()
        return
    failed = single_jobs(workflow.scheduler.failed)
    ends = {str(job.output[0]): bad_end(job.log[0], since=BEGAN) for job in failed}
    again = {made for made, end in ends.items() if end.stopped} - TRIED
    jobs = [
        job_of(job, None if made in again or made not in ends else ends[made].reason)
        for job in workflow.dag.jobs
        for made in [str(job.output[0]) if job.output else ""]
        if unit_of_job(job)
    ]
    losses = add_losses(LOSSES, find_losses(BY_UNIT, jobs))
    if losses == LOSSES and not again:
        look_back()
        return
    aim = [f"what was stopped ({', '.join(sorted(again))})"] if again else []
    aim += (
        [f"the group tables without what failed in {', '.join(losses)}"]
        if losses
        else []
    )
    end_watch(GOING)  # the next pass writes on
    print(f"Making {' and '.join(aim)}", file=sys.stderr)
    path = Path(LOGS, "lost.json").resolve()
    lost = {who: asdict(loss) for who, loss in losses.items()}
    write_json({"losses": lost, "tried": sorted(TRIED | again)}, path)
    subprocess.run(
        [sys.executable, "-m", "snakemake", *next_pass(sys.argv[1:])],
        cwd=workflow.workdir_init,
        env=os.environ | {WITHOUT_FAILED: str(path)},
        check=False,
    )


def units(modality=None):
    """Participants, or visits where the study has them, with a modality, or with any that is measured."""
    wanted = {modality} if modality else {*PARTS[PART]} if PART else None
    return [
        unit
        for unit, own in BY_UNIT.scans.items()
        if (own if wanted is None else wanted & set(own))
    ]


def people(modality=None):
    """Those of the units that stand for a participant in the group: all, or the visits of the baseline."""
    return [unit for unit in units(modality) if unit in AT_BASELINE.values()]


def counted(modality="t1w"):
    """Those whose scan is not excluded by a reader: these alone are in the group's tables and maps."""
    return [
        unit
        for unit in people(modality)
        if modality not in BY_UNIT.excluded.get(unit, {})
    ]


def visits_of(subject, modality=None):
    """Visits of a participant with a scan of a modality, or any, that is not excluded, in the order of time."""
    return [
        unit
        for unit in units()
        if person_of(unit) == f"sub-{subject}"
        and modality in (None, *BY_UNIT.scans[unit])
        and modality not in BY_UNIT.excluded.get(unit, {})
    ]


def of_visits(modality, path):
    """Input function: a file of each visit of a participant that has a modality, where it can be made."""
    return lambda wildcards: [
        flag(own, OPTIONAL)
        for own in of_each(path, having(path, visits_of(wildcards.subject, modality)))
    ]


def of_each(path, units):
    """A file of each participant, or visit."""
    return [
        own
        for unit in units
        for own in expand(path, **wildcards_of(unit), allow_missing=True)
    ]


def own_scans(wildcards):
    """Scans of a participant, or visit; of a participant with visits, those of the baseline."""
    unit = unit_of(wildcards)
    return BY_UNIT.scans.get(unit) or STUDY.scans.get(unit, {})


def excluded(wildcards):
    """Parameter function: modalities of a participant that readers have excluded, with the reasons."""
    return dict(BY_UNIT.excluded.get(unit_of(wildcards), {}))


def drawn_maps(wildcards):
    """Names of a participant's maps whose alignment is shown."""
    own, image = own_scans(wildcards), rules.align_map.output.image
    return [
        name
        for name in ([] if PART else JUDGED)
        if name in own
        and having(expand(image, map=name, allow_missing=True)[0], [unit_of(wildcards)])
    ]


def of_maps(path):
    """Input function: a file of each map that is drawn."""
    return lambda wildcards: [
        flag(expand(path, map=name, **wildcards)[0], OPTIONAL)
        for name in drawn_maps(wildcards)
    ]


def stands_in(wildcards):
    """Parameter function: modality of the scan that takes the place of a participant's T1w image, None of one that is
    there.

    As the study was settled: neither a failed job nor a part of the study makes it another scan.
    """
    return stand_in_of(SETTLED.scans[unit_of(wildcards)])


def all_stand_ins():
    """Modality of what takes the place of the T1w image, of each participant of the group who lacks that."""
    of = [SETTLED.scans[AT_BASELINE[who]] for who, own in STUDY.scans.items() if own]
    return [found for found in map(stand_in_of, of) if found]


def anatomical(wildcards):
    """Parameter function: what a participant's pages call the image by which everything was located."""
    other = stands_in(wildcards)
    return f"image of {STAND_INS[other]}" if other else "T1w"


def stand_in(part):
    """Input function: what takes the place of the T1w image of a participant without one; none of the others."""
    return lambda wildcards: (
        expand(rules.make_stand_in.output[part], **wildcards)[0]
        if stands_in(wildcards)
        else []
    )


def at_the_baseline(function):
    """Input function: the file of another, of what stands for a participant in the group; none of other visits."""
    return lambda wildcards: (
        function(wildcards) if unit_of(wildcards) in AT_BASELINE.values() else []
    )


def standing_in(modality, *roles):
    """Input function: files, of the first role that has any, of the scan that takes the place of a T1w image."""

    def files(wildcards):
        if stands_in(wildcards) != modality:
            return []
        own = SETTLED.scans[unit_of(wildcards)][modality].files
        return list(next((own[role] for role in roles if own.get(role)), ()))

    return of_user(files)


def person(*scans):
    """Parameter function: what of a simulated participant, or visit, shows in scans."""
    plan = name_units(plan_visits(config["simulation"])).set_index("participant_id")
    return lambda wildcards: planted(plan.loc[unit_of(wildcards)].to_dict(), *scans)


def memory(*modalities):
    """Resource function: MB that a participant's job takes which holds images of these modalities.

    A modality may name a wildcard.

    It is doubled when a job is tried again, by Snakemake or in the pass after one in which jobs were stopped.
    """

    def of(own, named):
        # without a T1w image another scan stands in for it
        other = stand_in_of(own) if "t1w" in modalities else None
        return memory_mb(own, [*named, *([other] if other else [])])

    return lambda wildcards, attempt: (
        of(
            own_scans(wildcards),
            dict.fromkeys(m.format(**dict(wildcards.items())) for m in modalities),
        )
        * 2 ** (attempt - 1)
        * (2 if TRIED else 1)
    )


def of_user(function):
    """Mark an input function: it names the user's files, see follow_files."""
    function.of_user = True
    return function


def scans(modality, role):
    """Input function: files of a participant's scan in one role, none where it has none.

    The modality may name a wildcard.
    """

    def files(wildcards):
        own = own_scans(wildcards)
        named = own.get(modality.format(**dict(wildcards.items())).lower())
        return list(named.files.get(role, ())) if named else []

    return of_user(files)


def scan(modality, role):
    """Input function: the one file of a participant's scan in a role."""
    return of_user(lambda wildcards: scans(modality, role)(wildcards)[0])


@cache
def allows(model, unit):
    """Whether a unit's diffusion series has the shells for a model; simulated ones have one."""
    own = BY_UNIT.scans[unit]
    if STUDY.simulated or "dwi" not in own:
        return False
    table = [read_text(own["dwi"].files[role][0]) for role in ("bval", "bvec")]
    # the axes do not matter to how many shells there are
    return MODELS[model](read_gradients(*table, np.eye(4)))[0]


def of_model(model, path):
    """Input function: a file of a model of the diffusion signal, of a participant whose series has the shells."""
    return lambda wildcards: (
        has("dwi", path)(wildcards) if allows(model, unit_of(wildcards)) else []
    )


def distortion_of(wildcards):
    """Parameter function: how the distortion of a participant's diffusion series is corrected."""
    return own_scans(wildcards)["dwi"].distortion


def tissue_for_distortion():
    """Input functions: tissue maps of a participant whose distortion is corrected with the T1w image."""

    def part(name):
        return lambda wildcards: (
            rules.segment_t1w.output[name] if distortion_of(wildcards) == "t1w" else []
        )

    return {f"tissue_{name}": part(name) for name in ("gm", "wm", "csf")}


def having(path, units):
    """Those of the participants, or visits, in whom a file can be made."""
    return [unit for unit in units if of_each(path, [unit])[0] not in LOST_FILES]


def for_distortion(method, path):
    """Input function: a file that one method of distortion correction needs, of a participant who has that method."""
    return lambda wildcards: path if distortion_of(wildcards) == method else []


def has(modality, path, *others):
    """Input function: a file of a modality's branch, or of others, where it can be made; none elsewhere.

    The rule must be able to do without it.
    """

    def file(wildcards):
        unit = unit_of(wildcards)
        if not {modality, *others} & {*own_scans(wildcards)} or not having(
            path, [unit]
        ):
            return []
        return flag(of_each(path, [unit])[0], OPTIONAL)

    return file


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


def of_map(key):
    """Parameter function: what is declared of a map."""
    return lambda wildcards: DECLARED_MAPS[wildcards.map][key]


def of_aligned(*, others=(), **files):
    """Input function: a file, or what a function gives, by what a map is aligned to (``nothing``: it is registered)."""

    def file(wildcards):
        own = files.get(of_map("aligned")(wildcards) or "nothing", others)
        return own(wildcards) if callable(own) else own

    return file


def along_tract(place):
    """Whether a modality, or a measure of it, is one of those along the tract."""
    modality, *measure = place.split()[:2]
    own = DECLARED_MAPS.get(modality)
    return own is None or measure in ([], [MEASURE[own["quantity"]]])


def of_kind(key):
    """Parameter function: a property of the kind of maps."""
    return lambda wildcards: MAPS[wildcards.maps][key]


def everybodys(key):
    """Input function: files of a kind of maps, of all who have the modality."""
    return lambda wildcards: [
        path
        for path in of_each(
            MAPS[wildcards.maps][key], counted(MAPS[wildcards.maps]["modality"])
        )
        if path not in LOST_FILES
    ]


def without_map(wildcards):
    """Parameter function: why a participant has no map of a kind."""
    modality = MAPS[wildcards.maps]["modality"]
    return {
        who: own[modality]
        for reasons in (STUDY.left_out, STUDY.excluded)
        for who, own in reasons.items()
        if modality in own
    }


def keys_of(block, *keys):
    """Keys of a block of the config that a rule uses; it does not run again when others change."""
    return {key: config[block][key] for key in keys}


def brought(wildcards):
    """Parameter function: how the tables of measures are read. Braces in it are no wildcards."""
    return dict(
        entries=BROUGHT,
        known=list(STUDY.listed),
        reserved=[config["groups"]["column"], *columns_used(config)[1]],
        sessions=bool(config["visits"]),
    )


def group_of(who):
    """Group of a participant."""
    return STUDY.participants.set_index("participant_id").at[who, "group"]


try:
    config = read_config()
    PART = read_part()
    BAND_NORMS = read_norms_files(config) if workflow.is_main_process else []
    if config["norms"] and workflow.is_main_process:
        check_norms(
            read_norms(config["norms"]),
            config["covariates"],
            own=list(names_of(config["measure_covariates"])),
            site=config["site"],
        )
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
    # of tables and pages; those of a part do not take the place of the study's
    PLACE = f"{RESULTS}/{FOLDER}/{PART}" if PART else RESULTS
    LOGS = f"{RESULTS}/logs"
    # where packages keep what they find out about fonts and the like: not in somebody's home folder
    for variable in ("MPLCONFIGDIR", "NIPYPE_CONFIG_DIR"):
        place = Path(RESULTS, "resources", "cache", variable.split("_")[0].lower())
        os.environ.setdefault(variable, str(place.resolve()))
    SETTLED = BY_UNIT = read_study()
    AS_A_WHOLE = config
    if PART:
        BY_UNIT, config = narrow_study(SETTLED, PART), narrow_config(config, PART)
    if workflow.is_main_process and WITHOUT_FAILED not in os.environ:
        print(*first_look(BY_UNIT, config, tools=TOOLS), sep="\n", file=sys.stderr)
    MODALITIES = [m for own in config["modalities"] for m in DERIVED.get(own, (own,))]
    DECLARED_MAPS = maps_of(config)
    # Where they lie on the T1w image is judged, and drawn.
    JUDGED = [name for name, own in DECLARED_MAPS.items() if own["aligned"] != ITSELF]
except InputError as error:
    # not as an exception: Snakemake would add its own source lines to what is wrong
    print(error, file=sys.stderr)
    sys.exit(1)
# What participants go on without, in the pass after one in which jobs failed; and jobs, by a file that they make,
# that have been tried once more.
LOSSES, TRIED = {}, set()
if WITHOUT_FAILED in os.environ:
    lost = read_json(os.environ[WITHOUT_FAILED])
    LOSSES = {who: Loss(**own) for who, own in lost["losses"].items()}
    TRIED = set(lost["tried"])
LOST_FILES = {path for loss in LOSSES.values() for path in loss.files}
# What is scanned: participants, or their visits. The group's tables and maps have each participant once, at the
# baseline: STUDY; AT_BASELINE is which visit that is.
NAMED = (config["visits"] or {}).get("baseline")
SEEN_FIRST = at_baseline(BY_UNIT, NAMED)[1]
BY_UNIT = without(BY_UNIT, LOSSES)
STUDY, AT_BASELINE = at_baseline(BY_UNIT, NAMED)
STUDY = replace(STUDY, notes=(*STUDY.notes, *moved_baselines(SEEN_FIRST, AT_BASELINE)))
VISITS = BY_UNIT.visits is not None
# Folder and name of a participant's files, or of a visit's, below a dataset and the results.
WHO = "sub-{subject}_ses-{session}" if VISITS else "sub-{subject}"
WHERE = "sub-{subject}/ses-{session}" if VISITS else "sub-{subject}"
if config["t1w"]["template"] == "study" and STUDY.scans and not counted():
    print(
        "t1w.template: no T1w image is left to make the study's template of; set it to mni, or look at what was left "
        "out and excluded",
        file=sys.stderr,
    )
    sys.exit(1)
# Tables of measures that somebody brings, and what reading them takes.
BROUGHT = [*config["measures"], *config["tables"]]
BROUGHT_FILES = dict(tables=files_of(BROUGHT), described=dictionaries_of(BROUGHT))
