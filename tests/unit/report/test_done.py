"""The methods text claims an analysis where it gave a number, and nowhere else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.cohort.config import resolve_config
from mndmri.report.done import analyses_done, primary_done
from mndmri.report.methods_text import methods_paragraph

SCHEMA = yaml.safe_load((Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
CONFIG = {
    "bids_dir": "study",
    "clinical_scores": ["alsfrs"],
    "progression": {"score": "alsfrs", "months": "months"},
    "onset_side": "onset",
    "site": "site",
    "survival": {"time": "lived", "event": "died"},
}
# Name of an analysis, to words that claim it
CLAIMS = {
    "comparisons": "Each measure was compared between the groups",
    "comparisons p_permutation": "flips of the signs of the residuals of the model without",
    "classification": "The separation of the groups by each measure",
    "classification auc_adjusted": "areas of the W-scores",
    "marker_comparisons": "Areas of two primary measures",
    "multimodal_index": "combined by logistic regression",
    "correlations alsfrs": "correlated with alsfrs",
    "correlations progression_rate": "rate of progression by Spearman",
    "sides": "contralateral and the ipsilateral hemisphere were compared",
    "deviations": "by W-scores, the residual",
    "survival": "Cox's model",
    "influence": "each participant left out in turn",
    "equivalence": "two one-sided tests",
    "sensitivity without_site_A": "without each site in turn",
    "sensitivity age_matched": "groups matched for age and sex",
    "sensitivity motion_covariate": "head motion as covariate",
    "site_effects": "within each site and pooled",
    "site_effects mixed_estimate": "the site as a random intercept",
    "profile_comparisons": "Along the tract the differences",
}
# What else has to be there for a sentence to be written at all
WITH = {name: {"comparisons", "classification"} for name in CLAIMS}
WITH["site_effects mixed_estimate"] |= {"site_effects"}


def text(done, **changes):
    return methods_paragraph(
        resolve_config(CONFIG | changes, SCHEMA),
        {"mndmri": "0", "scipy": "1", "torch": "2"},
        n_by_group={"ALS": 5},
        space="MNI152NLin6Asym",
        done=done,
    )


@pytest.mark.parametrize("name", CLAIMS)
def test_an_analysis_is_claimed_where_it_gave_a_number_alone(name):
    assert CLAIMS[name] in text(WITH[name] | {name})
    assert CLAIMS[name] not in text(WITH[name] - {name})


def test_modalities_without_a_measure_and_programs_without_an_image_are_not_named():
    whole = text(None)
    assert "**Diffusion" in whole and "torch 2" in whole
    alone = methods_paragraph(
        resolve_config(CONFIG, SCHEMA), {"mndmri": "0", "torch": "2"}, n_by_group={"ALS": 5}, space="x", imaged=["t1w"]
    )
    assert "**T1-weighted" in alone and "**Diffusion" not in alone and "**Susceptibility" not in alone
    table = methods_paragraph(
        resolve_config({"measures": "a.csv", "participants": "p.tsv"}, SCHEMA),
        {"mndmri": "0", "scipy": "1", "torch": "2"},
        n_by_group={"ALS": 5},
        space="x",
        brought=["NAA of mrs"],
    )
    assert "The imaging measures (NAA of mrs) had been computed beforehand" in table
    assert "scipy 1" in table and "torch" not in table


def test_done_is_what_has_a_number():
    nothing = pd.DataFrame({"test": ["ancova_welch"], "p": [np.nan], "p_permutation": [np.nan]})
    scores = pd.DataFrame({"method": ["spearman", "kendall"], "score": ["a", "b"], "estimate": [0.5, np.nan]})
    tables = {"comparisons": nothing, "correlations": scores, "measures": pd.DataFrame({"value": [1.0]})}
    assert analyses_done(tables) == {"correlations", "correlations spearman", "correlations a"}
    assert "comparisons ancova_welch" in analyses_done({"comparisons": nothing.assign(p=0.5)})
    assert "comparisons p_permutation" in analyses_done({"comparisons": nothing.assign(p=0.5, p_permutation=0.1)})


def test_a_variant_of_the_analysis_that_changed_nothing_was_not_done():
    """Nobody was flagged, and motion was the same in everybody: both are the main analysis again."""
    rows = pd.DataFrame(
        {
            "variant": ["main", "without_flagged", "motion_covariate", "without_covariates"],
            "estimate": [-0.05, -0.05, -0.05, -0.04],
            "change_percent": [0.0, 0.0, 0.0, -20.0],
        }
    )
    done = analyses_done({"sensitivity": rows})
    assert done == {"sensitivity", "sensitivity without_covariates"}
    assert "sensitivity motion_covariate" in analyses_done({"sensitivity": rows.assign(change_percent=0.5)})


def test_primary_measures_without_a_result_are_not_called_primary():
    key = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}
    rows = pd.DataFrame([key | {"p": 0.1}, key | {"hemi": "R", "p": np.nan}])
    assert primary_done(rows, [key, key | {"hemi": "R"}, key | {"region": "x"}]) == [key]
