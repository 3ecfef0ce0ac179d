"""People who come again: what has changed in them, what stays, and who does not come."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mndmri.io import read_table, write_table
from mndmri.phantom.deformation import head_map
from mndmri.phantom.dwi import simulate_dwi
from mndmri.phantom.plan import MAX_FRACTION, SCORES, complete, plan_cohort, plan_visits
from mndmri.phantom.t1w import simulate_t1w
from mndmri.phantom.truth import TRUTH_COLUMNS
from mndmri.tables.visits import read_sessions
from tests.running import ROOT

YEARS = {"ses-01": 0.0, "ses-02": 0.5, "ses-03": 1.0}
EFFECTS = {
    "ALS": {"cst_fa_loss": 0.15, "cord_loss": 0.1, "band_darkening": 0.2, "band_prevalence": 0.5},
    "PLS": {"cst_fa_loss": 0.2},
}
CHANGE = {"ALS": {"cst_fa_loss": 0.06, "cord_loss": 0.05, "band_darkening": 0.1}, "PLS": {"cord_loss": 0.02}}
STAYING = {"groups": {"ALS": 6, "PLS": 2, "control": 3}, "effects": EFFECTS, "visits": {"dropout": 0, "change": CHANGE}}


def seen(simulation: dict) -> dict[str, pd.DataFrame]:
    """The plan of each session, by participant."""
    table = plan_visits(simulation).set_index("participant_id")
    return dict(iter(table.groupby("session")))


def test_without_visits_there_is_a_row_for_each_person():
    pd.testing.assert_frame_equal(plan_visits({}), plan_cohort({}), check_exact=True)


def test_at_the_first_visit_people_are_what_they_are_without_visits():
    first = seen(STAYING)["ses-01"].drop(columns=["session", "months"]).reset_index()
    alone = plan_cohort(STAYING | {"visits": None})
    pd.testing.assert_frame_equal(first, alone, check_exact=True)


def test_damage_grows_by_the_change_times_the_persons_own_share_on_each_side():
    by_session = seen(STAYING)
    first, als = by_session["ses-01"], by_session["ses-01"]["group"] == "ALS"
    assert (als.sum(), first["cst_fa_loss_L"][als].nunique()) == (6, 6)
    for session, years in YEARS.items():
        now = by_session[session]
        for column, effect, per_year in (
            ("cst_fa_loss_L", 0.15, 0.06),
            ("cst_fa_loss_R", 0.15, 0.06),
            ("cord_loss", 0.1, 0.05),
            ("band_darkening_hand_R", 0.2, 0.1),
        ):
            expected = first.loc[als, column] * (1 + years * per_year / effect)
            np.testing.assert_allclose(now.loc[als, column], expected, rtol=1e-12)
        # what is not in the change of a group stays, and nobody gets a band
        others = ["cst_fa_loss_L", "cst_fa_loss_R", "band_darkening_hand_L"]
        assert now.loc[~als, others].equals(first.loc[~als, others])
        assert ((now["band_darkening_hand_R"] > 0) == (first["band_darkening_hand_R"] > 0)).all()
        assert (now.loc[now["group"] == "control", "cord_loss"] == 0).all()
    grown = by_session["ses-03"].loc[by_session["ses-03"]["group"] == "PLS", "cord_loss"]
    assert (first.loc[first["group"] == "PLS", "cord_loss"] == 0).all() and (grown > 0).all()


def test_a_loss_ends_where_nothing_is_left():
    change = {"ALS": {"cst_fa_loss": 0.9}}
    table = plan_visits({"groups": {"ALS": 4}, "effects": {}, "visits": {"months": [0, 60], "change": change}})
    assert table["cst_fa_loss_L"].max() == MAX_FRACTION


def test_body_and_scan_change_as_they_would():
    by_session = seen(STAYING)
    first = by_session["ses-01"]
    body = ["group", "age", "sex", "seed", "grey_loss", "head_scale", "has_dwi", "has_swi"]
    pose = first.filter(regex="rotation|shift").columns
    assert len(pose) == 6
    for session in ("ses-02", "ses-03"):
        now = by_session[session]
        assert now[body].equals(first[body])
        assert (now[[*pose, "scan_seed"]] != first[[*pose, "scan_seed"]]).all(axis=None)
        assert now[pose].abs().max(axis=None) <= 8
        assert now[pose].to_numpy().std() > 3
    assert plan_visits(STAYING)["scan_seed"].is_unique
    # somebody more changes nobody else
    more = plan_visits(STAYING | {"groups": {"ALS": 6, "PLS": 2, "control": 4}})
    pd.testing.assert_frame_equal(more.iloc[:-3], plan_visits(STAYING), check_exact=True)


def test_scores_become_worse_in_patients():
    by_session = seen(STAYING)
    first, last = by_session["ses-01"], by_session["ses-03"]
    patients = first["group"] != "control"
    lost = (first["alsfrs_r"] - last["alsfrs_r"])[patients]
    # 0.2 to 1.2 points a month, rounded, while there are any
    assert lost.between(0, 15).all() and (lost[last["alsfrs_r"] > 0] >= 2).all()
    assert lost.nunique() > 3
    assert (last["months_since_onset"] - first["months_since_onset"])[patients].eq(12).all()
    als = first["group"] == "ALS"
    assert (last["umn_left"] + last["umn_right"])[als].mean() > (first["umn_left"] + first["umn_right"])[als].mean()
    assert last.loc[~patients, list(SCORES)].isna().all(axis=None)


def test_the_sickest_are_likelier_to_leave_and_nobody_comes_back():
    simulation = {"groups": {"ALS": 200, "control": 50}, "effects": {"ALS": {"cst_fa_loss": 0.1}}}
    table = plan_visits(simulation | {"visits": {"months": [0, 3, 6, 12], "dropout": 0.3}})
    sessions = table.groupby("participant_id")["session"].agg(list)
    every = [f"ses-0{n}" for n in range(1, 5)]
    assert all(own == every[: len(own)] for own in sessions)
    first = table[table["session"] == "ses-01"].set_index("participant_id")
    left = sessions.map(len) < 4
    assert (left.sum(), left[first["group"] == "control"].sum()) == (60, 0)
    assert set(sessions.map(len)[left]) == {1, 2, 3}
    scores = first.loc[first["group"] == "ALS", "alsfrs_r"]
    assert scores[left].mean() < scores[~left].mean() - 4
    # likelier, not certain
    assert scores[left].max() > scores[~left].median()


def test_a_head_has_its_shape_at_every_visit_and_its_scans_have_new_noise(anatomy, still):
    simulation = still | {"deformation_mm": 4.0, "noise": {"t1w": 0.02}, "visits": {"months": [0, 6]}}
    first, again = plan_visits(simulation).to_dict("records")
    settings = complete(simulation)
    shape = [head_map(person, settings, "t1w").displacement for person in (first, again)]
    assert np.abs(shape[0]).max() > 1
    np.testing.assert_array_equal(*shape)
    scans = [simulate_t1w(anatomy, person, simulation) for person in (first, again)]
    pd.testing.assert_frame_equal(scans[0].truth, scans[1].truth)
    noise = scans[0].image.get_fdata() - scans[1].image.get_fdata()
    assert noise.std() > 0.01 * scans[0].image.get_fdata().max() / 2


COLLECT = """
import json, runpy, sys, types
class Files(dict):
    __getattr__ = dict.__getitem__
job = json.loads(sys.argv[1])
own = {key: Files(job[key]) for key in ("input", "output", "params")}
snakemake = types.SimpleNamespace(rule="collect_truth", threads=1, log=[job["log"]], wildcards={}, **own)
runpy.run_path(sys.argv[2], {"snakemake": snakemake})
"""


def test_a_simulated_dataset_has_the_dates_of_its_visits_and_the_true_slopes_beside_it(tmp_path):
    simulation = {
        "groups": {"ALS": 2, "control": 1},
        "effects": {"ALS": {"cst_fa_loss": 0.1}},
        "visits": {"dropout": 0.5},
    }
    plan = plan_visits(simulation)
    people = ["sub-01", "sub-02", "sub-03"]
    truths = []
    for who, session, months in plan[["participant_id", "session", "months"]].itertuples(index=False):
        path = tmp_path / f"{who}_{session}_dwi_truth.tsv"
        row = ("dwi", "fa", "cst", "L", 0.5 - int(who[4:]) * months / 100)
        write_table(pd.DataFrame([row], columns=TRUTH_COLUMNS), path)
        truths.append(str(path))
    names = ("participants.tsv", "description.json", "planted.tsv", "truth.tsv", "changes.tsv")
    made = {name.split(".")[0]: str(tmp_path / name) for name in names}
    sessions = {who: str(tmp_path / who / f"{who}_sessions.tsv") for who in people}
    for who in people:
        (tmp_path / who).mkdir()
    job = {
        "input": {"dwi": truths},
        "output": made | {"sessions": list(sessions.values())},
        "params": {"simulation": simulation},
        "log": str(tmp_path / "log.txt"),
    }
    script = [sys.executable, "-c", COLLECT, json.dumps(job), str(ROOT / "scripts/collect_truth.py")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = read_sessions(sessions, scores=["alsfrs_r"], known=people, studied=people)
    assert (seen.problems, seen.notes) == ([], [])
    key = ["participant_id", "session", "months", "alsfrs_r"]
    pd.testing.assert_frame_equal(seen.table[key].reset_index(drop=True), plan[key])
    assert read_table(made["participants"])["participant_id"].tolist() == people
    assert len(read_table(made["truth"])) == len(read_table(made["planted"])) == len(plan) < 9
    slopes = read_table(made["changes"]).set_index("participant_id")["slope"]
    assert slopes["sub-03"] == pytest.approx(-0.36)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(
    ("effect", "simulate", "place"),
    [
        ("cst_fa_loss", simulate_dwi, ("fa", "cst")),
        ("precentral_volume_loss", simulate_t1w, ("volume", "precentral")),
    ],
)
def test_a_slope_of_one_side_comes_on_that_side_only(anatomy, still, side, effect, simulate, place):
    """Of somebody in whom the other side has no share of the damage."""
    visits = {"months": [0, 12], "dropout": 0, "change": {"ALS": {effect: 0.4}}}
    plan = still | {"groups": {"ALS": 100, "control": 1}, "effect_sd": 1.0, "visits": visits}
    table = plan_visits(plan)
    other = {"L": "R", "R": "L"}[side]
    one_sided = table[(table[f"{effect}_{side}"] > 0.2) & (table[f"{effect}_{other}"] == 0)]["participant_id"].iloc[0]
    before, after = (
        simulate(anatomy, person, still).truth.set_index(["measure", "region", "hemi"])["value"]
        for person in table[table["participant_id"] == one_sided].to_dict("records")
    )
    ratio = after / before
    assert ratio[*place, side] < 0.85
    assert ratio[*place, other] == pytest.approx(1, abs=0.003)
