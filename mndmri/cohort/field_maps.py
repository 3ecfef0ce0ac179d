"""Field maps of a participant's diffusion series: which files they are, and whether they can be used."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mndmri.cohort import bids
from mndmri.gradient_echo.echoes import MAX_ECHO_TIME_S
from mndmri.gradient_echo.phase import detect_convention
from mndmri.io import InputError, load_image

# What a field map's images are, by their suffixes
_KINDS = {("phasediff",): "phasediff", ("phase1", "phase2"): "phases", ("fieldmap",): "field"}
_MAGNITUDES = ("magnitude1", "magnitude2", "magnitude")
# In which unit a ready field may be; BIDS has T too, which scanners do not write
FIELD_UNITS = ("Hz", "rad/s")


class FieldMap(NamedTuple):
    """Files of one field map."""

    images: tuple[Path, ...]
    """A phase difference, the phases of two echoes, or a field."""
    magnitudes: tuple[Path, ...]
    """By echo; empty if there are none."""


class FieldMapMetadata(NamedTuple):
    """What has to be known of a field map's images."""

    kind: str
    """``phasediff``, ``phases`` (of two echoes) or ``field``."""
    echo_times_s: tuple[float, float] | None
    """Of the two echoes, s, rising; None for a field."""
    units: str | None
    """``Hz`` or ``rad/s`` for a field; None for phases, whose scale their values show."""


def find_field_maps(folder: Path, image: Path, root: Path) -> list[FieldMap]:
    """Field maps in a folder that are for an image, in the order of their names.

    Those that say so (see `mndmri.cohort.bids.is_meant_for`); all of them if none says what it is for.

    Parameters
    ----------
    folder : path
        ``fmap`` of the participant, or of the image's session.
    image : path
        The diffusion series.
    root : path
        Root of the dataset.
    """
    series: dict[tuple[tuple[str, str], ...], dict[str, Path]] = {}
    for path in sorted(folder.glob("[!.]*.nii*")):
        entities, suffix = bids.entities(path)
        series.setdefault(tuple(entities.items()), {})[suffix] = path
    maps = []
    for by_suffix in series.values():
        for suffixes in _KINDS:
            if set(suffixes) <= by_suffix.keys():
                magnitudes = tuple(by_suffix[suffix] for suffix in _MAGNITUDES if suffix in by_suffix)
                maps.append(FieldMap(tuple(by_suffix[suffix] for suffix in suffixes), magnitudes))
                break
    meant = [bids.is_meant_for(found.images[0], image, root) for found in maps]
    if all(said is None for said in meant):
        return maps
    return [found for found, said in zip(maps, meant, strict=True) if said]


def field_map_metadata(images: Sequence[str | Path], bids_dir: str | Path) -> FieldMapMetadata:
    """What the sidecars tell of a field map, checked.

    Parameters
    ----------
    images : sequence of paths
        One ``phasediff`` or ``fieldmap``, or ``phase1`` and ``phase2``.
    bids_dir : path
        Root of the dataset, for inherited sidecars.

    Raises
    ------
    InputError
        If echo times are missing, not in seconds or not rising, or the unit of a field is unknown.
    """
    kind = _KINDS[tuple(bids.entities(path)[1] for path in images)]
    name = Path(images[0]).name
    metadata = [bids.sidecar(path, bids_dir) for path in images]
    if kind == "field":
        units = metadata[0].get("Units")
        if units not in FIELD_UNITS:
            raise InputError(f"{name}: Units in its sidecar is {units}, expected {' or '.join(FIELD_UNITS)}; write it")
        return FieldMapMetadata(kind, None, units)
    if kind == "phasediff":
        given = [("EchoTime1", metadata[0].get("EchoTime1")), ("EchoTime2", metadata[0].get("EchoTime2"))]
    else:
        given = [(f"EchoTime of echo {n}", own.get("EchoTime")) for n, own in enumerate(metadata, 1)]
    first, second = (_echo_time(name, key, value) for key, value in given)
    if not first < second:
        raise InputError(
            f"{name}: echo times of {first:g} and {second:g} s, expected the second to be later; correct the sidecar"
        )
    return FieldMapMetadata(kind, (first, second), None)


def check_field_map(images: Sequence[str | Path], bids_dir: str | Path) -> None:
    """Raise `InputError` unless a field map's sidecars tell what is needed and its phases are on a known scale."""
    if field_map_metadata(images, bids_dir).kind == "field":
        return
    for path in images:
        try:
            detect_convention(load_image(path))
        except InputError as error:
            raise InputError(f"{Path(path).name}: {error}") from error


def _echo_time(name: str, key: str, value: object) -> float:
    """An echo time, s."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_ECHO_TIME_S:
        raise InputError(
            f"{name}: {key} in its sidecar is {value}, expected seconds, above 0 and at most {MAX_ECHO_TIME_S:g}; "
            "it is needed to compute the field: write it, or set dwi.distortion"
        )
    return float(value)
