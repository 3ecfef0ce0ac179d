"""What the tests of a simulated cohort look at."""

import json
from pathlib import Path

import pandas as pd

from mndmri.io import read_table

CONTRASTS = ("ALS-control", "PLS-control")


def primary(results: Path) -> pd.DataFrame:
    """Adjusted pairwise differences of the primary measures."""
    config = json.loads((results / "provenance.json").read_text())["config"]
    rows = read_table(results / "group/comparisons.tsv").query("reported == 'yes' and contrast in @CONTRASTS")
    return rows.merge(pd.DataFrame(config["statistics"]["primary"]))
