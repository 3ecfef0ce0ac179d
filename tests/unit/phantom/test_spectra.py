"""Metabolites of the simulated people: what is planted, and that the table of the full demo is theirs."""

import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from mndmri.cohort.config import resolve_config
from mndmri.io import read_table
from mndmri.phantom.plan import plan_cohort
from mndmri.phantom.spectra import CONCENTRATION, LOSS_PER_FA_LOSS, simulate_spectra
from mndmri.statistics import compare_groups
from mndmri.tables.given import read_given
from tests.running import ROOT

COARSE, FULL = (yaml.safe_load((ROOT / "config" / name).read_text()) for name in ("config.yaml", "demo-full.yaml"))


@pytest.fixture(scope="module")
def config():
    update_config(own := copy.deepcopy(COARSE), FULL)
    return resolve_config(own, yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text()))


@pytest.fixture(scope="module")
def plan(config):
    return plan_cohort(config["simulation"])


def test_the_table_of_the_full_demo_follows_from_its_plan(config, plan):
    [entry] = config["tables"]
    pd.testing.assert_frame_equal(read_table(ROOT / entry["file"]), simulate_spectra(plan))


def read(entry, people, rows, folder):
    rows.to_csv(folder / "mrs.tsv", sep="\t", index=False)
    given = read_given([entry | {"file": str(folder / "mrs.tsv")}], known=people, studied=people)
    assert not given.problems
    return given.rows


def test_what_is_planted_in_a_large_cohort_comes_back_from_the_table(config, tmp_path):
    groups = {"ALS": 60, "PLS": 60, "control": 60}
    plan = plan_cohort(config["simulation"] | {"groups": groups})
    people = list(plan["participant_id"])
    rows = read(config["tables"][0], people, simulate_spectra(plan), tmp_path)
    measures = rows.merge(plan[["participant_id", "group"]]).assign(n_voxels=0, status="ok")
    found = compare_groups(
        measures, plan[["participant_id", "group"]], groups=list(groups), reference="control", covariates=[]
    )
    found = found[found["reported"] == "yes"].set_index(["contrast", "measure", "hemi"])
    for group in ("ALS", "PLS"):
        for hemi in "LR":
            lost = plan.loc[plan["group"] == group, f"cst_fa_loss_{hemi}"].mean()
            for measure, healthy in CONCENTRATION.items():
                own = found.loc[f"{group}-control", measure, hemi]
                planted = -healthy * LOSS_PER_FA_LOSS[measure] * lost
                assert own["ci_low"] - 0.1 < planted < own["ci_high"] + 0.1
                assert (own["p"] < 1e-6) == (measure == "NAA")


def test_each_side_follows_its_own_tract_and_nobody_changes_with_who_is_added(plan):
    one_sided = plan.assign(cst_fa_loss_L=0.5, cst_fa_loss_R=0.0)
    value = simulate_spectra(one_sided).set_index(["measure", "hemi"]).sort_index()["value"]
    assert value.loc["NAA", "L"].mean() == pytest.approx(0.7 * CONCENTRATION["NAA"], rel=0.03)
    assert value.loc["NAA", "R"].mean() == pytest.approx(CONCENTRATION["NAA"], rel=0.03)
    some = simulate_spectra(plan[:4])
    np.testing.assert_array_equal(some["value"], simulate_spectra(plan)["value"][: len(some)])
