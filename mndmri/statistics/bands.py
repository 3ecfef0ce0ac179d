"""The range of the controls that each value of a person is compared with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.deviations import DeviationTables, score_deviations
from mndmri.statistics.sides import CONTRA, IPSI
from mndmri.tables.measures import KEY


def add_band(found: DeviationTables, *, alpha: float = 0.05) -> pd.DataFrame:
    """Table of deviations with the range that holds most controls of the same covariates.

    Parameters
    ----------
    found : DeviationTables
        From `score_deviations`, or read from its files.
    alpha : float
        One minus the share of controls in the range.

    Returns
    -------
    DataFrame
        The deviations with ``w_limit``, the W-score at the ends of the range, and the ends themselves as ``band_low``
        and ``band_high`` in the measure's unit. Missing where there is no W-score.
    """
    table, models = found.deviations, found.norms.drop_duplicates(KEY)
    # a side named by onset is compared as the hemisphere that it is: the models of both have as many terms
    keys = table[KEY].assign(hemi=table["hemi"].replace({CONTRA: "L", IPSI: "L"}))
    own = keys.merge(models[[*KEY, "n", "df"]], on=KEY, how="left")
    # the controls of this very comparison: a control is not among its own
    df = table["n_controls"].to_numpy(float) - (own["n"] - own["df"]).to_numpy(float)
    w = table["w_score"].to_numpy(float)
    limit = np.where(np.isfinite(w) & (df > 0), stats.t.ppf(1 - alpha / 2, np.maximum(df, 1)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = limit * (table["value"] - table["expected"]) / w
    return table.assign(w_limit=limit, band_low=table["expected"] - half, band_high=table["expected"] + half)


def score_places(
    places: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    modality: str,
    measure: str,
    named_by: Sequence[str],
    **options: Any,
) -> pd.DataFrame:
    """Every value along a tract or on a sulcus with the range of the controls at that place.

    Parameters
    ----------
    places : DataFrame
        ``participant_id, hemi, value`` and the columns that name a place; the same places in everybody.
    participants : DataFrame
        As in `mndmri.statistics.deviations.score_deviations`.
    modality, measure : str
        Of all rows.
    named_by : sequence of str
        Columns that name a place, besides ``hemi``.
    **options
        Of `mndmri.statistics.deviations.score_deviations`: ``groups``, ``reference``, ``covariates`` and others.

    Returns
    -------
    DataFrame
        The rows of ``places`` with ``expected, w_score, w_limit, band_low, band_high, note``.
    """
    named = places.assign(region=places[list(named_by)].astype(str).agg(" ".join, axis=1))
    rows = named[["participant_id", "region", "hemi", "value"]].assign(
        modality=modality, measure=measure, unit="1", status="no value"
    )
    found = score_deviations(rows, participants, **options)
    bands = add_band(found, alpha=options.get("alpha", 0.05))
    scored = ["expected", "w_score", "w_limit", "band_low", "band_high", "note"]
    keys = ["participant_id", "region", "hemi"]
    return named.merge(bands[[*keys, *scored]], on=keys, how="left").drop(columns="region")
