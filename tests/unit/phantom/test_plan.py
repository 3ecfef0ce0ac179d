import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mndmri.phantom import plan
from mndmri.phantom.plan import (
    BAND_EFFECTS,
    BAND_KEYS,
    DECOY_EFFECTS,
    HEMIS,
    MAP_EFFECTS,
    SCORES,
    complete,
    plan_cohort,
    plan_settings,
    plan_visits,
    planted,
    scan_settings,
)

PLANTED = [
    "cord_loss",
    *(f"{key}_{hemi}" for key in ("cst_fa_loss", "precentral_volume_loss", *MAP_EFFECTS.values()) for hemi in HEMIS),
    *(f"{key}_{part}" for key in (*BAND_EFFECTS, *DECOY_EFFECTS) for part in BAND_KEYS),
]


def test_cohort_has_the_groups_asked_for_and_unique_people():
    table = plan_cohort({"groups": {"ALS": 2, "PLS": 3, "control": 1}})
    assert table["group"].tolist() == ["ALS"] * 2 + ["PLS"] * 3 + ["control"]
    assert table["participant_id"].tolist() == [f"sub-{n:02d}" for n in range(1, 7)]
    assert table["seed"].is_unique
    assert set(table["sex"]) <= {"F", "M"}
    assert table["age"].between(40, 75).all()


@pytest.mark.parametrize("effects", [None, {}])
def test_without_effects_nobody_has_any(effects):
    assert (plan_cohort({"effects": effects})[PLANTED] == 0).all(axis=None)


def test_controls_have_no_effects_and_patients_have():
    table = plan_cohort({}).set_index("group")[PLANTED]
    assert (table.loc["control"] == 0).all(axis=None)
    assert (table.loc[["ALS", "PLS"], "cst_fa_loss_L"] > 0).all()


def test_effects_have_the_mean_and_spread_asked_for():
    simulation = {"groups": {"ALS": 400}, "effects": {"ALS": {"cst_fa_loss": 0.2}}, "effect_sd": 0.25}
    table = plan_cohort(simulation)
    for hemi in HEMIS:
        assert table[f"cst_fa_loss_{hemi}"].mean() == pytest.approx(0.2, abs=0.01)
        assert table[f"cst_fa_loss_{hemi}"].std() == pytest.approx(0.05, abs=0.006)
    # half of the variance is the person's, half the side's
    assert table["cst_fa_loss_L"].corr(table["cst_fa_loss_R"]) == pytest.approx(0.5, abs=0.1)


def test_share_of_people_with_a_band_is_the_prevalence():
    effects = {"ALS": {"band_ppm": 0.05, "band_darkening": 0.2, "band_prevalence": 0.7}}
    table = plan_cohort({"groups": {"ALS": 10}, "effects": effects})
    assert (table["band_darkening_hand_L"] > 0).sum() == 7
    assert ((table["band_ppm_hand_L"] > 0) == (table["band_darkening_face_R"] > 0)).all()


def test_darkening_elsewhere_is_no_motor_band_and_everyone_of_the_group_has_it():
    effects = {"mimic": {"anterior_darkening": 0.15, "postcentral_darkening": 0.1}}
    table = plan_cohort({"groups": {"mimic": 10, "control": 3}, "effects": effects, "effect_sd": 0.0})
    group = table.set_index("group").filter(regex="ppm|darkening")
    assert (group.loc["mimic"].filter(like="anterior_") == 0.15).all(axis=None)
    assert (group.loc["mimic"].filter(like="postcentral_") == 0.1).all(axis=None)
    assert (group.loc["mimic"].filter(like="band_") == 0).all(axis=None)
    assert (group.loc["control"] == 0).all(axis=None)


def test_same_seed_gives_the_same_people_and_another_seed_others():
    pd.testing.assert_frame_equal(plan_cohort({"seed": 3}), plan_cohort({"seed": 3}))
    assert not plan_cohort({"seed": 3})["head_scale"].equals(plan_cohort({"seed": 4})["head_scale"])


def test_switching_the_effects_off_changes_nothing_else():
    with_effects, without = plan_cohort({}), plan_cohort({"effects": None})
    planted = [*PLANTED, *SCORES]
    pd.testing.assert_frame_equal(with_effects.drop(columns=planted), without.drop(columns=planted))


def test_signs_in_the_limbs_of_a_side_follow_the_tract_of_the_other_and_controls_have_none():
    effects = {"ALS": {"cst_fa_loss": 0.15}}
    table = plan_cohort({"groups": {"ALS": 300, "control": 5}, "effects": effects, "effect_sd": 0.5})
    patients = table[table["group"] == "ALS"]
    for limbs, other, same in (("left", "R", "L"), ("right", "L", "R")):
        crossed = patients[f"umn_{limbs}"].corr(patients[f"cst_fa_loss_{other}"])
        assert crossed > 0.85
        assert crossed > patients[f"umn_{limbs}"].corr(patients[f"cst_fa_loss_{same}"]) + 0.2
    assert patients["alsfrs_r"].between(0, 48).all()
    assert table.loc[table["group"] == "control", list(SCORES)].isna().all(axis=None)


def test_a_cohort_without_effects_has_scores_that_know_nothing():
    table = plan_cohort({"effects": {}, "groups": {"ALS": 20, "control": 20}})
    assert table[list(SCORES)].notna().all(axis=None)
    assert table["umn_left"].max() <= 3


def test_people_differ():
    table = plan_cohort({})
    assert table["rotation_x_deg"].is_unique
    assert table["head_scale"].nunique() > 10


def test_missing_scans_are_as_many_as_asked_for():
    table = plan_cohort({"missing": {"dwi": 2, "swi": 1}})
    assert (~table["has_dwi"]).sum() == 2
    assert (~table["has_swi"]).sum() == 1
    assert (table["has_dwi"] | table["has_swi"]).all()


def test_pose_stays_within_its_limits():
    table = plan_cohort({"rotation_deg": 5.0, "shift_mm": 3.0, "groups": {"control": 50}, "effects": None})
    assert table.filter(like="rotation_").abs().max(axis=None) <= 5
    assert table.filter(like="shift_").abs().max(axis=None) <= 3


@pytest.mark.parametrize(
    ("simulation", "message"),
    [
        ({"sede": 1}, "unknown key 'sede'"),
        ({"dwi": {"voxel": 1}}, r"simulation\.dwi: unknown key 'voxel'"),
        ({"effects": {"FTD": {}}}, "'FTD' is not one of the groups"),
        ({"effects": {"ALS": {"fa": 0.1}}}, "unknown effect 'fa'"),
        ({"visits": {"moths": [0, 6]}}, r"simulation\.visits: unknown key 'moths'"),
        ({"visits": {"change": {"FTD": {}}}}, r"visits\.change: 'FTD' is not one of the groups"),
        ({"visits": {"change": {"ALS": {"band_prevalence": 0.1}}}}, "unknown effect 'band_prevalence'"),
    ],
)
def test_unknown_key_is_named(simulation, message):
    with pytest.raises(ValueError, match=message):
        plan_cohort(simulation)


def test_planning_imports_no_imaging_library():
    code = "import sys, mndmri.phantom.plan; print([m for m in ('ants', 'nibabel', 'scipy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_plan_survives_a_table_file(tmp_path):
    from mndmri.io import read_table, write_table

    table = plan_cohort({"missing": {"dwi": 1}})
    write_table(table, tmp_path / "plan.tsv")
    back = read_table(tmp_path / "plan.tsv")
    assert back["has_dwi"].tolist() == table["has_dwi"].tolist()
    assert back["seed"].tolist() == table["seed"].tolist()
    np.testing.assert_allclose(back["head_scale"], table["head_scale"], rtol=1e-5)


class Recorder(dict):
    """Mapping that remembers what was looked up in it."""

    def __init__(self, values):
        super().__init__(values)
        self.used = set()

    def __getitem__(self, key):
        self.used.add(key)
        return super().__getitem__(key)


@pytest.mark.parametrize("scan", ["t1w", "dwi", "gre"])
def test_a_scan_uses_all_settings_and_all_damage_handed_to_it_and_no_other(anatomy, still, monkeypatch, scan):
    module = importlib.import_module(f"mndmri.phantom.{scan}")
    given = scan_settings(complete(still), scan)
    person = Recorder(planted(plan_cohort(still).iloc[0].to_dict(), scan))
    noise = Recorder(complete(given)["noise"])
    settings = Recorder(complete(given) | {"noise": noise})
    monkeypatch.setattr(module, "complete", lambda simulation: settings)
    getattr(module, f"simulate_{scan}")(anatomy, person, given)
    assert settings.used == set(given)
    assert noise.used == {scan}
    assert person.used == set(person)


def test_the_plan_uses_all_settings_handed_to_it_and_no_other(monkeypatch):
    given = plan_settings(complete({}))
    settings = Recorder(complete(given))
    monkeypatch.setattr(plan, "complete", lambda simulation: settings)
    plan_visits(given)
    assert settings.used == set(given)
