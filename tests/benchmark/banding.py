"""What the benchmarks of the motor band share: contrasts of a person, and scores of people compared with others."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mndmri.statistics.motor_band import score_motor_band
from mndmri.susceptibility.regions import BODY_PARTS
from mndmri.tables.band_norms import CONTRAST, PARTS
from mndmri.tables.measures import GROUP_COLUMNS

SIDES = [(part, hemi) for part in PARTS for hemi in "LR"]
TOTAL = ("precentral", "both")
MEASURES = ("band_contrast", "band_darkness")

# SD, in 14 sides, of seven elderly people: VALDO task 2, cohort 3 (Sudre et al. 2024, Med Image Anal 91:103029),
# T2*-weighted magnitude of 1 x 1 x 3 mm; measured by test_real_band.py.
REAL_SD = {
    "band_contrast": {"leg": 0.0288, "hand": 0.0406, "face": 0.0165},
    "band_darkness": {"leg": 0.0181, "hand": 0.0138, "face": 0.0153},
}


def contrasts(rows: pd.DataFrame, measure: str = CONTRAST[1]) -> pd.Series:
    """Values of one person's six regions, by region and hemi, from the measures table of a scan."""
    own = rows[(rows["modality"] == CONTRAST[0]) & (rows["measure"] == measure)]
    return own.set_index(["region", "hemi"])["value"][SIDES]


def spread(people: Mapping[str, pd.Series]) -> dict[str, float]:
    """SD over people and sides, by body part."""
    table = pd.DataFrame(people)
    return {part: float(table.loc[f"precentral_{part}"].to_numpy().std(ddof=1)) for part in BODY_PARTS}


def scores(one: pd.Series, others: Mapping[str, pd.Series]) -> pd.Series:
    """Scores of a person by limits from others alone: six regions, and their sum under ``(precentral, both)``."""
    people = {"one": one, **others}
    participants = pd.DataFrame({"participant_id": list(people), "group": ["patient", *["control"] * len(others)]})
    measures = pd.DataFrame(
        [
            (who, "", *CONTRAST, *key, value, "1", 100, "ok")
            for who, values in people.items()
            for key, value in values.items()
        ],
        columns=GROUP_COLUMNS,
    )
    scored = score_motor_band(measures, participants, reference="control").query("participant_id == 'one'")
    return scored.set_index(["region", "hemi"])["value"]


def told(name: str, counts: Mapping[float, list[float]]) -> str:
    """How often a band of each strength was found."""
    found = ", ".join(f"{strength:.0%}: {np.sum(np.array(v) >= 1)} of {len(v)}" for strength, v in counts.items())
    return f"{name}: {found}"
