"""Several visits of each person, on tables that somebody brings."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import read_json, read_table, write_table
from mndmri.tables.dictionaries import column_names
from tests.running import finish

SIZES = {"ALS": 12, "PLS": 6, "control": 10}
SLOPE = {"ALS": -0.06, "PLS": -0.03, "control": 0.0}  # FA per year
FA = {"modality": "dwi", "measure": "fa", "region": "cst"}
MONTHS = (0.0, 0.05, 6.0, 12.0)


def cohort() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Participants, visits and measures: FA is lost in patients, who leave early; a rescan soon after the first."""
    rng = np.random.default_rng(3)
    group = np.repeat(list(SIZES), list(SIZES.values()))
    people = pd.DataFrame({"participant_id": [f"sub-{n:02d}" for n in range(len(group))], "group": group})
    people["age"] = rng.normal(60, 8, len(group)).round()
    people["sex"] = rng.choice(["F", "M"], len(group))
    visits, rows = [], []
    for n, (who, own) in enumerate(zip(people["participant_id"], group, strict=True)):
        base, slope = rng.normal(0.5, 0.03, 2), SLOPE[own] + rng.normal(0, 0.01)
        last = 3 if own == "ALS" and n % 4 == 0 else len(MONTHS)
        for session, months in enumerate(MONTHS[:last], 1):
            score = 40 - months + rng.normal() if own != "control" else np.nan
            visit = {"participant_id": who, "session_id": f"ses-{session:02d}"}
            visits.append(visit | {"months": months + 20, "alsfrs_r": score})
            for hemi, level in zip("LR", base, strict=True):
                value = level + slope * months / 12 + rng.normal(0, 0.005)
                rows.append(visit | FA | {"hemi": hemi, "value": value})
    return people, pd.DataFrame(visits), pd.DataFrame(rows)


def write_study(folder, people, measures, visits=None):
    """A study below a folder, and its run."""
    folder.mkdir()
    write_table(people, folder / "people.tsv")
    write_table(measures, folder / "brought.tsv", digits=17)
    config = {
        "output_dir": str(folder / "results"),
        "participants": str(folder / "people.tsv"),
        "measures": str(folder / "brought.tsv"),
        "statistics": {"n_permutations": 100, "primary": [{**FA, "hemi": hemi} for hemi in "LR"]},
    }
    if visits is not None:
        write_table(visits, folder / "visits.tsv", digits=17)
        config["visits"] = {"table": str(folder / "visits.tsv"), "scores": ["alsfrs_r"], "moderators": ["age", "sex"]}
    return config


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """Folders of the group's tables: of the study with all visits, and of one with those of the baseline alone."""
    people, visits, measures = cohort()
    place = tmp_path_factory.mktemp("visits")
    first = measures[measures["session_id"] == "ses-01"].drop(columns="session_id")
    finish(place / "all", write_study(place / "all", people, measures, visits), "--cores", "2", "statistics")
    config = write_study(place / "first", people, first)
    wanted = f"{config['output_dir']}/group/comparisons.tsv"
    finish(place / "first", config, "--cores", "2", wanted)
    return [place / name / "results" / "group" for name in ("all", "first")]


def test_tables_of_one_time_are_those_of_the_baseline_alone(groups):
    """What all other tables of one time are made of, and the comparisons."""
    every, first = groups
    for name in ("measures", "participants", "measures_wide", "comparisons", "adjusted_means"):
        for ending in ("tsv", "json"):
            path = first / f"{name}.{ending}"
            assert (every / path.name).read_bytes() == path.read_bytes(), path.name


def test_everybody_has_a_slope_of_every_measure(groups):
    table = read_table(groups[0] / "changes.tsv")
    assert list(table) == column_names(read_json(groups[0] / "changes.json"))
    fa = table[table["modality"] == "dwi"]
    assert len(fa) == 2 * sum(SIZES.values())
    means = fa.groupby("group")["slope"].mean()
    for group, slope in SLOPE.items():
        assert means[group] == pytest.approx(slope, abs=0.012)
    score = table[table["measure"] == "alsfrs_r"].set_index("group")
    assert score.loc["ALS", "slope"].mean() == pytest.approx(-12, abs=2)
    assert (score.loc["control", "note"] == "no visit with a value").all()


def test_slopes_of_the_groups_are_compared(groups):
    table = read_table(groups[0] / "longitudinal.tsv")
    assert list(table) == column_names(read_json(groups[0] / "longitudinal.json"))
    fa = table[(table["measure"] == "fa") & (table["hemi"] == "L")].set_index(["effect", "contrast"])
    for group, slope in SLOPE.items():
        assert fa.loc[("slope", group), "estimate"] == pytest.approx(slope, abs=0.02)
    assert fa.loc[("difference", "ALS-control"), "p_confirmatory"] < 0.001
    assert fa.loc[("slope", "ALS"), "n_ALS"] == 12 and fa.loc[("slope", "ALS"), "n_visits"] == 12 * 4 - 3 + 16 * 4
    assert list(fa.loc["moderator"].index) == ["age", "sex: M-F"]
    assert fa.loc["moderator", "p_permutation"].notna().all() and fa.loc["moderator", "q_exploratory"].isna().all()
    score = table[table["measure"] == "alsfrs_r"].set_index(["effect", "contrast"])
    assert "fewer than 2 people with two visits: control" in score.loc[("difference", "ALS-control"), "note"]


def test_report_shows_the_change(groups):
    page = (groups[0] / "report.html").read_text()
    assert "Change over the visits" in page and "Every person" in page
    methods = (groups[0] / "methods.md").read_text()
    assert "linear mixed model" in methods and "one visit of each participant" in methods
    assert "by age and sex, each in a model of its own" in " ".join(methods.split())
    assert "The study's last visit was missing in 3 of 12 ALS, 0 of 6 PLS and 0 of 10 control." in methods
    for heading in ("Who was seen when", "Scan and rescan", "Size of a trial"):
        assert heading in page


def test_rescans_give_the_error_that_was_planted(groups):
    """0.005, of 28 people with two scans 0.05 months apart."""
    table = read_table(groups[0] / "repeatability.tsv")
    assert list(table) == column_names(read_json(groups[0] / "repeatability.json"))
    fa = table[table["measure"] == "fa"]
    assert (fa["n_people"] == 28).all() and (fa["within_sd_low"] < 0.005).all() and (fa["within_sd_high"] > 0.005).all()


def test_trials_of_primary_measures_and_scores_are_planned_in_patients(groups):
    table = read_table(groups[0] / "trial.tsv")
    assert list(table) == column_names(read_json(groups[0] / "trial.json"))
    assert set(table["group"]) == {"ALS", "PLS"} and set(table["measure"]) == {"fa", "alsfrs_r"}
    known = table.dropna(subset=["ci_high"])
    assert (known["measure"] == "fa").any()
    assert (known["ci_low"] <= known["n_per_arm"]).all() and (known["n_per_arm"] <= known["ci_high"]).all()


def test_who_left_is_counted(groups):
    table = read_table(groups[0] / "visits.tsv")
    assert list(table) == column_names(read_json(groups[0] / "visits.json"))
    left = table[table["people"] == "left"].set_index("group")["n"].to_dict()
    assert left == {"ALS": 3, "PLS": 0, "control": 0}
    patterns = table[table["people"] == "pattern"]
    assert patterns.groupby("group")["n"].sum().to_dict() == SIZES
