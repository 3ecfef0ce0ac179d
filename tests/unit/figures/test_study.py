"""Which figures a study has follows from what it has measured."""

import pandas as pd
import pytest

from mndmri.figures import study
from mndmri.figures.study import study_figures

GROUPS = ["ALS", "PLS", "control"]
KEY = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}
EFFECT = {"adjusted_g": -1.0, "adj_g_ci_low": -2.0, "adj_g_ci_high": 0.0}
OTHER = KEY | {"measure": "md"}
MEASURES = pd.DataFrame([{"participant_id": "sub-01", "value": 0.5, "unit": "1"} | key for key in (KEY, OTHER)])
TABLES = {
    "comparisons": pd.DataFrame([{"reported": "yes", "contrast": "ALS-PLS"} | EFFECT | key for key in (KEY, OTHER)]),
    "deviations": pd.DataFrame([{"participant_id": "sub-01", "w_score": None} | KEY]),
    "adjusted_means": pd.DataFrame(),
    "classification": pd.DataFrame(),
    "roc_points": pd.DataFrame({"true_positive_rate": [0.5]}),
    "correlations": pd.DataFrame([{"score": "umn"} | KEY, {"score": "other"} | OTHER]),
    "multimodal_index": pd.DataFrame({"scheme": ["site held out", "none"], "auc": [0.9, None]}),
    "multimodal_predictions": pd.DataFrame(),
}
ALWAYS = ["dwi_fa_cst", "effect_sizes", "effect_sizes_all_dwi_fa", "effect_sizes_all_dwi_md", "roc", "correlation_umn"]


@pytest.fixture
def drawn(monkeypatch):
    """Function that gives the figures' names and the rows each is drawn of; nothing is drawn."""
    for name in (
        "measure_plot",
        "forest_plot",
        "roc_plot",
        "correlation_plot",
        "index_plot",
        "profile_plot",
        "neuron_plot",
    ):
        monkeypatch.setattr(study, name, lambda rows, *tables, **options: rows)
    monkeypatch.setattr(study, "site_forest", lambda rows, **options: rows)
    monkeypatch.setattr(study, "study_strips", lambda rows, **options: {"swi": rows})

    def draw(primary=(KEY,), **tables):
        options = {"primary": list(primary), "groups": GROUPS, "reference": "control"}
        people = pd.DataFrame({"participant_id": ["sub-01"], "group": ["ALS"]})
        return dict(study_figures(MEASURES, people, TABLES | tables, **options))

    return draw


def test_primary_measures_and_every_result_have_a_figure(drawn):
    figures = drawn()
    assert list(figures) == [*ALWAYS, "multimodal_index_site_held_out"]
    assert figures["effect_sizes"]["measure"].tolist() == ["fa"]
    assert figures["effect_sizes_all_dwi_md"]["measure"].tolist() == ["md"]


def test_what_a_study_has_besides_is_drawn_too(drawn):
    means = pd.DataFrame(
        {"modality": ["dwi", "dwi", "mtr", "dwi", "mtw"], "measure": ["fa", "md", "mean", "fa", "mean"]}
    )
    means["mean"] = [0.5, 0.8, 37.0, 0.4, None]  # a map of which nobody has a value
    sites = pd.DataFrame([KEY])
    figures = drawn(profile_means=means, profile_comparisons=means, strips=sites, site_effects=sites)
    profiles = ["profile_dwi_fa", "profile_dwi_md", "profile_mtr_mean"]
    assert [name for name in figures if name not in drawn()] == [*profiles, "strip_swi", "sites"]
    assert figures["profile_mtr_mean"]["mean"].tolist() == [37.0]
    assert figures["sites"]["unit"].tolist() == ["1"]


def test_levels_of_the_motor_neuron_have_a_figure_and_people_another_once_they_have_scores(drawn, monkeypatch):
    monkeypatch.setattr(study, "people_plot", lambda rows, groups, **options: (rows, groups))
    level = KEY | {"region": "cst_plic"}
    comparisons = pd.DataFrame([{"reported": "yes", "contrast": "ALS-PLS"} | EFFECT | level])
    figures = drawn(comparisons=comparisons)
    assert figures["motor_neuron"]["adjusted_g"].tolist() == [1.0]
    assert "motor_neuron_people" not in figures
    scores = pd.DataFrame([{"participant_id": "sub-01", "w_score": -2.5} | level])
    rows, groups = drawn(comparisons=comparisons, deviations=scores)["motor_neuron_people"]
    assert rows["w_score"].tolist() == [2.5] and groups == {"sub-01": "ALS"}


def test_what_has_nothing_to_show_has_no_figure(drawn):
    absent = KEY | {"measure": "thickness"}
    nothing = pd.DataFrame({"true_positive_rate": [None]})
    found = drawn([absent], roc_points=nothing, multimodal_index=TABLES["multimodal_index"].iloc[1:])
    assert list(found) == ["effect_sizes_all_dwi_fa", "effect_sizes_all_dwi_md"]
    assert list(drawn([])) == [name for name in ALWAYS if name.startswith(("effect_sizes_all", "roc"))] + [
        "multimodal_index_site_held_out"
    ]


def test_ratings_have_no_effect_sizes(drawn):
    score = KEY | {"modality": "swi", "measure": "motor_band_score"}
    rows = pd.DataFrame([{"reported": "yes", "contrast": "ALS-PLS"} | EFFECT | key for key in (KEY, score)])
    figures = drawn([KEY, score], comparisons=rows)
    assert figures["effect_sizes"]["measure"].tolist() == ["fa"]
    assert "effect_sizes_all_swi_motor_band_score" not in figures
