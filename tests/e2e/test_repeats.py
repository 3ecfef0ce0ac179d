"""One man in four head positions: his tract is found in each, and is the same."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import read_table
from tests.running import finish

pytestmark = [pytest.mark.real, pytest.mark.slow]

POSITIONS = ("sub-crHFS", "sub-crHFP", "sub-crHFDL", "sub-crHFDR")
COMPACT = ["cst_plic", "cst_peduncle", "cst_pons"]


@pytest.fixture(scope="module")
def measures(real_data, tmp_path_factory):
    """Measures of the tract by position."""
    folder = tmp_path_factory.mktemp("repeats")
    config = {
        "bids_dir": str(real_data / "real_repeats"),
        "output_dir": str(folder / "results"),
        "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
        "modalities": ["t1w", "dwi"],
        "dwi": {"denoise": False, "gibbs": False, "motion": False},
    }
    paths = {who: f"{folder}/results/{who}/dwi/{who}_desc-cst_measures.tsv" for who in POSITIONS}
    finish(folder, config, "--cores", "2", "--", *paths.values())
    tables = [read_table(path).assign(position=who) for who, path in paths.items()]
    return pd.concat(tables).set_index(["measure", "region", "hemi", "position"])


def test_the_levels_below_the_cortex_lie_on_the_tract_in_every_position(measures):
    for region in COMPACT:
        assert (measures.loc[("tract_angle", region), "value"] < 20).all(), region
        assert (measures.loc[("aligned_fraction", region), "value"] > 0.5).all(), region


def test_every_level_has_a_value_in_every_position(measures):
    assert (measures.loc["fa", "status"] == "ok").all()


@pytest.mark.parametrize(("region", "percent"), [("cst", 2.5), ("cst_peduncle", 6), ("cst_pons", 6)])
def test_fa_and_diffusivity_repeat(measures, region, percent):
    """Coefficients of variation; with the tract beside the fibres they were up to 11% (peduncle) and 19% (pons)."""
    for measure in ("fa", "md"):
        values = measures.loc[(measure, region), "value"].unstack("position").to_numpy()
        variation = 100 * np.std(values, axis=1, ddof=1) / np.mean(values, axis=1)
        assert (variation < percent).all(), (measure, variation)
