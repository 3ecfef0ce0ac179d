"""Sections on maps: every contrast has a row, clusters where there are any, pictures with their contrast's name."""

import numpy as np
import pandas as pd

from mndmri.report.brain_maps import ComparedMaps, map_sections
from mndmri.report.pages import Link


def summary():
    return pd.DataFrame(
        {
            "contrast": ["ALS-control", "PLS-control"],
            "n_ALS": [13, 13],
            "n_control": [10, 10],
            "maps": ["contrast-ALSminuscontrol", np.nan],
            "n_missing": [1, 1],
            "statistic": ["t", np.nan],
            "df_num": [np.nan, np.nan],
            "df": [20, np.nan],
            "n_voxels": [200_000, 200_000],
            "highest": [4.25, np.nan],
            "lowest": [-6.5, np.nan],
            "p_fwe": [0.003, np.nan],
            "higher_ml": [0.0, np.nan],
            "lower_ml": [12.4, np.nan],
            "note": ["left out: no scan (1)", "a group of the contrast has no data"],
        }
    )


def clusters():
    row = {"contrast": "ALS-control", "direction": "lower", "cluster": 1, "cluster_ml": 12.4, "hemi": "L"}
    row |= {"x": -38, "y": -20, "z": 56, "statistic": -6.5, "p_fwe": 0.003}
    return pd.DataFrame([row | {"harvard_oxford": "Left Precentral Gyrus", "juelich": np.nan}])


def test_every_contrast_has_a_row_and_those_with_maps_a_picture():
    found = ComparedMaps(summary(), clusters(), {"contrast-ALSminuscontrol": b"png"})
    whole, where = map_sections({"vbm": found})
    assert whole.heading == "Grey-matter volume, voxel by voxel"
    assert whole.table["p, corrected"].to_list() == ["0.003", "n/a"]
    assert whole.table["n"][0] == "ALS 13, control 10"
    assert whole.table["note"][1] == "a group of the contrast has no data"
    assert [picture.title for picture in whole.pictures] == ["Grey-matter volume: ALS-control"]
    assert whole.viewer == "vbm/viewer.html" and not where.viewer
    [place] = where.table["x, y, z (mm of the template)"]
    assert place == Link("−38.0, −20.0, 56.0", "vbm/viewer.html#1,-38,-20,56")
    assert where.table["Harvard-Oxford"].to_list() == ["Left Precentral Gyrus"]


def test_a_cluster_leads_to_the_scene_of_its_contrast_which_one_without_maps_does_not_have():
    rows = summary().iloc[::-1]  # the contrast without maps comes first
    other = rows.assign(contrast="ALS-PLS", maps="contrast-ALSminusPLS")[1:]
    peaks = pd.concat([clusters(), clusters().assign(contrast="ALS-PLS", x=6.51, y=-0.04)])
    *_, where = map_sections({"fa": ComparedMaps(pd.concat([rows, other]), peaks, {"contrast-ALSminusPLS": b"png"})})
    paths = [place.path for place in where.table["x, y, z (mm of the template)"]]
    assert paths == ["fa/viewer.html#1,-38,-20,56", "fa/viewer.html#2,6.5,-0,56"]


def test_nothing_found_has_no_table_of_clusters():
    [section] = map_sections({"fa": ComparedMaps(summary(), clusters()[:0], {})})
    assert not section.viewer
    assert map_sections({}) == []


def test_a_map_that_the_study_declares_is_called_by_its_own_name():
    headings = [section.heading for section in map_sections({"mtr": ComparedMaps(summary(), clusters(), {})})]
    assert headings == ["Map mtr, voxel by voxel", "Map mtr: clusters"]
