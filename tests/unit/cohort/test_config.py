import copy
import json
from pathlib import Path

import pytest
import yaml

from mndmri.cohort.config import known_places, resolve_config
from mndmri.io import InputError
from mndmri.phantom.plan import CHANGE_KEYS, DEFAULTS, complete

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))


def refusal(raw):
    with pytest.raises(InputError) as error:
        resolve_config(raw, SCHEMA)
    return str(error.value)


def read(name):
    return yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


def objects(schema, place="config"):
    """Every part of the schema that describes a block with named keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield place, schema
        for key, below in schema.items():
            yield from objects(below, f"{place}.{key}")


def test_bids_dir_is_the_one_key_without_a_default():
    config = resolve_config({"bids_dir": "data"}, SCHEMA)
    assert config["groups"]["levels"] == {"ALS": ["ALS"], "PLS": ["PLS"], "control": ["control", "HC"]}
    assert config["dwi"]["min_fa"] == 0.2
    assert config["simulation"] is None
    assert "bids_dir: missing" in refusal({})


def test_a_default_is_filled_in_beside_a_value_that_was_given():
    config = resolve_config({"bids_dir": "data", "dwi": {"min_fa": 0.3}}, SCHEMA)
    assert (config["dwi"]["min_fa"], config["dwi"]["max_b"]) == (0.3, 1200)


def test_groups_that_were_given_are_not_mixed_with_the_default_ones():
    groups = {"levels": {"patient": ["p"], "control": ["c"]}}
    assert resolve_config({"bids_dir": "d", "groups": groups}, SCHEMA)["groups"]["levels"] == groups["levels"]


def test_the_argument_and_the_schema_are_left_as_they_were():
    raw = {"bids_dir": "data", "dwi": {"min_fa": 0.3}}
    before, schema = copy.deepcopy(raw), copy.deepcopy(SCHEMA)
    config = resolve_config(raw, SCHEMA)
    config["covariates"].append("site")
    config["dwi"]["pattern"] = "x"
    assert raw == before
    assert schema == SCHEMA
    assert resolve_config(raw, SCHEMA)["covariates"] == ["age", "sex"]


@pytest.mark.parametrize(
    ("raw", "place", "nearest"),
    [
        ({"dwi": {"min_faa": 0.2}}, "dwi.min_faa", "dwi.min_fa"),
        ({"covariate": ["age"]}, "covariate", "covariates"),
        ({"min_fa": 0.2}, "min_fa", "dwi.min_fa"),
        ({"swi": {"fwhm": 8}}, "swi.fwhm", "vbm.fwhm_mm"),
        ({"DWI": {}}, "DWI", "dwi"),
        (
            {"simulation": {"dwi": {"n_direction": 9}}},
            "simulation.dwi.n_direction",
            "simulation.dwi.n_directions",
        ),
        ({"dwi": {"min_voxel": 5}}, "dwi.min_voxel", "dwi.min_voxels"),
        ({"swi": {"min_voxel": 5}}, "swi.min_voxel", "swi.min_voxels"),
    ],
)
def test_misspelt_key_is_told_with_its_place_and_the_nearest_right_one(raw, place, nearest):
    assert f"- {place}: unknown key; did you mean {nearest}?" in refusal({"bids_dir": "d", **raw})


def test_a_key_like_no_other_is_told_with_the_keys_there_are():
    assert "vbm.xyzzy: unknown key; known here: fwhm_mm, voxel_mm" in refusal({"bids_dir": "d", "vbm": {"xyzzy": 1}})


def test_a_missing_bids_dir_that_was_misspelt_is_told_with_the_right_name():
    message = refusal({"bids_dri": "d"})
    assert "bids_dri: unknown key; did you mean bids_dir?" in message
    assert "bids_dir: missing" in message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"dwi": {"min_fa": "0.2"}},
            "dwi.min_fa: found '0.2' (text), expected a number at least 0 and below 1",
        ),
        ({"dwi": {"min_fa": 1.5}}, "dwi.min_fa: found 1.5, expected a number at least 0 and below 1"),
        ({"dwi": {"denoise": 1}}, "dwi.denoise: found 1, expected one of true, mrtrix3, false"),
        ({"dwi": {"min_voxels": True}}, "dwi.min_voxels: found true, expected a whole number at least 1"),
        ({"dwi": None}, "dwi: found null, expected a block of keys"),
        ({"bids_dir": 7}, "bids_dir: found 7, expected text"),
        ({"modalities": ["t1w", "pet"]}, "modalities[1]: found 'pet' (text), expected one of t1w, dwi, swi"),
        ({"bad_input": "ignore"}, "bad_input: found 'ignore' (text), expected one of stop, leave_out"),
        (
            {"covariates": ["age", "age"]},
            "covariates: found ['age', 'age'], expected a list, each entry once",
        ),
        (
            {"groups": {"levels": {"ALS": "ALS", "control": ["c"]}}},
            "groups.levels.ALS: found 'ALS' (text), expected a list",
        ),
        ({"vbm": {"fwhm_mm": float("inf")}}, "vbm.fwhm_mm: found inf, expected a finite number"),
        ({"vbm": {"fwhm_mm": float("nan")}}, "vbm.fwhm_mm: found nan, expected a finite number"),
        (
            {"groups": {"levels": {False: ["no"], "c": ["c"]}}},
            "groups.levels: key False was read as bool, not text",
        ),
        (
            {"groups": {"levels": {" A": ["a"], "c": ["c"]}}},
            "groups.levels: found the name ' A' (text); remove the spaces",
        ),
        ({"exclude": {"sub-01": None}}, "exclude.sub-01: found null, expected text"),
        (
            {"simulation": {"t1w": {"storage": "XYZ"}}},
            "simulation.t1w.storage: found 'XYZ' (text), expected text of the form",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_or_out_of_range_is_told_with_what_was_expected(raw, words):
    assert words in refusal({"bids_dir": "d", **raw})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"groups": {"reference": "HC"}},
            "groups.reference: found 'HC', which is not in groups.levels (ALS, PLS, control)",
        ),
        (
            {"groups": {"levels": {"ALS": ["a"], "control": ["a", "b"]}}},
            "the label 'a' is under both ALS and control; keep it under one",
        ),
        (
            {"statistics": {"contrasts": [["ALS", "controls"]]}},
            "statistics.contrasts[0]: 'controls' is not in groups.levels",
        ),
        (
            {"groups": {"levels": {"patients": ["a"], "PLS": ["b"], "control": ["c"]}}},
            "the name 'patients' stands for all groups except the reference",
        ),
        (
            {"groups": {"levels": {"A": ["a"], "B-C": ["b"], "A-B": ["c"], "control": ["d"], "C": ["e"]}}},
            "the contrast 'A-B-C' could be of A-B and C or of A and B-C",
        ),
        (
            {"groups": {"reference": None}, "site": "site", "statistics": {"harmonise": "combat_controls"}},
            "combat_controls is estimated from the reference group, and groups.reference is null",
        ),
        ({"modalities": ["dwi"]}, "modalities: t1w is missing"),
        ({"covariates": ["age", "group"]}, "the column 'group' is used twice"),
        (
            {"measure_covariates": {"dti fa": ["age"]}},
            "measure_covariates: 'dti fa' is of no modality; did you mean 'dwi'?",
        ),
        ({"measure_covariates": {"t1w volum": ["tiv"]}}, "t1w has no measure 'volum'; did you mean 't1w volume'?"),
        (
            {"measures": "m.tsv", "participants": "p.tsv", "measure_covariates": {"dwi": ["mean_fd"]}},
            "'dwi': mean_fd is a measure of qc.tsv; give the path of that table as quality",
        ),
        ({"t1w": {"registration_iterations": [0, 0]}}, "t1w.registration_iterations: all are 0"),
        ({"t1w": {"head_template": {"image": "head.nii.gz"}}}, "t1w.head_template: image and mask belong together"),
        (
            {"statistics": {"primary": [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "contra"}]}},
            "statistics.primary[0]: hemi contra is relative to the side of onset; name its column in onset_side",
        ),
        (
            {"survival": {"time": "t", "event": "e", "covariates": ["progression_rate"]}},
            "survival.covariates: 'progression_rate' is computed where progression is set",
        ),
        (
            {
                "measures": "m.tsv",
                "participants": "p.tsv",
                "visits": {"table": "v.tsv", "moderators": ["progression_rate"]},
            },
            "visits.moderators: 'progression_rate' is computed where progression is set",
        ),
        ({"survival": {"time": "t"}}, "survival.event: missing"),
        ({"statistics": {"map_covariates": ["bmi"]}}, "map_covariates: 'bmi' is not in covariates (age, sex)"),
        (
            {
                "modalities": ["t1w"],
                "statistics": {"primary": [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}]},
            },
            "statistics.primary[0]: dwi is not in modalities (t1w)",
        ),
        (
            {"simulation": {"groups": {"ALS": 3, "FTD": 3}, "effects": {}}},
            "simulation.groups: 'FTD' is not among the labels",
        ),
        ({"dwi": {"preprocessed": True, "motion": "fsl"}}, "dwi.motion: found 'fsl' (text), which has no effect on"),
        (
            {"dwi": {"preprocessed": True, "outlier_sd": 3}},
            "dwi.outlier_sd: found 3, which has no effect on a preprocessed series",
        ),
        ({"dwi": {"dir": "qsiprep"}}, "dwi.dir: only for preprocessed series; set dwi.preprocessed to true"),
        ({"simulation": {}, "dwi": {"distortion": "fieldmap"}}, "dwi.distortion: no field map is simulated"),
        (
            {"visits": {}, "t1w": {"pattern": "ses-01/anat/*_T1w.nii.gz"}},
            "t1w.pattern: ses-01/anat/*_T1w.nii.gz chooses a session, and with visits every session is measured",
        ),
        ({"visits": {}, "simulation": {}}, "visits: simulated people have one visit; set simulation.visits, or"),
        ({"simulation": {"visits": {}}}, "simulation.visits: simulated sessions are measured with visits; set visits"),
        (
            {"visits": {"table": "v.tsv"}, "simulation": {"visits": {}}},
            "visits.table: the simulation decides when people are seen; remove it",
        ),
        (
            {"visits": {"scores": ["ecas"]}, "simulation": {"visits": {}}},
            "visits.scores: 'ecas' is not simulated; months_since_onset, alsfrs_r, umn_left, umn_right are",
        ),
        *(
            ({"visits": {}, "simulation": {"visits": {"months": months}}}, "simulation.visits.months: count from the")
            for months in ([3, 6], [0, 12, 6])
        ),
        (
            {"visits": {}, "simulation": {"visits": {"change": {"FTD": {}}}}},
            "simulation.visits.change: 'FTD' is not in simulation.groups; correct the name",
        ),
        (
            {"visits": {}, "bids_dir": None, "measures": "m.tsv", "participants": "p.tsv"},
            "visits.table: missing; with measures, give the path of the table of visits",
        ),
        (
            {"bids_dir": None, "measures": {"file": "m.tsv", "session": "ses-01"}, "participants": "p.tsv"},
            "measures[0].session: only with several visits; set visits, or remove it",
        ),
        (
            {
                "bids_dir": None,
                "measures": {"file": "m.tsv", "wide": {"pattern": "{measure}_{region}"}, "modality": "t1w"},
                "visits": {"table": "v.tsv"},
            },
            "participants: missing; with visits the table of measures has a row for each visit",
        ),
        (
            {"simulation": {}, "maps": {"mtr": {"pattern": "a/*.nii"}, "odf": {"pattern": "b/*.nii"}}},
            "maps.odf: is not simulated; of maps mtr and cbf are, remove it, or simulation",
        ),
        (
            {"simulation": {}, "dwi": {"distortion": "reverse"}},
            "dwi.distortion: reverse needs a series of opposite phase encoding; set simulation.dwi.reverse_b0 to true",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_told(raw, words):
    assert words in refusal({"bids_dir": "d", **raw})


def test_a_step_that_is_off_anyway_may_be_named_beside_a_series_that_comes_corrected():
    given = {"preprocessed": True, "dir": "qsiprep", "denoise": False, "distortion": False, "outlier_sd": None}
    assert resolve_config({"bids_dir": "d", "dwi": given}, SCHEMA)["dwi"]["dir"] == "qsiprep"


def test_no_written_for_a_choice_that_may_be_false_is_read_as_false():
    raw = yaml.safe_load("{bids_dir: d, dwi: {distortion: off, motion: no, gradient_check: false}}")
    dwi = resolve_config(raw, SCHEMA)["dwi"]
    assert [dwi[key] for key in ("distortion", "motion", "gradient_check")] == [False, False, False]


def test_default_primary_measures_are_those_of_the_modalities_that_the_study_has():
    config = resolve_config({"bids_dir": "d", "modalities": ["t1w", "dwi"]}, SCHEMA)
    assert {primary["modality"] for primary in config["statistics"]["primary"]} == {"t1w", "dwi"}


def test_all_problems_are_told_in_one_list():
    message = refusal({"dwi": {"min_faa": 0.2, "max_b": "x"}, "bad_input": "no", "groups": {"reference": "HC"}})
    assert message.startswith("5 problems in the config:")
    for place in ("bids_dir", "dwi.min_faa", "dwi.max_b", "bad_input", "groups.reference"):
        assert f"  - {place}:" in message


@pytest.mark.parametrize("name", ["config.yaml", "study.example.yaml", "ds007036.yaml"])
def test_the_configs_that_come_with_the_project_are_accepted(name):
    resolve_config(read(name), SCHEMA)


def test_every_key_is_in_the_demo_config():
    given = read("config.yaml")
    for place in known_places(SCHEMA):
        if place.startswith(
            ("statistics.primary.", "simulation.effects.", "simulation.visits.", "survival.", "measures.", "tables.")
        ) or place.startswith(("visits.", "maps.")):
            continue
        value = given
        for key in place.split("."):
            assert key in value, f"{place} is not in config.yaml"
            value = value[key]
    assert set(resolve_config({"bids_dir": "d"}, SCHEMA)) == set(given)


def test_the_default_simulation_is_the_one_that_the_phantom_documents():
    config = resolve_config({"bids_dir": "d", "simulation": {}}, SCHEMA)
    assert config["simulation"] == complete({}) == DEFAULTS
    config = resolve_config({"bids_dir": "d", "visits": {}, "simulation": {"visits": {}}}, SCHEMA)
    assert config["simulation"] == complete({"visits": {}})


def test_everything_planted_but_the_prevalence_of_a_band_can_change():
    planted = SCHEMA["properties"]["simulation"]["properties"]
    change = planted["visits"]["properties"]["change"]["additionalProperties"]["properties"]
    assert (
        set(change)
        == set(CHANGE_KEYS)
        == {*planted["effects"]["additionalProperties"]["properties"]} - {"band_prevalence"}
    )


def test_no_block_of_the_schema_takes_unknown_keys_and_every_key_is_described():
    for place, block in objects(SCHEMA):
        assert block.get("additionalProperties") is False, place
        for key, below in block["properties"].items():
            assert "description" in below or "$ref" in below, f"{place}.{key}"


def test_a_misspelt_primary_measure_is_told_with_the_nearest_name():
    chosen = {"modality": "swi", "measure": "normalized_hypointensity", "region": "precentral", "hemi": "L"}
    raw = {"bids_dir": "data", "statistics": {"primary": [chosen]}}
    said = refusal(raw)
    assert "statistics.primary[0]: swi has no measure 'normalized_hypointensity'" in said
    assert "did you mean 'normalised_hypointensity'?" in said
    # a table that is brought may have measures of any name
    brought = {"measures": "mine.tsv", "participants": "people.tsv", "statistics": raw["statistics"]}
    resolve_config(brought, SCHEMA)
    resolve_config(raw | {"tables": ["mine.tsv"]}, SCHEMA)


def test_tables_are_a_path_a_block_or_a_list():
    alone = {"participants": "people.tsv"}
    for written in ("mine.tsv", {"file": "mine.tsv"}, ["mine.tsv"], [{"file": "mine.tsv"}]):
        [entry] = resolve_config(alone | {"measures": written}, SCHEMA)["measures"]
        assert (entry["file"], entry["participant"], entry["wide"]) == ("mine.tsv", "participant_id", None)
    assert resolve_config({"bids_dir": "data", "measures": None}, SCHEMA)["measures"] == []


def test_nothing_of_a_table_is_primary_unless_it_is_named():
    brought = resolve_config({"measures": "mine.tsv", "participants": "people.tsv"}, SCHEMA)
    assert brought["statistics"]["primary"] == []
    joined = resolve_config({"bids_dir": "data", "tables": ["mine.tsv"]}, SCHEMA)
    assert joined["statistics"]["primary"] == resolve_config({"bids_dir": "data"}, SCHEMA)["statistics"]["primary"]


@pytest.mark.parametrize(
    ("modality", "measure"),
    [("qsm", "chi_mean"), ("r2star", "r2star_median"), ("flair", "signal_ratio"), ("t2w", "signal_ratio")],
)
def test_every_measure_of_the_scans_can_be_primary(modality, measure):
    chosen = {"modality": modality, "measure": measure, "region": "precentral", "hemi": "L"}
    raw = {"bids_dir": "data", "modalities": ["t1w", "swi", "flair", "t2w"], "statistics": {"primary": [chosen]}}
    assert resolve_config(raw, SCHEMA)["statistics"]["primary"] == [chosen]
    assert f"primary[0]: {modality} is not in modalities" in refusal(raw | {"modalities": ["t1w"]})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"bids_dir": "data", "measures": "mine.tsv", "participants": "people.tsv"},
            "to join the table to the measures",
        ),
        (
            {"measures": "mine.tsv", "participants": "people.tsv", "tables": "b.tsv"},
            "tables: join the measures of scans",
        ),
        ({"tables": "mine.tsv"}, "bids_dir: missing"),
        ({"measures": "mine.tsv"}, "participants: missing"),
        ({"measures": {"sheet": "a"}, "participants": "p.tsv"}, "measures[0].file: missing"),
        ({"measures": {"file": "a", "wide": {"patern": "x"}}}, "did you mean measures.wide.pattern?"),
        (
            {"measures": {"file": "a", "wide": {"pattern": "x", "mapping": "y"}}},
            "measures[0].wide: pattern, mapping or columns",
        ),
        ({"bids_dir": "data", "higher_is": {"qsm": "damage"}}, "higher_is: 'qsm' names a modality and a measure"),
        ({"bids_dir": "data", "higher_is": {"dwi ad": "worse"}}, "expected one of damage, health, neither"),
        (
            {"bids_dir": "data", "higher_is": {"dwi fa": "damage"}},
            "'dwi fa' has a direction already, which holds; name a",
        ),
        (
            {"measures": "m.tsv", "participants": "p.tsv", "higher_is": {"dwi fa": "damage"}},
            "higher_is: 'dwi fa' has a direction already",
        ),
        (
            {"bids_dir": "data", "higher_is": {"qsm chi_meen": "damage"}},
            "higher_is: the study has no measure 'qsm chi_meen'; did you mean 'qsm chi_mean'?",
        ),
        ({"bids_dir": "data", "higher_is": {"xyz": "damage"}}, "higher_is: 'xyz' names a modality and a measure"),
        (
            {"measures": {"file": "a", "wide": {"pattern": None}}},
            "measures[0].wide: give one of pattern, mapping and columns",
        ),
    ],
)
def test_tables_that_contradict_other_keys_are_told(raw, words):
    assert words in refusal(raw)


def test_a_direction_is_declared_of_what_has_none_or_of_a_region():
    declared = {"dwi ad": "damage", "t1w volume lateral_ventricle": "damage"}
    assert resolve_config({"bids_dir": "data", "higher_is": declared}, SCHEMA)["higher_is"] == declared
    # a table that is brought may have measures of any name
    of_table = {"measures": "m.tsv", "participants": "p.tsv", "higher_is": {"mrs naa": "health"}}
    assert resolve_config(of_table, SCHEMA)["higher_is"] == {"mrs naa": "health"}


def test_a_resolved_config_is_one_that_resolves_to_itself():
    """As provenance.json keeps it: a study is run again from that."""
    maps = {"mtr": {"pattern": "anat/*_MTRmap.nii.gz", "unit": "%", "higher_is": "health"}}
    for raw in ({}, {"maps": maps, "modalities": ["t1w", "dwi", "flair"]}):
        resolved = resolve_config({"bids_dir": "data", **raw}, SCHEMA)
        assert resolve_config(json.loads(json.dumps(resolved)), SCHEMA) == resolved
