"""Consequences of failed jobs: the measures and modalities that a participant loses, and no others.

Each job belongs to a branch, a modality that is measured as a whole or left out. A job that fails takes its branch
away, unless it stands alone: then what it makes is missing, and the rest of the branch is there. Either way, what
needs a missing file cannot be made either.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mndmri.cohort.records import Study
from mndmri.tables.decisions import of_scans

# What else is made of a modality's scan, or judged by what is made of it: `settle` divides a gradient-echo scan, and
# susceptibility is measured outside the veins that the SWI shows.
GONE_WITH = {"swi": ("qsm", "r2star")}
# Options of Snakemake that make jobs run again; none of them for a pass that finishes another.
FORCING = ("-F", "--forceall", "-f", "--force")


@dataclass(frozen=True)
class Job:
    """A participant's job."""

    name: str
    """Rule, and which of several of a participant, such as ``measure_map flair``."""
    participant_id: str
    branch: str
    """Modality that it makes; of one that stands alone, any name for what it makes."""
    alone: bool
    """True if its branch can be measured without it."""
    needs: frozenset[str]
    """Files without which it cannot run; those that it takes only if they are there are none of them."""
    makes: frozenset[str]
    reason: str | None = None
    """Why it failed; None if it did not."""


@dataclass(frozen=True)
class Loss:
    """Losses of a participant, as JSON."""

    scans: Sequence[str]
    """Modalities that are left out."""
    files: Sequence[str]
    """Files that cannot be made."""
    reasons: Mapping[str, Sequence[str]]
    """Which jobs failed and why, for each modality, or other branch, of which something is missing."""


def find_losses(study: Study, jobs: Iterable[Job]) -> dict[str, Loss]:
    """Losses of each participant with failed jobs.

    Parameters
    ----------
    study : Study
    jobs : iterable of Job
        All jobs of participants, the failed ones and what may rest on them.

    Returns
    -------
    dict
        ``participant_id`` to `Loss`; nobody in whom nothing failed.
    """
    people: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: (job.participant_id, job.name)):
        people.setdefault(job.participant_id, []).append(job)
    return {
        who: _find_loss(study.scans.get(who, {}), own)
        for who, own in people.items()
        if any(job.reason is not None for job in own)
    }


def _find_loss(scans: Collection[str], jobs: Sequence[Job]) -> Loss:
    """Losses of one participant with these modalities and jobs."""
    gone: set[str] = set()
    files: set[str] = set()
    reasons: dict[str, list[str]] = {}
    for failed in jobs:
        if failed.reason is None:
            continue
        for job in _resting_on(failed, jobs):
            files |= job.makes
            parts = [job.branch] if job.alone else _with_branch(job.branch, scans)
            for part in parts:
                if job is failed or part in scans:
                    reason = f"{failed.name} failed: {failed.reason}"
                    reasons[part] = list(dict.fromkeys([*reasons.get(part, ()), reason]))
            if not job.alone:
                gone |= set(parts)
    return Loss(sorted(gone), sorted(files), reasons)


def _resting_on(failed: Job, jobs: Iterable[Job]) -> list[Job]:
    """A job, and those that cannot run without what it makes, directly or through others."""
    lost, rest = [failed], [job for job in jobs if job is not failed]
    while more := [job for job in rest if any(job.needs & other.makes for other in lost)]:
        lost += more
        rest = [job for job in rest if job not in more]
    return lost


def _with_branch(branch: str, scans: Collection[str]) -> list[str]:
    """Modalities of a participant that go with a branch: without a T1w all, as from the start (`settle`)."""
    gone = scans if branch == "t1w" else (branch, *GONE_WITH.get(branch, ()))
    return [modality for modality in gone if modality in scans]


def add_losses(before: Mapping[str, Loss], found: Mapping[str, Loss]) -> dict[str, Loss]:
    """Losses of an earlier pass, and those found after it. Equal to the earlier ones if there is nothing new."""
    together = dict(before)
    for who, loss in found.items():
        own = together.get(who, Loss([], [], {}))
        reasons = {part: list(why) for part, why in own.reasons.items()}
        for part, why in loss.reasons.items():
            reasons[part] = list(dict.fromkeys([*reasons.get(part, ()), *why]))
        scans, files = {*own.scans, *loss.scans}, {*own.files, *loss.files}
        together[who] = Loss(sorted(scans), sorted(files), reasons)
    return together


def without(study: Study, losses: Mapping[str, Loss]) -> Study:
    """The study less the modalities that were lost, with the reasons among those of what was left out."""
    scans = {who: dict(own) for who, own in study.scans.items()}
    left_out = {who: dict(reasons) for who, reasons in study.left_out.items()}
    for who, loss in losses.items():
        if who in scans:  # not of somebody whose scans are those of visits
            scans[who] = {modality: scan for modality, scan in scans[who].items() if modality not in loss.scans}
        left_out.setdefault(who, {}).update({part: "; ".join(why) for part, why in loss.reasons.items()})
    return replace(study, scans=scans, left_out=left_out, excluded=of_scans(study.excluded, scans))


def failures(losses: Mapping[str, Loss]) -> dict[str, str]:
    """Failed jobs of each participant with a loss, and the reasons, each once."""
    every = {who: [reason for why in loss.reasons.values() for reason in why] for who, loss in losses.items()}
    return {who: "; ".join(dict.fromkeys(reasons)) for who, reasons in every.items()}


def stages(study: Study, losses: Mapping[str, Loss], who: str, modalities: Iterable[str]) -> list[dict[str, str]]:
    """What became of each modality of a participant: ``done``, ``excluded``, ``left out`` or ``failed``, and why.

    Parameters
    ----------
    study : Study
        The study `without` what was lost.
    losses : mapping
        As returned by `find_losses`.
    who : str
        participant_id.
    modalities : iterable of str
        Those that the study has.
    """
    lost = losses[who].reasons if who in losses else {}
    excluded = study.excluded.get(who, {})
    reasons = {**study.left_out.get(who, {}), **excluded}
    table = []
    for modality in modalities:
        if modality in lost:
            status = "failed"
        else:
            status = "done" if modality in study.scans[who] else "left out"
            status = "excluded" if modality in excluded else status
        table.append({"stage": modality, "status": status, "reason": reasons.get(modality, "")})
    return table


def next_pass(arguments: Iterable[str]) -> list[str]:
    """Arguments of Snakemake for a pass after one in which jobs failed: the same, but nothing is made twice.

    The pass works in the folder that the one before has locked.
    """
    return ["--nolock", *(argument for argument in arguments if argument not in FORCING)]
