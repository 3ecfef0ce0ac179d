"""What is printed of a finished study."""

import pandas as pd
import pytest

from mndmri.command.show import describe
from mndmri.io import write_json


@pytest.fixture
def finished(tmp_path):
    """Results of a study with one primary measure, and one that is not."""

    def make(alpha=0.05, primary=True, **simulation):
        (tmp_path / "group").mkdir()
        of_study = [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}]
        statistics = {"primary": of_study if primary else [], "alpha": alpha}
        config = {"statistics": statistics, "simulation": simulation or None}
        write_json({"config": config}, tmp_path / "provenance.json")
        row = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "contrast": "ALS-control"}
        row |= {"reported": "yes", "estimate": -0.05, "ci_low": -0.08, "ci_high": -0.02, "adjusted_g": -1.25}
        row |= {"p": 0.004, "p_confirmatory": 0.012}
        rows = [row, row | {"measure": "md"}, row | {"reported": "no", "estimate": 9.0}]
        pd.DataFrame(rows).to_csv(tmp_path / "group/comparisons.tsv", sep="\t", index=False)
        return tmp_path

    return make


def test_the_reported_comparisons_of_primary_measures_alone_are_shown(finished):
    text = "\n".join(describe(finished()))
    assert text.count("ALS-control") == 1
    assert "dwi fa" in text and "-1.25" in text and "0.012" in text
    assert "dwi md" not in text and "9.0" not in text
    assert "simulated" not in text
    assert "index.html" not in text  # a study of a table has none


def test_intervals_have_the_level_of_the_study(finished):
    assert "difference [99% CI]" in "\n".join(describe(finished(alpha=0.01)))


def test_without_a_primary_measure_that_is_said(finished):
    assert "\nNo primary measure was compared between groups." in describe(finished(primary=False))


def test_simulated_people_are_said_to_be_simulated(finished):
    results = finished(t1w={"voxel_mm": 2}, dwi={"voxel_mm": 3}, gre={"voxel_mm": [1, 1, 2]})
    text = "\n".join(describe(results))
    assert "simulated (voxels: t1w 2 mm, dwi 3 mm, gre 1 x 1 x 2 mm)" in text
    assert "these numbers say nothing about patients" in text
