"""Rules of BIDS: entities, inheritance, targets of field maps, phase encoding."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb

from mndmri.io import InputError, load_image, read_json

# Directions of phase encoding, in the axes of the image as stored (BIDS 1.10, PhaseEncodingDirection).
DIRECTIONS = ("i", "i-", "j", "j-", "k", "k-")
# From where to where a ``dir-`` label says that phase encoding ran, as nibabel's axis codes
_LABELS = {
    "AP": "AP",
    "PA": "PA",
    "LR": "LR",
    "RL": "RL",
    "SI": "SI",
    "IS": "IS",
    "HF": "SI",
    "FH": "IS",
}
# s; an echo-planar readout takes 0.01 to 0.2, so a longer one was written in milliseconds
MAX_READOUT_S = 1.0


class StoredEncoding(NamedTuple):
    """How an echo-planar image was phase-encoded, in its axes as stored."""

    axis: str
    """``i``, ``j`` or ``k``: the first, second or third axis of the array."""
    polarity: int | None
    """1 towards higher indices, -1 towards lower ones, None where it is unknown."""
    readout_s: float | None
    """Total readout time, s, from the centre of the first echo to that of the last; None if unknown."""


def strip_extension(name: str) -> str:
    """File name up to its first dot (BIDS labels hold no dots)."""
    return name.split(".", 1)[0]


def entities(path: str | Path) -> tuple[dict[str, str], str]:
    """Entities and suffix in a BIDS file name.

    Returns
    -------
    entities : dict
        Such as ``{"sub": "01", "echo": "1"}``, in the order of the name.
    suffix : str
        Such as ``MEGRE``; empty if the name ends with an entity.
    """
    found: dict[str, str] = {}
    suffix = ""
    for part in strip_extension(Path(path).name).split("_"):
        key, dash, value = part.partition("-")
        if dash:
            found[key] = value
        else:
            suffix = part
    return found, suffix


def session(path: str | Path) -> str:
    """Label of the session that a file is of, by its name or else its folders; empty if neither says."""
    folders = [name.removeprefix("ses-") for name in Path(path).parts[:-1] if name.startswith("ses-")]
    return entities(path)[0].get("ses", folders[-1] if folders else "")


def echo_number(path: str | Path) -> int:
    """Number of the echo that a file name gives: 1 where it gives none, 0 where it is no number."""
    echo = entities(path)[0].get("echo", "1")
    return int(echo) if echo.isdigit() else 0


def pair_echoes(**files: Iterable[str | Path]) -> list[dict[str, str]]:
    """Files of each echo by role (``magnitude``, ``phase``), in the order of the echoes' numbers.

    Roles without files are left out.

    Raises
    ------
    InputError
        If a role has an echo twice, or the roles have different echoes.
    """
    numbered = {role: [(echo_number(path), str(path)) for path in paths] for role, paths in files.items()}
    by_role = {role: dict(pairs) for role, pairs in numbered.items() if pairs}
    echoes = sorted({number for own in by_role.values() for number in own})
    for role, own in by_role.items():
        if len(own) < len(numbered[role]) or set(own) != set(echoes):
            names = ", ".join(Path(path).name for _, path in numbered[role])
            raise InputError(f"{role} of echoes {echoes} is expected once each, found {names or 'none'}")
    return [{role: own[number] for role, own in by_role.items()} for number in echoes]


def inherited_files(path: str | Path, extension: str, bids_dir: str | Path) -> list[Path]:
    """Files that apply to an image by the inheritance principle, the most general first.

    Such a file lies in the image's folder or in one above it, up to the dataset's root,
    has the image's suffix, and no entity that the image lacks.

    Parameters
    ----------
    path : path
        The image, inside ``bids_dir``.
    extension : str
        ``.json``, ``.bval`` or ``.bvec``.
    bids_dir : path
        Root of the dataset.

    Returns
    -------
    list of paths
        The last one is the nearest: it decides where files disagree.

    Raises
    ------
    InputError
        If the image lies outside the dataset.
    """
    path, root = Path(path), Path(bids_dir)
    try:
        steps = path.parent.relative_to(root).parts
    except ValueError:
        raise InputError(f"{path}: not inside the BIDS dataset {root}; check bids_dir and the patterns") from None
    own, suffix = entities(path)
    applying = []
    for depth in range(len(steps) + 1):
        here = []
        for candidate in root.joinpath(*steps[:depth]).glob(f"*{extension}"):
            theirs, their_suffix = entities(candidate)
            if candidate.name.startswith("."):  # what a Mac leaves behind
                continue
            if their_suffix == suffix and theirs.items() <= own.items():
                here.append((len(theirs), candidate.name, candidate))
        applying += [candidate for *_, candidate in sorted(here)]
    return applying


def sidecar(path: str | Path, bids_dir: str | Path) -> dict[str, Any]:
    """Metadata of an image: its JSON sidecars merged, the nearest file winning key by key."""
    merged: dict[str, Any] = {}
    for file in inherited_files(path, ".json", bids_dir):
        content = read_json(file)
        if not isinstance(content, dict):
            raise InputError(f"{file}: contains a {type(content).__name__}, expected an object of keys; correct it")
        merged |= content
    return merged


def targets(path: str | Path, bids_dir: str | Path) -> list[str] | None:
    """Names of the images for which a field map is intended, without their folders; None if this is not stated.

    Parameters
    ----------
    path : path
        The field map, inside ``bids_dir``.
    bids_dir : path
        Root of the dataset.

    Notes
    -----
    ``IntendedFor`` holds paths below the participant's folder, or BIDS URIs
    (``bids::sub-01/dwi/sub-01_dwi.nii.gz``); either ends with the name.
    """
    intended = sidecar(path, bids_dir).get("IntendedFor")
    if not intended:
        return None
    return [str(target).rsplit("/", 1)[-1] for target in _listed(intended)]


def is_meant_for(path: str | Path, image: str | Path, bids_dir: str | Path) -> bool | None:
    """True if a field map is intended for an image, False if for others only, None if this is not stated.

    By ``IntendedFor``, or by the image's ``B0FieldSource`` and the field map's ``B0FieldIdentifier``.
    """
    named = targets(path, bids_dir)
    identifiers = _listed(sidecar(path, bids_dir).get("B0FieldIdentifier"))
    if named is None and not identifiers:
        return None
    sources = _listed(sidecar(image, bids_dir).get("B0FieldSource"))
    return Path(image).name in (named or []) or bool(set(identifiers) & set(sources))


def phase_encoding(path: str | Path, bids_dir: str | Path) -> StoredEncoding | None:
    """Phase encoding of an image from its sidecar and its name; None if they do not state it.

    Parameters
    ----------
    path : path
        The image, inside ``bids_dir``; its header is read for the ``dir-`` label alone.
    bids_dir : path
        Root of the dataset.

    Raises
    ------
    InputError
        If a value of the sidecar cannot be right.

    Notes
    -----
    The direction is ``PhaseEncodingDirection``; or else ``PhaseEncodingAxis`` (dcm2niix, where the
    scanner does not tell the polarity) and the polarity of a ``dir-`` label; or else the label alone:
    ``dir-AP`` runs from anterior to posterior, whichever way the image is stored. The readout time is
    ``TotalReadoutTime``; or else ``EffectiveEchoSpacing`` times ``ReconMatrixPE`` - 1, its definition
    in BIDS; or else ``EstimatedTotalReadoutTime`` (dcm2niix, Philips).
    """
    metadata, name = sidecar(path, bids_dir), Path(path).name
    direction = metadata.get("PhaseEncodingDirection")
    if direction is not None and direction not in DIRECTIONS:
        raise InputError(
            f"{name}: PhaseEncodingDirection in its sidecar is {direction!r}, expected one of {', '.join(DIRECTIONS)}; "
            "correct it"
        )
    readout_s = _readout_s(metadata, name)
    if direction is None:
        direction, axis = _labelled_direction(path), metadata.get("PhaseEncodingAxis")
        if axis in DIRECTIONS and (direction is None or direction[0] != axis[0]):
            return StoredEncoding(axis[0], None, readout_s)
    if direction is None:
        return None
    return StoredEncoding(direction[0], -1 if direction.endswith("-") else 1, readout_s)


def _listed(value: Any) -> list[Any]:
    """One value or a list of them as a list, nothing as an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _labelled_direction(path: str | Path) -> str | None:
    """Direction that the ``dir-`` label of an image gives, in its axes as stored."""
    label = _LABELS.get(entities(path)[0].get("dir", "").upper())
    if label is None:
        return None
    codes = nb.aff2axcodes(load_image(path).affine)
    start, end = label[0], label[1]
    return "ijk"[codes.index(end)] if end in codes else "ijk"[codes.index(start)] + "-"


def _is_number(value: Any) -> bool:
    """True for a number of a JSON file, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _readout_s(metadata: dict[str, Any], name: str) -> float | None:
    """Total readout time, s."""
    key, value = "TotalReadoutTime", metadata.get("TotalReadoutTime")
    if value is None and {"EffectiveEchoSpacing", "ReconMatrixPE"} <= metadata.keys():
        spacing, matrix = metadata["EffectiveEchoSpacing"], metadata["ReconMatrixPE"]
        key = f"EffectiveEchoSpacing ({spacing}) times ReconMatrixPE - 1 ({matrix} - 1)"
        value = spacing * (matrix - 1) if _is_number(spacing) and _is_number(matrix) else "no number"
    if value is None:
        key, value = "EstimatedTotalReadoutTime", metadata.get("EstimatedTotalReadoutTime")
    if value is None:
        return None
    if not _is_number(value) or not 0 < value <= MAX_READOUT_S:
        raise InputError(
            f"{name}: {key} in its sidecar is {value}, expected seconds, above 0 and at most "
            f"{MAX_READOUT_S:g}; correct it"
        )
    return float(value)
