"""What a run leaves behind, on one screen: who is done, who lacks what and why, what is flagged, where it all is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mndmri.cohort.failures import Loss, stages
from mndmri.cohort.records import Study
from mndmri.io import read_table
from mndmri.tables.qc import FLAGGED
from mndmri.tables.visits import name_units
from mndmri.tables.words import name_people

ABSENT = "not in the dataset"
# What to open first, if it is there.
_PLACES = {"Report": "group/report.html", "Quality": "qc/index.html", "Tables": "group", "Logs": "logs"}


def last_look(
    study: Study,
    losses: Mapping[str, Loss],
    results: str | Path,
    modalities: Sequence[str],
    *,
    logs: str | Path,
    failed: Sequence[Mapping[str, str]] = (),
) -> list[str]:
    """Lines of the last screen.

    Parameters
    ----------
    study : Study
        Less what was lost (`mndmri.cohort.failures.without`).
    losses : mapping
        What was lost because jobs failed, by participant, or visit.
    results : path
        The study's folder of results.
    modalities : sequence of str
        Those that the study has.
    logs : path
        Folder of the logs, a folder a rule.
    failed : sequence of mapping
        ``job, reason, log`` of jobs of the whole study that failed.

    Returns
    -------
    list of str
        People with every modality; for each reason of a modality that is missing, whom it concerns, and the log of
        what failed; flags of qc.tsv, if it has been made; and paths of what there is.
    """
    results = Path(results)
    lines = []
    if study.scans:
        lines += _people(study, losses, modalities, Path(logs))
    lines += failed_jobs(failed)
    if study.scans and study.visits is None:
        lines += _flags(results / "qc/qc.tsv", "participants")
    elif study.scans:
        lines += _flags(results / "qc/qc_visits.tsv", "visits")
    return [*lines, *places(results)]


def failed_jobs(failed: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each job, with the reason and the log.

    Parameters
    ----------
    failed : sequence of mapping
        ``job, reason, log``.
    """
    return [f"Failed: {own['job']} ({own['reason']}); log: {own['log']}" for own in failed]


def places(results: str | Path) -> list[str]:
    """Paths of what there is to look at."""
    results = Path(results)
    there = {name: results / path for name, path in _PLACES.items() if (results / path).exists()}
    return [f"{name + ':':<9}{path.resolve()}" for name, path in there.items()]


def _people(study: Study, losses: Mapping[str, Loss], modalities: Sequence[str], logs: Path) -> list[str]:
    """How many have everything, and what the others lack, failures last."""
    had = {part for own in study.scans.values() for part in own}
    had |= {part for loss in losses.values() for part in loss.reasons}
    modalities = [modality for modality in modalities if modality in had]
    complete, lacking = [], dict[tuple[bool, str, str], list[str]]()
    # what is made of all visits of a person fails under the person's own name
    for who in dict.fromkeys([*study.scans, *losses]):
        parts = stages(study, losses, who, modalities) if who in study.scans else []
        missing = [own for own in parts if own["status"] != "done"]
        missing += [
            {"stage": part, "status": "failed", "reason": "; ".join(why)}
            for part, why in (losses[who].reasons if who in losses else {}).items()
            if part not in modalities
        ]
        if not missing:
            complete.append(who)
        for own in missing:
            lacking.setdefault((own["status"] == "failed", own["stage"], own["reason"]), []).append(who)
    scanned = "participants" if study.visits is None else "visits"
    lines = [f"Done: {len(complete)} of {len(study.scans)} {scanned} with {', '.join(modalities)}"]
    for (failed, part, why), whom in sorted(lacking.items()):
        log = f"; log: {log_of(why, whom, logs)}" if failed else ""
        lines.append(f"{'Failed' if failed else 'Without'}: {part} of {name_people(whom)} ({why or ABSENT}){log}")
    return lines


def log_of(reason: str, whom: Sequence[str], logs: str | Path) -> Path:
    """Log of the job that failed, or the folder of its rule's logs where several people are concerned.

    Parameters
    ----------
    reason : str
        As in `Loss`: it begins with the job's rule, and which of several of a participant.
    whom : sequence of str
        participant_id.
    logs : path
    """
    rule, *of_several = reason.split(" failed: ", 1)[0].split()
    folder = Path(logs, rule)
    own = folder / f"{'_'.join([whom[0], *of_several])}.log"
    return own if len(whom) == 1 and own.exists() else folder


def _flags(path: Path, scanned: str) -> list[str]:
    """Whose quality is to be looked at, and how many values are flagged."""
    if not path.is_file():
        return []
    table = name_units(read_table(path))
    flagged = table[table["flag"] == FLAGGED]
    if flagged.empty:
        return ["Flagged: nobody"]
    counts = flagged["participant_id"].value_counts(sort=False)
    people = name_people([f"{who} ({count})" for who, count in counts.items()])
    kinds = flagged.groupby(["modality", "measure"], sort=False)["participant_id"].unique()
    return [f"Flagged: {len(flagged)} values of {len(counts)} {scanned}: {people}"] + [
        f"  {modality} {measure}: {name_people(list(whom))}" for (modality, measure), whom in kinds.items()
    ]
