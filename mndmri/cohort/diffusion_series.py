"""Which files are a participant's diffusion series, and with which others its distortion is corrected."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mndmri.cohort import bids
from mndmri.cohort.distortion import choose_distortion
from mndmri.cohort.field_maps import FieldMap, find_field_maps
from mndmri.cohort.search import Found, matches, names, sidecars, too_many
from mndmri.grids import same_grid
from mndmri.io import InputError, load_image


def find_dwi(folder: Path, root: Path, config: Mapping[str, Any]) -> Found:
    """Files of a participant's diffusion series by role; none if there is no series.

    Parameters
    ----------
    folder : path
        The participant's, in the dataset.
    root : path
        Root of the dataset.
    config : mapping
        Resolved config.

    Raises
    ------
    InputError
        If a sidecar cannot be read.
    """
    if config["dwi"]["preprocessed"]:
        return _find_corrected(folder, root, config["dwi"])
    series = matches(folder, [config["dwi"]["pattern"]])
    if not series:
        return Found({}, [])
    if len(series) > 2 or (len(series) == 2 and not _opposite(series[0], series[1], root)):
        what = "one diffusion series, or two of opposite phase encoding (by PhaseEncodingDirection or dir-), are used"
        return Found({}, [too_many(series, folder, "dwi", what)])
    # the sort is stable: of two with as many volumes, the first by name
    main, *reverse = sorted(series, key=lambda path: -_volumes(path))
    files, problems = _with_gradients(main, root, [folder], config["dwi"])
    field_maps = find_field_maps(_session(main, folder) / "fmap", main, root)
    guess = None
    if not reverse:
        reverse, guess = _reverse_field_map(main, folder, root, field_maps)
    chosen = choose_distortion(config["dwi"]["distortion"], main, root, reverse=reverse, field_maps=field_maps)
    if chosen.problem:
        problems.append(chosen.problem)
    elif chosen.method in ("reverse", "fsl"):
        files |= {"reverse": reverse, "reverse_json": sidecars(reverse, root)}
        for role in ("bval", "bvec"):
            # BIDS: a series of b=0 volumes alone may do without
            files[f"reverse_{role}"] = bids.inherited_files(reverse[0], f".{role}", root)[-1:]
    elif chosen.method == "fieldmap":
        images, magnitudes = map(list, field_maps[0])
        files |= {"fieldmap": images, "fieldmap_magnitude": magnitudes, "fieldmap_json": sidecars(images, root)}
    if config["dwi"]["motion"] == "fsl" and bids.phase_encoding(main, root) is None:
        problems.append(
            f"dwi.motion fsl needs PhaseEncodingDirection (or PhaseEncodingAxis) of {main.name}, along which eddy "
            "currents act; write it in the sidecar, or set dwi.motion to true"
        )
    notes = [chosen.note, guess if chosen.method in ("reverse", "fsl") or not reverse else None]
    return Found(files, problems, chosen.method, tuple(note for note in notes if note))


def planned_distortion(config: Mapping[str, Any]) -> str:
    """How the distortion of a simulated series will be corrected, as `find_dwi` will find it to be possible."""
    setting = config["dwi"]["distortion"]
    if config["dwi"]["preprocessed"]:
        return "before"
    if setting == "auto":
        return "reverse" if config["simulation"]["dwi"]["reverse_b0"] else "t1w"
    return str(setting or "none")


def _find_corrected(folder: Path, root: Path, wanted: Mapping[str, Any]) -> Found:
    """Files of a preprocessed series, which may be in a folder of its own."""
    place = Path(wanted["dir"], folder.relative_to(root)) if wanted["dir"] else folder
    series = matches(place, [wanted["pattern"]])
    if len(series) > 1:
        return Found({}, [too_many(series, place, "dwi", "one preprocessed diffusion series is used")])
    if not series:
        return Found({}, [])
    files, problems = _with_gradients(series[0], Path(wanted["dir"] or root), [place, folder], wanted)
    return Found(files, problems, "before")


def _with_gradients(
    image: Path, root: Path, folders: list[Path], wanted: Mapping[str, Any]
) -> tuple[dict[str, list[Path]], list[str]]:
    """A series with its gradient table and sidecars; files named by a pattern are in the first folder that has any."""
    files: dict[str, list[Path]] = {"image": [image], "json": sidecars([image], root)}
    problems = []
    for role, what in (("bval", "b-values"), ("bvec", "b-vectors")):
        pattern = wanted[f"{role}_pattern"]
        if pattern is None:
            files[role] = bids.inherited_files(image, f".{role}", root)[-1:]
            if not files[role]:
                problems.append(
                    f"{image.name} has no .{role} file; put {bids.strip_extension(image.name)}.{role} beside it, or "
                    f"name the file in dwi.{role}_pattern"
                )
            continue
        folder = next((each for each in folders if matches(each, [pattern])), folders[0])
        files[role] = matches(folder, [pattern])
        if len(files[role]) != 1:
            listed = f": {names(files[role], folder)}" if files[role] else ""
            problems.append(
                f"{len(files[role]) or 'no'} files of {what} match dwi.{role}_pattern {pattern}{listed}; exactly one "
                "is used: correct the pattern"
            )
    return files, problems


def _volumes(path: Path) -> int:
    """Number of volumes; 0 for a file that cannot be read, which the check of the scan tells."""
    try:
        shape = load_image(path).shape
    except InputError:
        return 0
    return shape[3] if len(shape) > 3 else 1


def _opposite(first: Path, second: Path, root: Path) -> bool:
    """True if two series were phase-encoded along one axis in opposite directions."""
    one, two = bids.phase_encoding(first, root), bids.phase_encoding(second, root)
    if one is None or two is None or one.polarity is None or two.polarity is None:
        return False
    return one.axis == two.axis and one.polarity != two.polarity


def _reverse_field_map(
    main: Path, folder: Path, root: Path, field_maps: Sequence[FieldMap]
) -> tuple[list[Path], str | None]:
    """The ``fmap/*_epi`` image of opposite phase encoding for the diffusion series, and a note where that is a guess.

    One that says it is for the series; or, if none says what it is for and no field map is for the series, the one
    that there is in the session on the series' grid: others are of functional series.
    """
    images = matches(folder, ["fmap/*_epi.nii*"])
    opposite = [path for path in images if _opposite(main, path, root)]
    meant = {path: bids.is_meant_for(path, main, root) for path in opposite}
    for_it = [path for path in opposite if meant[path]]
    if for_it:
        return for_it[:1], None
    session = _session(main, folder)
    unsaid = [path for path in opposite if meant[path] is None and session in path.parents and _one_grid(main, path)]
    if any(bids.is_meant_for(path, main, root) for own in field_maps for path in own.images):
        return [], None
    if not unsaid and (why := _why_unused(main, folder, images, root)):
        return [], why
    if len(unsaid) == 1:
        said = (
            "the fmap/*_epi image of opposite phase encoding, which names no series, is used for the diffusion series"
        )
        return unsaid, said
    if unsaid:
        return [], (
            f"{len(unsaid)} fmap/*_epi images of opposite phase encoding are not used, as none says for which series "
            "it is; write IntendedFor in the sidecar of one"
        )
    return [], None


def _why_unused(main: Path, folder: Path, images: Iterable[Path], root: Path) -> str | None:
    """What keeps ``fmap/*_epi`` images from correcting a series that at least one of them seems to be for.

    One that names another series which is there, of another session or run, is for that.
    """
    for path in images:
        named = bids.targets(path, root) or []
        if bids.is_meant_for(path, main, root):
            return (
                "the fmap/*_epi image for the diffusion series is not used: their sidecars do not give opposite phase "
                "encoding; correct PhaseEncodingDirection in both"
            )
        series = [name for name in named if bids.entities(name)[1] == "dwi"]
        if any(not set(matches(folder, [f"dwi/{name}"])) - {main} for name in series):
            return (
                "the fmap/*_epi image is not used: its IntendedFor names a diffusion series that is not there; if it "
                "is for the one that is, write its name there"
            )
    return None


def _one_grid(first: Path, second: Path) -> bool:
    try:
        return same_grid(load_image(first), load_image(second))
    except InputError:
        return False


def _session(image: Path, folder: Path) -> Path:
    """The session's folder that an image lies in, or else the participant's."""
    first = image.relative_to(folder).parts[0]
    return folder / first if first.startswith("ses-") else folder
