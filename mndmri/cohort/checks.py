"""What is wrong with a scan, before anything is computed from it."""

import dataclasses
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.cohort import bids
from mndmri.cohort.field_maps import check_field_map
from mndmri.cohort.gradients import check_gradients
from mndmri.cohort.records import Problem, Scan, Study, refuse
from mndmri.gradient_echo.echoes import MAX_ECHO_TIME_S, MIN_ECHOES_R2STAR
from mndmri.grids import same_grid, voxel_sizes
from mndmri.io import InputError, load_image, read_text
from mndmri.tables.freesurfer import surface_measures

SHEAR_TOLERANCE = 0.01  # cosine between two voxel axes; a rounded quaternion is off by 1e-6, a tilted gantry by 0.1
VOXEL_RANGE_MM = (0.1, 15.0)  # outside it the unit is not mm
CHECKS_VERSION = 4  # of the rules below: a cache made by other rules is not used


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
        return _CHECK[scan.modality](scan, bids_dir)
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
        For the next call.
    """
    if study.simulated:
        return [], dict(cache)
    known = cache.get("scans", {}) if cache.get("version") == CHECKS_VERSION else {}
    jobs = [(who, scan) for who, scans in study.scans.items() for scan in scans.values()]

    def check(job: tuple[str, Scan]) -> dict[str, Any]:
        who, scan = job
        files = [[path, *stamp(path)] for path in scan.all_files()]
        before = known.get(f"{who} {scan.modality}")
        if before is not None and before["files"] == files:
            return dict(before)
        return {"files": files, "problems": check_scan(scan, bids_dir=study.bids_dir)}

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


def settle(study: Study, problems: Iterable[Problem], *, bad_input: str) -> Study:
    """The study as it will be run, or an error with all problems.

    Parameters
    ----------
    study : Study
    problems : iterable of Problem
        From `check_study`; the study's own are added.
    bad_input : {'stop', 'leave_out'}
        ``leave_out``: a scan with a problem is left out and the reason kept; without a
        T1w image all of the participant's scans are. A problem of the table stops all the same.

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
        refuse((p.message for p in found), "with the study's input")

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
            for other in own:
                left_out[who][other] = f"the T1w image cannot be used: {left_out[who]['t1w']}"
            scans[who] = {}
    notes = [f"left out: {line}" for line in dict.fromkeys(p.message for p in found)]
    if scans and not any("t1w" in own for own in scans.values()):
        raise InputError("no participant has a usable T1w image:\n  - " + "\n  - ".join(notes))
    study = dataclasses.replace(study, scans=scans, left_out=left_out, problems=(), notes=(*study.notes, *notes))
    return _divide_susceptibility(study)


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
    problems = []
    for role, what in (("image", "T1w image"), ("mask", "brain mask"), ("parcellation", "parcellation")):
        for path in scan.files.get(role, ()):
            problems += _check_image(path, what, n_dimensions=3)
    stats = scan.files.get("surface_stats", ())
    if stats:
        try:
            surface_measures({Path(path).name: read_text(path) for path in stats})
        except InputError as error:
            problems.append(str(error))
    return problems


def _check_contrast(scan: Scan, bids_dir: str | Path) -> list[str]:
    return _check_image(scan.files["image"][0], f"{scan.modality.upper()} image", n_dimensions=3)


def _check_image(path: str, what: str, *, n_dimensions: int) -> list[str]:
    """Problems of one image: shape, geometry, then every voxel."""
    name = Path(path).name
    try:
        image = load_image(path)
    except InputError as error:
        return [str(error)]
    problems = []
    if len(image.shape) != n_dimensions:
        advice = {
            3: "keep one volume and save it with three dimensions",
            4: "a diffusion series has one volume for each gradient; join the volumes",
        }[n_dimensions]
        problems.append(
            f"{name}: has {len(image.shape)} dimensions {image.shape}, a {what} has {n_dimensions}; {advice}"
        )
    elif min(image.shape[:3]) < 2:
        problems.append(f"{name}: shape {image.shape} is a single slice, a {what} is a volume; check the conversion")
    problems += _check_geometry(image, name)
    return problems + _check_voxels(image, name)


def _check_geometry(image: SpatialImage, name: str) -> list[str]:
    """Problems of an affine; with these, left and right are unknown, or voxels have no size."""
    affine = np.asarray(image.affine, float)
    again = "convert it again from DICOM"
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        return [f"{name}: its affine gives a voxel no volume:\n{affine}\n{again}"]
    problems = []
    sizes = voxel_sizes(image)
    if sizes.min() < VOXEL_RANGE_MM[0] or sizes.max() > VOXEL_RANGE_MM[1]:
        listed = " x ".join(f"{size:.4g}" for size in sizes)
        problems.append(f"{name}: voxels of {listed} mm, expected {VOXEL_RANGE_MM[0]} to {VOXEL_RANGE_MM[1]}; {again}")
    axes = affine[:3, :3] / sizes
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > SHEAR_TOLERANCE:
        angle = np.degrees(np.arccos(min(cosine, 1.0)))
        problems.append(
            f"{name}: its affine is sheared (two voxel axes meet at {angle:.1f} degrees, expected 90); "
            "resample it to a grid with right angles"
        )
    if isinstance(image, nb.Nifti1Image):
        sform, sform_code = image.get_sform(coded=True)
        qform, qform_code = image.get_qform(coded=True)
        if not sform_code and not qform_code:
            problems.append(f"{name}: neither sform nor qform is set, so left and right are unknown; {again}")
        elif sform_code and qform_code and np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
            problems.append(f"{name}: its sform and qform disagree about left and right; {again}")
    return problems


def _check_voxels(image: SpatialImage, name: str) -> list[str]:
    """Problems that only reading shows: truncation, values that are not finite, nothing in it."""
    try:
        proxy: Any = image.dataobj
        # unscaled: an integer image stays small in memory and has no NaN
        data = np.asanyarray(proxy.get_unscaled() if hasattr(proxy, "get_unscaled") else proxy)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        return [
            f"{name}: its data cannot be read ({error}); the file is truncated or damaged, copy or convert it again"
        ]
    if data.dtype.kind == "c" or data.dtype.names:
        return [f"{name}: its voxels are {data.dtype}, expected one real number each; export magnitude (and phase)"]
    if data.dtype.kind == "f":
        wrong = int(data.size - np.count_nonzero(np.isfinite(data)))
        if wrong:
            return [
                f"{name}: {wrong} of {data.size} voxels are NaN or infinite; find out why, and write 0 there "
                "if they are background"
            ]
    if data.ndim == 4:
        flat = data.reshape(-1, data.shape[3])
        empty = np.flatnonzero(flat.min(axis=0) == flat.max(axis=0))
        if empty.size:
            shown = ", ".join(map(str, empty[:10])) + (", ..." if empty.size > 10 else "")
            return [
                f"{name}: {empty.size} of {data.shape[3]} volumes are constant "
                f"(counted from 0: {shown}); the series was not completely converted"
            ]
    elif data.min() == data.max():
        return [f"{name}: every voxel is {data.flat[0]}; the image is empty, convert it again"]
    return []


def _check_dwi(scan: Scan, bids_dir: str | Path) -> list[str]:
    image = scan.files["image"][0]
    problems = _check_image(image, "diffusion series", n_dimensions=4)
    problems += check_gradients(image, scan.files["bval"][0], scan.files["bvec"][0], whole=True)
    for reverse in scan.files.get("reverse", ()):
        problems += _check_image(reverse, "reverse series", n_dimensions=max(3, min(4, _dimensions(reverse))))
        if "reverse_bval" in scan.files:
            bvecs = scan.files.get("reverse_bvec", (None,))
            problems += check_gradients(reverse, scan.files["reverse_bval"][0], bvecs[0], whole=False)
    images = scan.files.get("fieldmap", ())
    magnitudes = scan.files.get("fieldmap_magnitude", ())
    for part, what in ((images, "field map"), (magnitudes, "magnitude of a field map")):
        for path in part:
            problems += _check_image(path, what, n_dimensions=3)
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
            problems += _check_image(path, name, n_dimensions=3)
    if problems:
        return problems
    parts = [path for role in what for path in scan.files.get(role, ())]
    advice = (
        "all images of one gradient-echo series must have one grid: convert it again, or set swi.patterns so that "
        "the other does not match"
    )
    problems += _check_grids(parts, advice)
    return problems + (_check_phase_sidecars(scan, bids_dir) if "phase" in scan.files else [])


def _check_phase_sidecars(scan: Scan, bids_dir: str | Path) -> list[str]:
    """Problems of echo times and field strength, without which phase is no field."""
    problems = []
    times = []
    for path in scan.files["phase"]:
        metadata = bids.sidecar(path, bids_dir)
        name = Path(path).name
        for key, unit in (("EchoTime", "s"), ("MagneticFieldStrength", "T")):
            value = metadata.get(key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                problems.append(
                    f"{name}: {key} in its sidecar is {value}; write it in {unit}, phase cannot be used without it"
                )
            elif key == "EchoTime":
                times.append(value)
                if value > MAX_ECHO_TIME_S:
                    problems.append(
                        f"{name}: EchoTime in its sidecar is {value}; BIDS gives seconds, so write {value / 1000:g}"
                    )
    if not problems and times != sorted(set(times)):
        listed = ", ".join(f"{time:g}" for time in times)
        problems.append(
            f"echo times {listed} s of the phase images do not rise with the echo number; correct the sidecars"
        )
    return problems


_CHECK = {
    "t1w": _check_t1w,
    "dwi": _check_dwi,
    "swi": _check_swi,
    "flair": _check_contrast,
    "t2w": _check_contrast,
}
