"""What is known of a study before anything is computed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mndmri.io import InputError

# Modalities whose scan can take the place of a T1w image, first the one that has no distortion, and what the image that
# does so is made of.
STAND_INS = {"swi": "the gradient echo", "dwi": "FA and mean diffusivity"}


def may_stand_in(config: Mapping[str, Any]) -> list[str]:
    """Modalities of the study whose scan takes the place of a T1w image that is lacking, by the resolved config."""
    return [name for name in STAND_INS if config[name]["without_t1w"] and name in config["modalities"]]


def refuse(problems: Iterable[str], where: str) -> None:
    """Raise an `InputError` with all problems as one list, each once; nothing happens where there is none."""
    lines = list(dict.fromkeys(problems))
    if lines:
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise InputError("\n".join([f"{count} {where}:", *(f"  - {line}" for line in lines)]))


@dataclass(frozen=True)
class Problem:
    """Something wrong with the study's input.

    ``participant_id`` and ``modality`` are set where leaving out that person's scan
    would do away with it; a problem of the table or of the dataset has neither.
    """

    message: str
    participant_id: str | None = None
    modality: str | None = None


@dataclass(frozen=True)
class Scan:
    """Files of one participant's modality.

    ``files`` maps a role onto paths; a role that there is no file for is absent.

    ==========  =========================================================================
    modality    roles
    ==========  =========================================================================
    t1w         image; mask, parcellation, surface_stats (the user's own); json
    maps        image; register (on its grid, by which it is registered); json: flair, t2w and
                those that the config declares
    dwi         image, bval, bvec, json; what `distortion` is corrected with: reverse,
                reverse_bval, reverse_bvec, reverse_json (the series, or b=0 image, of opposite
                phase encoding), or fieldmap (phasediff, phase1 and phase2, or a field),
                fieldmap_magnitude, fieldmap_json
    swi         swi (as the scanner made it); magnitude, phase (by echo); chimap (the user's
                own, ppm); json
    qsm         the files of swi, where they hold phase or a chimap; and
    r2star      where they hold three echoes: both made by `mndmri.cohort.settle`
    ==========  =========================================================================

    ``json`` lists every sidecar that applies, the most general first.
    """

    modality: str
    files: Mapping[str, tuple[str, ...]]
    distortion: str | None = None
    """Of a diffusion series, how its distortion will be corrected (see `mndmri.cohort.distortion.Choice`)."""
    notes: tuple[str, ...] = ()
    """Decisions made for lack of data, reported when the run starts."""
    declared: Mapping[str, Any] | None = None
    """Of a map, how the config declares it (see `mndmri.cohort.maps`)."""

    def all_files(self) -> list[str]:
        """Every file of the scan, once, roles in the order of their names."""
        return list(dict.fromkeys(path for role in sorted(self.files) for path in self.files[role]))


@dataclass(frozen=True)
class Study:
    """Participants and their scans.

    Attributes
    ----------
    participants : DataFrame
        participant_id, group, covariates and clinical scores; one row for each person studied.
    scans : mapping
        ``scans[unit][modality]`` is a `Scan`; a modality that is lacking or left out is absent. A unit is a
        participant, or a visit of one where the study has visits (`mndmri.units`).
    left_out : mapping
        ``left_out[unit][modality]`` is the reason why a modality of the study is absent.
    bids_dir : str
        Root of the dataset, for `mndmri.cohort.bids.sidecar`.
    problems : tuple of Problem
        Found while reading the table and looking for files.
    notes : tuple of str
        Messages at the start of the run: excluded participants, with the reasons.
    simulated : bool
        True if the files are yet to be made.
    """

    participants: pd.DataFrame
    scans: Mapping[str, Mapping[str, Scan]]
    left_out: Mapping[str, Mapping[str, str]]
    bids_dir: str
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = field(default=())
    simulated: bool = False
    listed: tuple[str, ...] = ()
    """Every participant of the participants table, whom tables of measures may name."""
    others: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"participant_id": []}))
    """Columns of the participants table that the config does not name, for the wide table alone."""
    cases: Mapping[str, int] = field(default_factory=dict)
    """Case number of every participant of the table, under which the motor band is rated."""
    excluded: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """``excluded[unit][modality]`` is the reason why readers have excluded a scan, or ``all`` of a person."""
    decisions: tuple[Mapping[str, Any], ...] = ()
    """Rows of `mndmri.tables.decisions.DECISION_COLUMNS`."""
    rated: Sequence[str] = ()
    """Files of ratings."""
    visits: pd.DataFrame | None = None
    """When everybody was seen (`mndmri.tables.visits.read_visits`); None of a study without visits."""


def stand_in_of(scans: Mapping[str, Scan]) -> str | None:
    """Modality of a participant's scans that takes the place of the T1w image; None of one who has that image."""
    return None if "t1w" in scans else next((name for name in STAND_INS if name in scans), None)
