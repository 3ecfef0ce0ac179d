"""Metabolites of the precentral gyri of a simulated cohort, as a table that another program would have made."""

import numpy as np
import pandas as pd

from mndmri.phantom.plan import HEMIS
from mndmri.tables.measures import KEY

# mM; N-acetylaspartate of neurons falls with what the tract of the same side has lost, creatine does not
CONCENTRATION = {"NAA": 9.0, "Cr": 7.0}
LOSS_PER_FA_LOSS = {"NAA": 0.6, "Cr": 0.0}
_SD = 0.04  # of a measurement, share of the concentration
_RNG_STREAM = 500


def simulate_spectra(plan: pd.DataFrame) -> pd.DataFrame:
    """Concentrations of both precentral gyri of everybody in a simulated cohort.

    Parameters
    ----------
    plan : DataFrame
        From `mndmri.phantom.plan.plan_cohort`: the table follows from the plan alone, so that it is there before any
        scan is simulated.

    Returns
    -------
    DataFrame
        ``participant_id, modality, measure, region, hemi, value, unit``: ``NAA`` and ``Cr`` of ``precentral``, mM, of
        both sides. NAA is lower by `LOSS_PER_FA_LOSS` of the planted loss of anisotropy of the side's tract.
    """
    rows = []
    for person in plan.to_dict("records"):
        noise = np.random.default_rng([person["seed"], _RNG_STREAM])
        for measure, healthy in CONCENTRATION.items():
            for hemi in HEMIS:
                kept = 1 - LOSS_PER_FA_LOSS[measure] * person[f"cst_fa_loss_{hemi}"]
                value = healthy * kept * (1 + _SD * noise.standard_normal())
                rows.append((person["participant_id"], "mrs", measure, "precentral", hemi, round(value, 3), "mM"))
    return pd.DataFrame(rows, columns=["participant_id", *KEY, "value", "unit"])
