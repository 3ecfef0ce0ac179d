"""How the susceptibility distortion of a participant's diffusion series will be corrected."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mndmri.cohort import bids
from mndmri.cohort.field_maps import FieldMap

_DIRECTION = "PhaseEncodingDirection, nor PhaseEncodingAxis, nor a dir- label"
_OTHERWISE = "or choose another dwi.distortion"


class Choice(NamedTuple):
    """A method, or the problem that prevents it."""

    method: str
    """``reverse``, ``fieldmap``, ``t1w``, ``fsl``, ``none``, or ``before`` for a series that comes corrected."""
    problem: str | None = None
    note: str | None = None
    """Reported when the run starts."""


def choose_distortion(
    setting: str | bool, image: Path, root: Path, *, reverse: Sequence[Path], field_maps: Sequence[FieldMap]
) -> Choice:
    """Method for a participant, from the available scans and their sidecars.

    Parameters
    ----------
    setting : {'auto', 'reverse', 'fieldmap', 't1w', 'fsl', False}
        ``dwi.distortion`` of the config. ``auto`` is the first of reverse, fieldmap and t1w that is
        possible; a field map for which the series' own sidecar lacks something is ignored with a note.
    image : path
        The main diffusion series.
    root : path
        Root of the dataset.
    reverse : sequence of paths
        The series of opposite phase encoding, if there is one.
    field_maps : sequence of FieldMap
        Those for this series.

    Raises
    ------
    InputError
        If a sidecar cannot be read, or holds what cannot be.
    """
    if setting is False:
        return Choice("none")
    if setting in ("reverse", "fsl") or (setting == "auto" and reverse):
        if not reverse:
            return Choice(
                "none",
                f"dwi.distortion {setting} needs a second series or fmap/*_epi image of opposite phase encoding, and "
                f"there is none for {image.name} (by PhaseEncodingDirection or the dir- label); add it, {_OTHERWISE}",
            )
        return Choice("fsl" if setting == "fsl" else "reverse")
    encoding = bids.phase_encoding(image, root)
    note = None
    if setting == "fieldmap" or (setting == "auto" and field_maps):
        missing = _missing_for_field_map(encoding)
        if len(field_maps) != 1:
            found = ", ".join(path.name for each in field_maps for path in each.images) or "none"
            return Choice(
                "none",
                f"{len(field_maps) or 'no'} field maps in fmap/ for {image.name} ({found}), one is used: phasediff, "
                f"phase1 and phase2, or fieldmap; name the series in IntendedFor of one, {_OTHERWISE}",
            )
        if not missing:
            return Choice("fieldmap")
        if setting == "fieldmap":
            return Choice(
                "none",
                f"dwi.distortion fieldmap needs {missing} of {image.name}; write it in the sidecar, {_OTHERWISE}",
            )
        note = f"the field map is not used, which needs {missing} of the diffusion series"
    if encoding is not None:
        return Choice("t1w", note=note)
    if setting == "t1w":
        return Choice(
            "none",
            f"{image.name} has no {_DIRECTION}: dwi.distortion t1w moves along it alone; write it in the sidecar, "
            f"{_OTHERWISE}",
        )
    return Choice("none", note=f"distortion of the diffusion series is not corrected: it has no {_DIRECTION}")


def _missing_for_field_map(encoding: bids.StoredEncoding | None) -> str:
    """What a field cannot be turned into a shift without; empty if all is there."""
    missing = []
    if encoding is None or encoding.polarity is None:
        missing.append("PhaseEncodingDirection")
    if encoding is None or encoding.readout_s is None:
        missing.append("TotalReadoutTime")
    return " and ".join(missing)
