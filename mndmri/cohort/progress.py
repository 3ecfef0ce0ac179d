"""How far a run is: participants by stage, what failed, and how long the rest will take by measured times."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
# Seconds of a job of three real people (T1w, diffusion, one gradient echo), by rule, on one core; of rules that are not
# listed, those of reading and writing a table.
STORED_S = {
    "align_map": 49, "build_anatomy": 57, "check_comparisons": 12, "check_gradients": 9, "classify_groups": 12,
    "compare_groups": 12, "compare_profiles": 9, "draw_participant": 16, "draw_thumbnails": 7, "extract_cst": 16,
    "fit_tensor": 20, "locate_regions": 102, "map_susceptibility": 14, "measure_qsm": 11, "measure_map": 104,
    "measure_swi": 23, "measure_thickness": 20, "prepare_template": 52, "preprocess_dwi": 237, "preprocess_t1w": 36,
    "register_t1w": 100, "segment_t1w": 128, "smooth_fa": 13, "smooth_swi": 16, "track_cst": 63, "unfold_sulcus": 8,
}  # fmt: skip
_OTHERS_S = 4.0
_READ = 10  # benchmarks of a rule
# Share of the work from which the run's own pace is taken in the place of the number of jobs at once.
_PACE_FROM = 0.1


class Task(NamedTuple):
    """A job of the run."""

    rule: str
    who: str
    """participant_id; empty for a job of the whole study."""
    stage: str
    """Modality that it belongs to; of a job of the whole study, any name."""
    needs: Sequence[int]
    """Places in the list of the jobs that must be done before."""


class Rest(NamedTuple):
    """What is left of a run."""

    seconds: float
    measured: bool
    """Whether jobs of this study have been timed; otherwise by those of other people."""
    share_done: float
    """Of the time of all jobs but the failed ones and what needs them, 0 to 1."""


def measured_seconds(benchmarks: str | Path) -> dict[str, float]:
    """Median time of the jobs of each rule, s.

    Parameters
    ----------
    benchmarks : path
        Folder of Snakemake's benchmarks, a folder a rule; of each, some are read.
    """
    found = {}
    for folder in Path(benchmarks).glob("*/"):
        times = []
        for path in islice(folder.glob("*.tsv"), _READ):
            # the first number of the second line; a file that is being written has none
            with suppress(OSError, ValueError, IndexError):
                times.append(float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0]))
        if times:
            found[folder.name] = statistics.median(times)
    return found


def expected_seconds(rules: Iterable[str], measured: Mapping[str, float]) -> dict[str, float]:
    """Time of a job of each rule, s: as measured in this study, otherwise in others, at this study's pace.

    Parameters
    ----------
    rules : iterable of str
    measured : mapping
        From `measured_seconds`.
    """
    known = {rule: time for rule, time in measured.items() if time > 0}
    stored = sum(STORED_S.get(rule, _OTHERS_S) for rule in known)
    pace = sum(known.values()) / stored if known else 1.0
    return {rule: known.get(rule, pace * STORED_S.get(rule, _OTHERS_S)) for rule in rules}


def time_left(
    tasks: Sequence[Task],
    states: Sequence[str],
    measured: Mapping[str, float],
    *,
    at_once: int,
    elapsed_s: float,
) -> Rest:
    """How long the rest of a run will take.

    Parameters
    ----------
    tasks, states
        The jobs that the run has to do, each before those that need it, and how it stands with each: ``waiting``,
        ``running``, ``done`` or ``failed``.
    measured : mapping
        From `measured_seconds`.
    at_once : int
        How many jobs run at once.
    elapsed_s : float
        Since the run began.

    Notes
    -----
    The work that is left, over the pace of the run, and not less than the longest chain of jobs that wait for each
    other. What needs a failed job does not run and takes no time; half of a running job is left.
    """
    seconds = expected_seconds({task.rule for task in tasks}, measured)
    done = left = whole = 0.0
    chains = [0.0] * len(tasks)
    lost: set[int] = set()
    for n, (task, state) in enumerate(zip(tasks, states, strict=True)):
        if state == FAILED or lost & set(task.needs):
            lost.add(n)
            continue
        whole += seconds[task.rule]
        done += seconds[task.rule] if state == DONE else 0.0
        own = {DONE: 0.0, RUNNING: 0.5}.get(state, 1.0) * seconds[task.rule]
        left += own
        chains[n] = own + max((chains[before] for before in task.needs), default=0.0)
    pace = float(max(at_once, 1))
    share = done / whole if whole else 1.0
    if elapsed_s > 0 and share > _PACE_FROM:
        pace = done / elapsed_s
    return Rest(max(left / pace, max(chains, default=0.0)), bool(measured), share)


def people_by_stage(
    tasks: Sequence[Task], states: Sequence[str], stages: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    """How each participant stands in each stage.

    Parameters
    ----------
    tasks, states
        As in `time_left`.
    stages : mapping
        Stage to the participants who have it; what has no job left to do is done.

    Returns
    -------
    dict
        Stage to participant_id to ``failed``, ``running``, ``waiting`` or ``done``.
    """
    table = {stage: dict.fromkeys(people, DONE) for stage, people in stages.items()}
    ranks = [DONE, WAITING, RUNNING, FAILED]
    # a stage of which a part is done and another waits is under way
    begun = {(task.stage, task.who) for task, state in zip(tasks, states, strict=True) if state == DONE}
    for task, state in zip(tasks, states, strict=True):
        own = table.get(task.stage, {})
        if task.who in own:
            here = RUNNING if state == WAITING and (task.stage, task.who) in begun else state
            own[task.who] = max(own[task.who], here, key=ranks.index)
    return table


def duration(seconds: float) -> str:
    """A time for a reader, as exact as it can be known: ``about 40 min``, ``about 3 h 20 min``."""
    if seconds < 90:
        return "about a minute"
    minutes = round(seconds / 60)
    if minutes >= 20:
        minutes = 10 * round(minutes / 10)
    hours, minutes = divmod(minutes, 60)
    if hours >= 10:
        return f"about {hours + (minutes >= 30)} h"
    return "about " + " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min")) if n)


def progress_line(
    table: Mapping[str, Mapping[str, str]], tasks: Sequence[Task], states: Sequence[str], rest: Rest
) -> str:
    """How far the run is, on one line.

    Parameters
    ----------
    table : mapping
        From `people_by_stage`.
    tasks, states
        As in `time_left`.
    rest : Rest
    """
    counts = [f"{stage} {list(own.values()).count(DONE)} of {len(own)}" for stage, own in table.items() if own]
    parts = [f"participants done: {', '.join(counts)}"] if counts else []
    study = study_jobs(tasks, states)
    parts.append(f"group {study[DONE]} of {study['all']} steps")
    for word in (RUNNING, FAILED):
        if number := list(states).count(word):
            parts.append(f"{number} job{'s' * (number > 1)} {word}")
    parts.append(f"{duration(rest.seconds)} left{'' if rest.measured else ' (by the times of other people)'}")
    return "Progress: " + "; ".join(parts)


def study_jobs(tasks: Sequence[Task], states: Sequence[str]) -> dict[str, int]:
    """How many jobs of the whole study there are, as ``all``, and are in each state."""
    own = [state for task, state in zip(tasks, states, strict=True) if not task.who]
    return {"all": len(own)} | {state: own.count(state) for state in (DONE, RUNNING, WAITING, FAILED)}
