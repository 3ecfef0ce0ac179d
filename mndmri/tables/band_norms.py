"""Stored norms of the motor band: tables of cut-offs as one study writes them and others read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mndmri.io import InputError, read_table
from mndmri.tables import protocols
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import KEY
from mndmri.tables.protocols import KIND, PROTOCOL

PARTS = ("precentral_leg", "precentral_hand", "precentral_face")
CONTRAST = ("swi", "band_darkness")
INDEX = ("swi", "band_index")
INDEX_REGION = "precentral"

# Of controls, the share that passes a region's limit: so that one control in 20 has a mild band in any of the six
# regions, and one in 200 a marked one.
MILD_SHARE, MARKED_SHARE = 0.05 / 6, 0.005 / 6
# Fainter than this no band is called so, however alike the controls are: in easy simulated heads, whose cortex is more
# even than any in life, their limits fell to 0.001, a band that nobody would see.
MILD_CONTRAST, MARKED_CONTRAST = 0.03, 0.06
# With five the limit of a mild band lies 3.2 to 4.3 SD above the mean (sides unrelated, alike), with ten 2.7 to 3.1,
# with endlessly many 2.4; with four it would be 3.5 to 5.4.
MIN_CONTROLS = 5
# So that each of those whom stored limits come from was judged by as many others.
MIN_STORED = MIN_CONTROLS + 1

_BOTH = "of the controls with both sides alone"
_DESCRIPTIONS = {
    "modality": "Kind of image.",
    "measure": "What the limits are for: band_darkness; in the row of band_index, what the index is compared with.",
    "region": "Body part of the precentral gyrus; the gyrus, of the index.",
    "hemi": "both: the row applies to either side.",
    KIND: protocols.DESCRIPTIONS[KIND],
    "n": "Controls whom the row was estimated from.",
    "n_both": "Of these, controls with a value on both sides.",
    "n_studies": "Studies that they come from.",
    "age_from": "Age of the youngest of them, years; n/a where ages are unknown. Iron grows with age: the limits hold "
    "for people of these ages.",
    "age_to": "Age of the oldest of them.",
    "mean": "Mean of the controls, each side counted once.",
    "sd": "Their standard deviation.",
    "mean_both": f"The mean {_BOTH}; with the next two columns norms of several studies are pooled.",
    "sd_both": f"Root of the mean square about it {_BOTH}.",
    "sides_r": f"Correlation of the two sides of a person, {_BOTH}, as it was found in this row.",
    "sides_alike": "Correlation of the two sides of a control, one for all regions, with a standard error added: 0 "
    "where two sides count as two people, 1 where as one.",
    "mild_above": f"Above this a band is mild (1): prediction limit exceeded by {MILD_SHARE:.2%} of controls, "
    f"and no less than {MILD_CONTRAST:g}.",
    "marked_above": f"Above this a band is marked (2): prediction limit exceeded by {MARKED_SHARE:.2%} of controls, "
    f"and no less than {MARKED_CONTRAST:g}.",
    **{name: f"{protocols.DESCRIPTIONS[name]} Different ones with a semicolon between them." for name in PROTOCOL},
}
CUTOFF_COLUMNS = list(_DESCRIPTIONS)
_NUMBERS = ("n", "n_both", "mean", "sd", "sides_alike", "mild_above", "marked_above")
_REMEDY = "give the motor_band_cutoffs.tsv that this version of the program wrote for a study with enough controls"


def cutoffs_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of cut-offs."""
    return dictionary("Cut-offs of the motor band score", _DESCRIPTIONS)


def read_band_norms(paths: Sequence[str | Path]) -> list[pd.DataFrame]:
    """Tables of cut-offs, each checked to be one.

    Raises
    ------
    InputError
        If a file is no such table (`check_band_norms`), or two hold the same.
    """
    tables: list[pd.DataFrame] = []
    for number, path in enumerate(paths):
        table = read_table(path, text=[KIND, *PROTOCOL])
        try:
            check_band_norms(table)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        for before, earlier in zip(paths[:number], tables, strict=True):
            if table.equals(earlier):
                raise InputError(f"swi.norms: {before} and {path} hold the same controls; name each study once")
        tables.append(table)
    return tables


def check_band_norms(norms: pd.DataFrame) -> pd.DataFrame:
    """Cut-offs of another study, found to be such.

    Raises
    ------
    InputError
        If it is not a table as `mndmri.statistics.motor_band.learn_cutoffs` returns it, with limits for each of
        `PARTS` from at least `MIN_STORED` controls.
    """
    lacking = [name for name in CUTOFF_COLUMNS if name not in norms.columns]
    if lacking:
        raise InputError(f"the norms of the motor band have no column {', '.join(lacking)}; {_REMEDY}")
    norms = _enough(norms)
    of_index = (norms["measure"] == INDEX[1]).to_numpy(dtype=bool)
    expected = sorted((*CONTRAST, part, "both") for part in PARTS)
    for kind, rows in norms[~of_index].groupby(KIND, sort=False, dropna=False):
        found = sorted(map(tuple, rows[KEY].astype(str).to_numpy()))
        if found != expected:
            listed = ["; ".join(" ".join(key) for key in keys) or "none" for keys in (found, expected)]
            raise InputError(
                f"the norms of the motor band have the rows {listed[0]} of {kind}; expected {listed[1]}: {_REMEDY}"
            )
    if of_index.all():
        raise InputError(f"the norms of the motor band have the rows none; expected some: {_REMEDY}")
    for line in norms[~of_index].to_dict("records"):
        numbers = pd.to_numeric(pd.Series({name: line[name] for name in _NUMBERS}), errors="coerce")
        n, _, mean, sd, _, mild, marked = numbers
        if not (np.isfinite(numbers).all() and n >= MIN_STORED and sd > 0 and mean < mild < marked):
            values = ", ".join(f"{name} {line[name]}" for name in _NUMBERS)
            raise InputError(
                f"the norms of the motor band have {values} for {line['region']}; expected at least {MIN_STORED} "
                f"controls, and mean, mild_above and marked_above in rising order; {_REMEDY}"
            )
    return norms


def _enough(norms: pd.DataFrame) -> pd.DataFrame:
    """Norms without the kinds of scan of which a limit has too few controls, where another kind has enough.

    The index has none of the limits, and is missing in more people: in all whose band is missing in one area.
    """
    few = (pd.to_numeric(norms["n"], errors="coerce") < MIN_STORED) & (norms["measure"] == CONTRAST[1])
    has_few = few.groupby(norms[KIND]).transform("any").astype(bool)
    return norms if has_few.all() else norms[~has_few]
