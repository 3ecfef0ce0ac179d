"""Which files of a BIDS dataset are a participant's scans."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mndmri.cohort import bids
from mndmri.cohort.diffusion_series import find_dwi, planned_distortion
from mndmri.cohort.given import look_at_tables
from mndmri.cohort.maps import find_map, missing_folders
from mndmri.cohort.readings import load_readings
from mndmri.cohort.records import Problem, Scan, Study, may_stand_in
from mndmri.cohort.search import Found, dangling, is_hidden, matches, names, sidecars, too_many
from mndmri.cohort.table import count_left_out, listed_ids, load_participants
from mndmri.cohort.visits import beside_sessions, borrow_t1w, find_units, match_units, spread, when_seen
from mndmri.io import InputError
from mndmri.phantom.plan import MAP_FILES, plan_visits
from mndmri.tables.cases import number_cases
from mndmri.tables.columns import SESSION
from mndmri.tables.decisions import EVERYTHING, EXCLUDED, collect_decisions
from mndmri.tables.given import PARTICIPANT
from mndmri.tables.maps import maps_of
from mndmri.tables.rated import collect_ratings
from mndmri.tables.visits import MONTHS, in_order, name_units
from mndmri.tables.words import name_people
from mndmri.units import folder_of, split_unit

# Susceptibility-weighted images under the names that BIDS and its proposals give them.
SWI_PATTERNS = tuple(
    f"{folder}/*_{suffix}.nii*" for folder in ("swi", "anat") for suffix in ("swi", "GRE", "MEGRE", "T2starw", "Chimap")
)

_PROJECTED = "each voxel is the darkest of several slices, and no bank of a sulcus is left"


def find_scans(
    bids_dir: str | Path, participant_id: str, config: Mapping[str, Any]
) -> tuple[dict[str, Scan], list[Problem]]:
    """Scans of one participant by modality, or of one visit, and problems in using them.

    Patterns are searched in the participant's folder and in its session folders; of a visit, in the session's. A T1w
    image that is missing is a problem, but of a visit; another modality that is missing is not.

    Parameters
    ----------
    bids_dir : path
        Root of the dataset.
    participant_id : str
        With ``sub-``; of a visit, its unit (`mndmri.units`).
    config : mapping
        Resolved config.

    Returns
    -------
    scans : dict
        Modality to `Scan`; without an entry where there is none or it is not clear which.
    problems : list of Problem
    """
    root = Path(bids_dir)
    folder, session = root / folder_of(participant_id), split_unit(participant_id)[1]
    if not folder.is_dir():
        message = (
            f"{participant_id}: no folder {folder}; correct the id in the participants table, "
            "or exclude the participant"
        )
        return {}, [Problem(message, participant_id, "t1w")]
    scans: dict[str, Scan] = {}
    problems: list[Problem] = []
    for modality in config["modalities"]:
        try:
            find = _FIND.get(modality)
            found = find(folder, root, config) if find else find_map(modality, folder, root, config)
        except InputError as error:  # a sidecar that cannot be read
            found = Found({}, [str(error)])
        links = [path for paths in found.files.values() for path in paths if dangling(path)]
        if links:
            message = (
                f"{names(links, folder)}: a link to a file that is not there; fetch it (datalad get), or restore it"
            )
            found = Found({}, [message])
        problems += [Problem(f"{participant_id}: {message}", participant_id, modality) for message in found.problems]
        if found.files and not found.problems:
            files = {role: tuple(map(str, paths)) for role, paths in found.files.items() if paths}
            declared = None if modality in _FIND else maps_of(config)[modality]
            scans[modality] = Scan(modality, files, found.distortion, found.notes, declared)
    if not scans and not problems and not session:
        problems.append(Problem(f"{participant_id}: {_no_t1w(folder, config)}", participant_id, "t1w"))
    return scans, problems


def _no_t1w(folder: Path, config: Mapping[str, Any]) -> str:
    """What to do about a participant without a T1w image."""
    here = sorted(path for path in folder.rglob("*T1w*") if path.is_file() and not is_hidden(path, folder))
    hint = f"; there are {names(here, folder)}" if here else ""
    alone = "" if may_stand_in(config) else " (of a scan alone, see dwi.without_t1w and swi.without_t1w)"
    return (
        f"no T1w image matches {config['t1w']['pattern']} in {folder}{hint}; every measure needs one{alone}: "
        "correct t1w.pattern, or exclude the participant"
    )


def _find_t1w(folder: Path, root: Path, config: Mapping[str, Any]) -> Found:
    wanted = config["t1w"]
    images = matches(folder, [wanted["pattern"]])
    if not images:
        return Found({}, [] if may_stand_in(config) or config["visits"] else [_no_t1w(folder, config)])
    if len(images) > 1:
        return Found({}, [too_many(images, folder, "t1w", "one T1w image is used")])
    files, problems = {"image": images, "json": sidecars(images, root)}, []
    for role, what in (("mask", "brain masks"), ("parcellation", "parcellations")):
        pattern = wanted[f"{role}_pattern"]
        files[role] = [] if pattern is None else matches(folder, [pattern])
        if pattern is not None and len(files[role]) != 1:
            listed = f": {names(files[role], folder)}" if files[role] else ""
            problems.append(
                f"{len(files[role]) or 'no'} {what} match t1w.{role}_pattern {pattern}{listed}; exactly one is used"
            )
    pattern = wanted["surface_stats_pattern"]
    files["surface_stats"] = [] if pattern is None else matches(folder, [pattern])
    if pattern is not None and len(files["surface_stats"]) < 2:
        problems.append(
            f"{len(files['surface_stats']) or 'no'} tables match t1w.surface_stats_pattern {pattern}; "
            "lh.aparc.stats and rh.aparc.stats are used of everyone"
        )
    return Found(files, problems)


def _swi_role(path: Path) -> str | None:
    """Role of a susceptibility image by its name, None for one that cannot be used."""
    found, suffix = bids.entities(path)
    part = found.get("part")
    if part in ("mag", "phase"):
        return {"mag": "magnitude", "phase": "phase"}[part]
    if part is not None:
        return None
    return {"swi": "swi", "Chimap": "chimap"}.get(suffix, "magnitude")


def _is_projection(path: Path, root: Path) -> bool:
    """Whether an image is a scanner's minimum-intensity projection, by its name or its sidecar (Siemens: MNIP)."""
    found, suffix = bids.entities(path)
    words = [*found.values(), suffix, *map(str, bids.sidecar(path, root).get("ImageType") or ())]
    return any("minip" in word.lower() or word.upper() in ("MNIP", "MIN IP") for word in words)


def _find_swi(folder: Path, root: Path, config: Mapping[str, Any]) -> Found:
    matched = matches(folder, config["swi"]["patterns"] or SWI_PATTERNS)
    images = [path for path in matched if not _is_projection(path, root)]
    roles: dict[str, list[Path]] = {"swi": [], "magnitude": [], "phase": [], "chimap": []}
    problems, notes = [], []
    if len(images) < len(matched):
        notes.append(f"minimum-intensity projections are not used: {_PROJECTED}")
    if matched and not images:
        problems.append(
            f"{names(matched, folder)}: a minimum-intensity projection, no SWI: {_PROJECTED}; add the SWI or the "
            "magnitude, or set swi.patterns so that it does not match"
        )
    for path in images:
        role = _swi_role(path)
        if role is None:
            problems.append(
                f"{path.name}: real and imaginary parts are not read; convert them to part-mag and part-phase, "
                "or set swi.patterns so that they do not match"
            )
        else:
            roles[role].append(path)
    for role, what in (("swi", "one SWI is used"), ("chimap", "one susceptibility map is used")):
        if len(roles[role]) > 1:
            problems.append(too_many(roles[role], folder, "swi", what))
    if roles["swi"] and roles["phase"] and not roles["magnitude"]:
        notes.append("a phase image beside the SWI, without its magnitude, is not used: scanners filter such a phase")
        roles["phase"] = []
    gradient_echo = [*roles["magnitude"], *roles["phase"]]
    # what is left of a name without echo and part is the series
    series = {
        (
            path.parent,
            bids.entities(path)[1],
            *((k, v) for k, v in bids.entities(path)[0].items() if k not in ("echo", "part")),
        )
        for path in gradient_echo
    }
    if len(series) > 1:
        problems.append(too_many(gradient_echo, folder, "swi", "one gradient-echo series is used"))
    for role in ("magnitude", "phase"):
        roles[role].sort(key=bids.echo_number)
    if not problems and roles["phase"]:
        magnitude, phase = ([bids.echo_number(path) for path in roles[role]] for role in ("magnitude", "phase"))
        if magnitude != phase:
            lacking = [path.name for path in roles["phase"] if bids.echo_number(path) not in magnitude]
            spare = [path.name for path in roles["magnitude"] if bids.echo_number(path) not in phase]
            problems.append(
                "; ".join(
                    [
                        *([f"phase without magnitude: {', '.join(lacking)}"] if lacking else []),
                        *([f"magnitude without phase: {', '.join(spare)}"] if spare else []),
                        "each echo needs both parts; add the files (part-mag, part-phase), or set swi.patterns",
                    ]
                )
            )
    return Found({**roles, "json": sidecars(images, root)} if images else {}, problems, notes=tuple(notes))


_FIND: dict[str, Callable[[Path, Path, Mapping[str, Any]], Found]] = {
    "t1w": _find_t1w,
    "dwi": find_dwi,
    "swi": _find_swi,
}


def load_study(config: Mapping[str, Any], *, participants_table: pd.DataFrame) -> Study:
    """The study: its participants, and which files are their scans.

    No exception is raised for problems: they are in ``problems``, so that they can be reported
    together with what `mndmri.cohort.check_study` finds (see `mndmri.cohort.settle`).

    Parameters
    ----------
    config : mapping
        Resolved config. With ``simulation``, the files are named as the simulation will write them; with
        ``measures`` nobody has any.
    participants_table : DataFrame
        The dataset's table; for a simulation the planned one, with columns has_dwi and has_swi.

    Returns
    -------
    Study
    """
    read = _read_readings(config, participants_table)
    config = dict(config) | {"exclude": {**read.people, **config["exclude"]}}
    participants, problems = load_participants(participants_table, config)
    problems += [Problem(message) for message in read.problems]
    labels, excluded = count_left_out(participants_table, config)
    notes = [
        f"{count} with the label '{label}' left out: in no group of groups.levels" for label, count in labels.items()
    ]
    notes += [f"{who} excluded: {why}" for who, why in excluded.items()]
    brought = look_at_tables(config, participants_table, participants)
    problems += brought.problems
    notes += [*read.notes, *brought.notes]
    apart = {**read.study, "listed": tuple(listed_ids(participants_table)), "others": brought.others}
    if config["measures"]:
        return Study(participants, {}, {}, "", tuple(problems), tuple(notes), **apart)
    root = Path(config["bids_dir"])
    visits: pd.DataFrame | None = None
    simulated = config["simulation"] is not None
    scans: dict[str, dict[str, Scan]] = {}
    if simulated:
        notes.append(f"{len(participants)} simulated participants")
        plan = plan_visits(config["simulation"]) if config["visits"] else participants_table
        plan = plan[plan[PARTICIPANT].isin(participants[PARTICIPANT])].reset_index(drop=True)
        scans = _planned_scans(root, name_units(plan), config)
        if config["visits"]:
            visits = plan[[PARTICIPANT, SESSION, MONTHS, *config["visits"]["scores"]]]
            apart["excluded"] = spread(apart.get("excluded", {}), scans)
    elif config["dwi"]["dir"] and not Path(config["dwi"]["dir"]).is_dir():
        problems.append(Problem(f"dwi.dir: no such folder {config['dwi']['dir']}; correct the path"))
    elif missing := missing_folders(config):
        problems += [Problem(text) for text in missing]
    elif not root.is_dir():
        problems.append(Problem(f"bids_dir: no such folder {root}; give the path of the BIDS dataset"))
    else:
        for participant in dict.fromkeys(participants["participant_id"]):
            units, found = find_units(root, participant) if config["visits"] else ([], [])
            problems += found
            for unit in units or [participant]:
                scans[unit], found = find_scans(root, unit, config)
                problems += found
            if config["visits"] and not units:
                problems += _outside_sessions(participant, scans[participant])
        if config["visits"]:
            seen = when_seen(
                config, scans, known=listed_ids(participants_table), studied=list(participants["participant_id"])
            )
            visits = seen.table
            problems += [Problem(text) for text in seen.problems]
            notes += [*seen.notes, *beside_sessions(root, scans)]
            scans = in_order(scans, visits)
            said = match_units(apart.get("excluded", {}), scans)
            if nowhere := [unit for unit in said if split_unit(unit)[1] and unit not in scans]:
                notes.append(f"decisions: {name_people(nowhere)} have no scans; correct the session")
            apart["excluded"] = spread(said, scans)
            if config["visits"]["t1w_from"] == "nearest":
                scans, reasons = borrow_t1w(scans, visits, apart["excluded"])
                for unit, why in reasons.items():
                    apart["excluded"][unit] = {"t1w": why} | apart["excluded"].get(unit, {})
        problems += _nobodys(scans, problems, config)
        notes += _decided(scans)
        notes += _other_sessions(root, scans)
        notes += _unlisted(root, participants_table)
    left_out = {
        unit: {
            modality: "no file in the dataset"
            for modality in config["modalities"]
            if modality not in scans.get(unit, {})
        }
        for unit in scans or participants["participant_id"]
    }
    apart["visits"] = visits
    return Study(participants, scans, left_out, str(root), tuple(problems), tuple(notes), simulated, **apart)


def _outside_sessions(participant: str, scans: Mapping[str, Scan]) -> list[Problem]:
    """That scans of a study of visits lie outside a session's folder."""
    return [
        Problem(
            f"{participant}: {Path(scan.all_files()[0]).name} lies in no folder ses-*, and visits asks for sessions; "
            f"move {participant}'s scans into one, as {participant}/ses-01",
            participant,
            modality,
        )
        for modality, scan in scans.items()
    ]


class _Readings(NamedTuple):
    """What raters have said of a study."""

    people: dict[str, str]  # excluded as a whole, with the reason
    problems: list[str]
    notes: list[str]
    study: dict[str, Any]  # attributes of the `Study`


def _read_readings(config: Mapping[str, Any], table: pd.DataFrame) -> _Readings:
    """Ratings and decisions that the config names."""
    listed = listed_ids(table)
    cases = number_cases(listed, seed=config["reader"]["seed"])
    if not config["ratings"] and not config["decisions"]:
        return _Readings({}, [], [], {"cases": cases})
    studied = list(load_participants(table, config)[0]["participant_id"])
    read, seen = (load_readings(config[kind], kind, cases) for kind in ("decisions", "ratings"))
    visits = bool(config["visits"]) and not config["measures"]
    decided = collect_decisions(read.sources, studied=studied, listed=listed, maps=config["maps"], visits=visits)
    people = {
        who: why[EVERYTHING].replace(EXCLUDED, "by reader")
        for who, why in decided.excluded.items()
        if EVERYTHING in why
    }
    left = [who for who in studied if who not in people]
    rated = collect_ratings(seen.sources, studied=left, listed=listed)
    rows = decided.table.astype(object).where(decided.table.notna(), "").to_dict("records")
    return _Readings(
        people,
        [*read.problems, *decided.problems, *seen.problems, *rated.problems],
        [*decided.notes, *rated.notes],
        {
            "cases": cases,
            "excluded": decided.excluded,
            "decisions": tuple(rows),
            "rated": seen.paths,
        },
    )


def _decided(scans: Mapping[str, Mapping[str, Scan]]) -> list[str]:
    """Decisions made for lack of data, each once with its participants."""
    whom: dict[str, list[str]] = {}
    for participant, own in scans.items():
        for note in (note for scan in own.values() for note in scan.notes):
            whom.setdefault(note, []).append(participant)
    return [f"{name_people(people)}: {note}" for note, people in whom.items()]


def _nobodys(
    scans: Mapping[str, Mapping[str, Scan]], problems: Sequence[Problem], config: Mapping[str, Any]
) -> list[Problem]:
    """A modality of the study that nobody has, nor would have if it could be read."""
    faulty = {problem.modality for problem in problems}
    had = {modality for own in scans.values() for modality in own} | faulty
    # of people without visits each is told who lacks the T1w image; a visit may lack it
    unasked = () if config["visits"] and not may_stand_in(config) else ("t1w",)
    missing = [modality for modality in config["modalities"] if modality not in had and modality not in unasked]
    blocks = {**config, **config["maps"]}
    patterns = {m: blocks[m].get("pattern") or ", ".join(blocks[m]["patterns"] or SWI_PATTERNS) for m in missing}
    return [
        Problem(
            f"modalities: nobody has {modality}: no file matches {patterns[modality]} in any participant's folder; "
            + (
                "correct t1w.pattern; every measure needs a T1w image"
                if modality == "t1w"
                else f"correct the pattern in {modality}, or take {modality} out of modalities"
                if modality in config
                else f"correct maps.{modality}.pattern or dir, or take {modality} out of maps"
            )
        )
        for modality in missing
        if scans
    ]


def _other_sessions(root: Path, scans: Mapping[str, Mapping[str, Scan]]) -> list[str]:
    """A note on modalities that are of another session than the T1w image."""
    whom: dict[str, list[str]] = {}
    for who, own in scans.items():
        sessions = {m: {bids.session(path) for path in scan.all_files()} for m, scan in own.items()}
        reference = sessions.get("t1w", set())
        for modality, found in sessions.items():
            if modality != "t1w" and "" not in found | reference and not found & reference:
                text = f"{modality} is of session {', '.join(sorted(found))}, the T1w image of {', '.join(reference)}"
                whom.setdefault(text, []).append(who)
    return [f"{name_people(people)}: {text}" for text, people in whom.items()]


def _unlisted(root: Path, table: pd.DataFrame) -> list[str]:
    """A note on participants with a folder but no row."""
    if "participant_id" not in table.columns:
        return []
    listed = {str(who).removeprefix("sub-") for who in table["participant_id"]}
    folders = sorted(p.name for p in root.glob("sub-*") if p.is_dir() and p.name.removeprefix("sub-") not in listed)
    return (
        [f"{len(folders)} in bids_dir without a row in the participants table: {', '.join(folders)}"] if folders else []
    )


def _planned_scans(root: Path, plan: pd.DataFrame, config: Mapping[str, Any]) -> dict[str, dict[str, Scan]]:
    """Scans under the names that the simulation will give them, of each row of the plan: participants, or visits."""
    has = plan.set_index(PARTICIPANT)
    n_echoes = len(config["simulation"]["gre"]["echo_times_ms"])
    reverse = config["simulation"]["dwi"]["reverse_b0"]
    distortion = planned_distortion(config)
    scans: dict[str, dict[str, Scan]] = {}
    for who in has.index:

        def named(folder: str, name: str, extension: str, who: str = who) -> str:
            return str(root / folder_of(who) / folder / f"{who}_{name}{extension}")

        own: dict[str, dict[str, tuple[str, ...]]] = {"t1w": {"image": (named("anat", "T1w", ".nii.gz"),)}}
        if has.loc[who, "has_dwi"]:
            roles = (("image", ".nii.gz"), ("bval", ".bval"), ("bvec", ".bvec"), ("json", ".json"))
            main = "dir-AP_dwi" if reverse else "dwi"
            own["dwi"] = {role: (named("dwi", main, extension),) for role, extension in roles}
            if distortion in ("reverse", "fsl"):
                own["dwi"] |= {
                    "reverse" if role == "image" else f"reverse_{role}": (named("dwi", "dir-PA_dwi", extension),)
                    for role, extension in roles
                }
        if has.loc[who, "has_swi"]:
            echoes = [
                [f"echo-{echo}_part-{part}_MEGRE" for echo in range(1, n_echoes + 1)] for part in ("mag", "phase")
            ]
            own["swi"] = {
                "magnitude": tuple(named("anat", name, ".nii.gz") for name in echoes[0]),
                "phase": tuple(named("anat", name, ".nii.gz") for name in echoes[1]),
                "json": tuple(named("anat", name, ".json") for part in echoes for name in part),
            }
        own |= {name: {"image": (named(folder, suffix, ".nii.gz"),)} for name, (folder, suffix) in MAP_FILES.items()}
        scans[who] = {
            m: Scan(
                m, files, distortion if m == "dwi" else None, declared=maps_of(config)[m] if m in MAP_FILES else None
            )
            for m, files in own.items()
            if m in config["modalities"]
        }
    return scans
