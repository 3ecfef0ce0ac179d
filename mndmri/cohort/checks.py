"""What is wrong with a scan, before anything is computed from it."""

import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mndmri.cohort import bids
from mndmri.cohort.copies import content_of
from mndmri.cohort.field_maps import check_field_map
from mndmri.cohort.gradients import check_gradients
from mndmri.cohort.maps import check_map
from mndmri.cohort.records import Problem, Scan, Study, refuse
from mndmri.cohort.voxels import check_magnitude, doubt_magnitude, look_at
from mndmri.gradient_echo.chimap import doubt_unit
from mndmri.gradient_echo.echoes import MAX_ECHO_TIME_S, MIN_ECHOES_R2STAR
from mndmri.grids import same_grid
from mndmri.io import InputError, load_image, read_text
from mndmri.tables.decisions import of_scans
from mndmri.tables.freesurfer import surface_measures
from mndmri.tables.maps import SCANS

MAX_FIELD_T = 20.0  # T; people have been scanned at up to 11.7 (Boulant et al. 2024, Nat Methods)
GAUSS_FROM = 12_000.0  # 1.2 T in gauss, or 12 T in mT: fewer are mT, more are gauss
_SAME_ECHO_S = 1e-4  # as far as rounding takes two sidecars of one echo apart
_ANYBODY, _MANY = "sub-*", 4  # how a participant is written where a message is of so many or more
CHECKS_VERSION = 12  # of the rules below: a cache made by other rules is not used


def check_scan(scan: Scan, *, bids_dir: str | Path) -> list[str]:
    """What is wrong with the files of a scan, a line each; empty if it can be used.

    Headers, gradient tables and sidecars are read, and every voxel once.

    Parameters
    ----------
    scan : Scan
    bids_dir : path
        Root of the dataset, for inherited sidecars.
    """
    absent = [f"{path}: no such file; restore it" for path in scan.all_files() if not Path(path).is_file()]
    if absent:
        return absent
    try:
        return _CHECK[scan.modality](scan, bids_dir) if scan.declared is None else check_map(scan)
    except InputError as error:
        return [str(error)]


def check_study(study: Study, cache: Mapping[str, Any]) -> tuple[list[Problem], dict[str, Any]]:
    """What is wrong with the study's scans, read again only where a file has changed.

    Parameters
    ----------
    study : Study
    cache : mapping
        As returned by the call before; empty the first time. JSON can hold it.

    Returns
    -------
    problems : list of Problem
        In the order of the participants. None for a simulated study, which has no files yet.
    cache : dict
        For the next call, and for `images_of`.
    """
    if study.simulated:
        return [], dict(cache)
    known = cache.get("scans", {}) if cache.get("version") == CHECKS_VERSION else {}
    jobs = [(who, scan) for who, scans in study.scans.items() for scan in scans.values()]

    def check(job: tuple[str, Scan]) -> dict[str, Any]:
        who, scan = job
        files: list[Any] = [[path, *stamp(path)] for path in scan.all_files()]
        files += [dict(scan.declared)] if scan.declared else []
        before = known.get(f"{who} {scan.modality}")
        if before is not None and before["files"] == files:
            return dict(before)
        problems = check_scan(scan, bids_dir=study.bids_dir)
        contents = {} if problems else {path: content_of(path) for path in scan.all_files()}
        return {"files": files, "problems": problems, "contents": contents}

    # decompression lets go of the interpreter's lock, so threads do help
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = list(pool.map(check, jobs))
    problems = [
        Problem(f"{who}: {message}", who, scan.modality)
        for (who, scan), result in zip(jobs, results, strict=True)
        for message in result["problems"]
    ]
    scans = {f"{who} {scan.modality}": result for (who, scan), result in zip(jobs, results, strict=True)}
    return problems, {"version": CHECKS_VERSION, "scans": scans}


def images_of(cache: Mapping[str, Any]) -> dict[str, str]:
    """Path of each image that `check_study` has looked at, to what `mndmri.cohort.copies.content_of` says of it."""
    if cache.get("version") != CHECKS_VERSION:  # of a simulated study, whose cache is handed on as it was
        return {}
    of_scans = [result["contents"] for result in cache["scans"].values()]
    return {path: content for own in of_scans for path, content in own.items() if content}


def settle(study: Study, problems: Iterable[Problem], *, bad_input: str, without_t1w: Collection[str] = ()) -> Study:
    """The study as it will be run, or an error with all problems.

    Parameters
    ----------
    study : Study
    problems : iterable of Problem
        From `check_study`; the study's own are added.
    bad_input : {'stop', 'leave_out'}
        ``leave_out``: a scan with a problem is left out and the reason kept; without a
        T1w image all of the participant's scans are. A problem of the table stops all the same.
    without_t1w : collection of str
        Modalities whose scan is kept of a participant without a T1w image (`may_stand_in`): a diffusion series
        uncorrected for distortion where only that image could tell it; a gradient echo with an SWI or a magnitude.

    Returns
    -------
    Study
        Without problems.

    Raises
    ------
    InputError
        With the whole list.
    """
    found = [*study.problems, *problems]
    cannot_leave_out = [p for p in found if bad_input == "stop" or p.participant_id is None]
    if cannot_leave_out:
        refuse(_together(found), "with the study's input")

    scans = {who: dict(own) for who, own in study.scans.items()}
    left_out = {who: dict(reasons) for who, reasons in study.left_out.items()}
    reasons: dict[tuple[str, str], list[str]] = {}
    for problem in found:
        who = str(problem.participant_id)
        reasons.setdefault((who, str(problem.modality)), []).append(problem.message.removeprefix(f"{who}: "))
    for (who, modality), why in reasons.items():
        scans[who].pop(modality, None)
        left_out[who][modality] = "; ".join(why)
    for who, own in scans.items():
        if "t1w" not in own:
            kept = {
                modality: _without_tissue(scan)
                for modality, scan in own.items()
                if modality in without_t1w and (modality != "swi" or {"swi", "magnitude"} & set(scan.files))
            }
            for other in (modality for modality in own if modality not in kept):
                left_out[who][other] = f"the T1w image cannot be used: {left_out[who]['t1w']}"
            scans[who] = kept
    notes = [f"left out: {line}" for line in dict.fromkeys(p.message for p in found)]
    if scans and not any(scans.values()):
        raise InputError("no participant has a usable T1w image:\n  - " + "\n  - ".join(notes))
    study = dataclasses.replace(study, scans=scans, left_out=left_out, problems=(), notes=(*study.notes, *notes))
    study = _without_what_they_are_aligned_to(_divide_susceptibility(study))
    return dataclasses.replace(study, excluded=of_scans(study.excluded, study.scans))


def _without_tissue(scan: Scan) -> Scan:
    """A scan, of which no T1w image can tell the distortion."""
    return dataclasses.replace(scan, distortion="none") if scan.distortion == "t1w" else scan


def _together(problems: Iterable[Problem]) -> list[str]:
    """Messages in their order; what is wrong alike in many participants is one, with all their ids."""
    alike: dict[str, list[Problem]] = {}
    for problem in problems:
        who = problem.participant_id
        alike.setdefault(problem.message.replace(who, _ANYBODY) if who else problem.message, []).append(problem)
    lines = []
    for text, own in alike.items():
        ids = list(dict.fromkeys(str(problem.participant_id) for problem in own))
        if len(ids) < _MANY or own[0].participant_id is None:
            lines += [problem.message for problem in own]
        else:
            lines.append(f"{', '.join(ids)}: {text.removeprefix(f'{_ANYBODY}: ')}")
    return lines


def _divide_susceptibility(study: Study) -> Study:
    """The study with what can be mapped (``qsm``, ``r2star``) beside what is weighted only (``swi``)."""
    scans = {who: dict(own) for who, own in study.scans.items()}
    left_out = {who: dict(reasons) for who, reasons in study.left_out.items()}
    for who, reasons in left_out.items():
        own = scans.get(who, {})
        if "swi" not in own:
            if "swi" in reasons:
                reasons |= dict.fromkeys(("qsm", "r2star"), reasons["swi"])
            continue
        files = own["swi"].files
        if "phase" in files or "chimap" in files:
            own["qsm"] = Scan("qsm", files)
        else:
            reasons["qsm"] = "neither a phase image nor a susceptibility map"
        echoes = files.get("magnitude", ())
        if len(echoes) < MIN_ECHOES_R2STAR:
            reasons["r2star"] = f"R2* needs {MIN_ECHOES_R2STAR} echoes, found {len(echoes)}"
        elif not (study.simulated or all(_echo_time(echo, study.bids_dir) for echo in echoes)):
            reasons["r2star"] = "no EchoTime in seconds in the sidecars of the magnitude images"
        else:
            own["r2star"] = Scan("r2star", files)
        if "swi" not in files and "magnitude" not in files:
            own.pop("swi")
            reasons["swi"] = "a susceptibility map alone, no magnitude and no SWI"
    return dataclasses.replace(study, scans=scans, left_out=left_out)


def _without_what_they_are_aligned_to(study: Study) -> Study:
    """The study without maps of participants who lack the scan that the map is declared to be aligned to."""
    scans = {who: dict(own) for who, own in study.scans.items()}
    left_out = {who: dict(reasons) for who, reasons in study.left_out.items()}
    for who, own in scans.items():
        for name, scan in list(own.items()):
            target = (scan.declared or {}).get("aligned")
            if target in SCANS and not {target, *(("qsm",) if target == "swi" else ())} & own.keys():
                del own[name]
                left_out[who][name] = f"it is aligned to the {target}, which is missing"
    return dataclasses.replace(study, scans=scans, left_out=left_out)


def _echo_time(path: str, bids_dir: str | Path) -> float | None:
    """Echo time in the sidecar of an image, s; None if it has none that can be."""
    value = bids.sidecar(path, bids_dir).get("EchoTime")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_ECHO_TIME_S:
        return None
    return float(value)


def stamp(path: str) -> list[int | None]:
    """Size and time of change of a file; one that is absent has neither."""
    try:
        status = Path(path).stat()
    except OSError:
        return [None, None]
    return [status.st_size, status.st_mtime_ns]


def _check_t1w(scan: Scan, bids_dir: str | Path) -> list[str]:
    [image] = scan.files["image"]
    problems = check_magnitude(image, "T1w image")
    for role, what in (("mask", "brain mask"), ("parcellation", "parcellation")):
        for path in scan.files.get(role, ()):
            problems += look_at(path, what).problems
    if not problems and "mask" in scan.files:
        advice = "make the mask on the grid of the T1w image, or resample it to that"
        problems += _check_grids([image, *scan.files["mask"]], advice)
    stats = scan.files.get("surface_stats", ())
    if stats:
        try:
            surface_measures({Path(path).name: read_text(path) for path in stats})
        except InputError as error:
            problems.append(str(error))
    return problems


def _check_dwi(scan: Scan, bids_dir: str | Path) -> list[str]:
    image = scan.files["image"][0]
    problems = _check_series(image, "diffusion series", scan.files["bval"][0], scan.files["bvec"][0], whole=True)
    for reverse in scan.files.get("reverse", ()):
        [bval], [bvec] = (scan.files.get(f"reverse_{role}", (None,)) for role in ("bval", "bvec"))
        problems += _check_series(reverse, "reverse series", bval, bvec, whole=False)
    images = scan.files.get("fieldmap", ())
    magnitudes = scan.files.get("fieldmap_magnitude", ())
    for part, what in ((images, "field map"), (magnitudes, "magnitude of a field map")):
        for path in part:
            problems += look_at(path, what).problems
    if problems:
        return problems
    if "reverse" in scan.files:
        advice = "both series of a pair are scanned with one field of view: convert them again, or set dwi.distortion"
        problems += _check_grids([image, *scan.files["reverse"]], advice)
    if images:
        check_field_map(images, bids_dir)
        if not magnitudes:
            problems.append(
                f"{Path(images[0]).name} has no magnitude image beside it, which places it on the head; add "
                "*_magnitude1 (or *_magnitude for a field), or set dwi.distortion"
            )
        advice = "images of one field map must have one grid: convert them again, or set dwi.distortion"
        problems += _check_grids([*images, *magnitudes], advice)
    return problems


def _check_series(path: str, what: str, bval: str | None, bvec: str | None, *, whole: bool) -> list[str]:
    """Problems of a series and its table, each alone and together; a series of b=0 may be a single image."""
    looked = look_at(path, what, n_dimensions=4 if whole else max(3, min(4, _dimensions(path))))
    problems = looked.problems or doubt_magnitude(looked.data, Path(path).name)
    if bval is None:
        return problems
    data = None if problems or looked.data is None or looked.data.ndim != 4 else looked.data
    return problems + check_gradients(path, bval, bvec, whole=whole, data=data)


def _check_grids(paths: Sequence[str], advice: str) -> list[str]:
    """Problems of images that are not on the grid of the first."""
    first = load_image(paths[0])
    problems = []
    for path in paths[1:]:
        image = load_image(path)
        if same_grid(first, image):
            continue
        where = "" if image.shape[:3] != first.shape[:3] else "; other places or sizes of the voxels"
        problems.append(
            f"{Path(path).name} (shape {image.shape[:3]}) is not on the grid of {Path(paths[0]).name} "
            f"(shape {first.shape[:3]}{where}); {advice}"
        )
    return problems


def _dimensions(path: str) -> int:
    try:
        return len(load_image(path).shape)
    except InputError:
        return 3


def _check_swi(scan: Scan, bids_dir: str | Path) -> list[str]:
    problems = []
    what = {
        "swi": "SWI",
        "magnitude": "magnitude image",
        "phase": "phase image",
        "chimap": "susceptibility map",
    }
    for role, name in what.items():
        for path in scan.files.get(role, ()):
            looked = look_at(path, name)
            problems += looked.problems
            if role in ("swi", "magnitude"):
                problems += doubt_magnitude(looked.data, Path(path).name)
            if role == "chimap" and looked.data is not None:
                doubt = doubt_unit(load_image(path).get_fdata())
                problems += [f"{Path(path).name}: {doubt}"] if doubt else []
    if problems:
        return problems
    parts = [path for role in what for path in scan.files.get(role, ())]
    advice = (
        "all images of one gradient-echo series must have one grid: convert it again, or set swi.patterns so that "
        "the other does not match"
    )
    problems += _check_grids(parts, advice)
    if "phase" in scan.files:
        problems += _check_phase_sidecars(scan, bids_dir)
    return problems or _check_echo_order(scan, bids_dir)


def _check_phase_sidecars(scan: Scan, bids_dir: str | Path) -> list[str]:
    """Problems of echo times and field strength, without which phase is no field."""
    problems = []
    for path in scan.files["phase"]:
        metadata = bids.sidecar(path, bids_dir)
        name = Path(path).name
        for key, unit in (("EchoTime", "s"), ("MagneticFieldStrength", "T")):
            value = metadata.get(key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                problems.append(
                    f"{name}: {key} in its sidecar is {value}; write it in {unit}, phase cannot be used without it"
                )
            elif key == "EchoTime" and value > MAX_ECHO_TIME_S:
                problems.append(
                    f"{name}: EchoTime in its sidecar is {value}; BIDS gives seconds, so write {value / 1000:g}"
                )
            elif key == "MagneticFieldStrength" and value > MAX_FIELD_T:
                unit = "gauss" if value > GAUSS_FROM else "mT"
                tesla = value / {"gauss": 10_000, "mT": 1000}[unit]
                problems.append(
                    f"{name}: MagneticFieldStrength in its sidecar is {value}, no field of a scanner for people; BIDS "
                    f"gives tesla, so write {tesla:g} (if it is in {unit})"
                )
    return problems


def _check_echo_order(scan: Scan, bids_dir: str | Path) -> list[str]:
    """Problems of echo times that contradict the echoes' numbers, or those of the phase."""
    times = {}
    for role in ("magnitude", "phase"):
        found = [_echo_time(path, bids_dir) for path in scan.files.get(role, ())]
        times[role] = known = [time for time in found if time is not None]
        if len(known) == len(found) and known != sorted(set(known)):
            return [
                f"echo times {_listed(known)} s of the {role} images do not rise with the echo number; "
                "correct the sidecars"
            ]
    magnitude, phase = times.values()
    if len(magnitude) == len(phase) and any(abs(a - b) > _SAME_ECHO_S for a, b in zip(magnitude, phase, strict=True)):
        return [
            f"echo times {_listed(magnitude)} s of the magnitude images, {_listed(phase)} s of the phase images; they "
            "are of one scan: correct the sidecars"
        ]
    return []


def _listed(times: Iterable[float]) -> str:
    return ", ".join(f"{time:g}" for time in times)


_CHECK = {
    "t1w": _check_t1w,
    "dwi": _check_dwi,
    "swi": _check_swi,
}
