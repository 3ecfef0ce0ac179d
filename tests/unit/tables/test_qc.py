"""Flags: outside the limits is flagged, with the reason; missing is neither good nor bad."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.tables.qc import (
    FLAGGED,
    NOT_FLAGGED,
    QC_COLUMNS,
    add_alignment,
    distortion_corrections,
    flagged_scans,
    head_motion,
    limits_from_config,
    qc_table,
    robust_outliers,
    study_quality,
)

LIMITS = limits_from_config(
    {
        "min_brain_ml": 1000,
        "max_brain_ml": 2000,
        "min_dice_gm": 0.75,
        "max_mean_fd_mm": 1.0,
        "max_outlier_slices": 0.05,
        "min_neighbour_correlation": 0.6,
        "min_coverage": 0.8,
        "min_callosal_fa": 0.5,
        "min_aligned_fraction": 0.5,
        "min_cst_fa_share": 0.6,
        "min_mapped_fraction": 0.8,
        "max_alignment_offset_mm": 3,
        "max_border_cm2": 10,
        "max_t1w_voxel_mm": 2.5,
        "min_region_coverage": 0.95,
    }
)
PRIMARY = [("dwi", "fa", "cst")]
FD = {"sub-0": 0.3, "sub-1": 2.0}


def _row(measure, value, **others):
    known = {"participant_id": "sub-01", "modality": "dwi", "region": "brain", "hemi": "both", "unit": "1"}
    return known | {"measure": measure, "value": value, "status": "ok"} | others


def _flags(*rows, limits=LIMITS):
    return qc_table(pd.DataFrame(rows), limits)


@pytest.mark.parametrize(
    ("measure", "region", "good", "bad", "words"),
    [
        ("brain_volume", "brain", 1000, 999, "below 1000"),
        ("brain_volume", "brain", 2000, 2001, "above 2000"),
        ("dice_gm", "gm", 0.75, 0.74, "below 0.75"),
        ("mean_fd", "brain", 1.0, 1.2, "above 1"),
        ("outlier_slices", "brain", 0.05, 0.06, "above 0.05"),
        ("neighbour_correlation", "brain", 0.6, 0.55, "below 0.6"),
        ("coverage", "cst_pons", 0.8, 0.7, "below 0.8"),
        ("fa", "callosum", 0.5, 0.4, "below 0.5"),
        ("fraction_above_min_fa", "cst", 0.6, 0.5, "below 0.6"),
        ("mapped_fraction", "brain", 0.8, 0.7, "below 0.8"),
        ("border_area", "brain", 10, 11, "above 10"),
        ("longest_voxel", "brain", 2.5, 3, "above 2.5"),
        ("region_coverage", "precentral", 0.95, 0.9, "below 0.95"),
        ("gradient_verdict", "brain", 0, 2, "above 0"),
        ("mirror_fit", "brain", 1.0, 1.2, "above 1"),
    ],
)
def test_limits_of_the_config_pass_what_is_on_them_and_flag_what_is_beyond(measure, region, good, bad, words):
    table = _flags(_row(measure, good, region=region), _row(measure, bad, region=region))
    assert list(table["flag"]) == [NOT_FLAGGED, FLAGGED]
    assert table["reason"][0] == ""
    assert words in table["reason"][1]
    lower, upper = LIMITS[measure, region]
    assert [table["lower"][0], table["upper"][0]] == pytest.approx(
        [np.nan if lower is None else lower, np.nan if upper is None else upper], nan_ok=True
    )


def test_a_limit_of_one_region_is_not_held_against_another():
    assert list(_flags(_row("fa", 0.3, region="cst"))["flag"]) == [NOT_FLAGGED]


def test_a_missing_value_is_a_row_without_a_flag_and_with_its_reason():
    table = _flags(_row("mean_fd", np.nan, status="no dwi"))
    assert table["flag"].isna().all()
    assert list(table["reason"]) == ["no dwi"]


def test_a_measure_without_limits_is_never_flagged():
    table = _flags(_row("n_streamlines", 1e9))
    assert list(table["flag"]) == [NOT_FLAGGED]
    assert table[["lower", "upper"]].isna().all(axis=None)


def test_the_studys_own_limits_are_used():
    table = _flags(_row("mean_fd", 0.4), limits={("mean_fd", "brain"): (None, 0.3)})
    assert list(table["flag"]) == [FLAGGED]


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(InputError, match=r"mean_fd in brain: the lower, 2, is above the upper, 1"):
        _flags(_row("mean_fd", 1.0), limits={("mean_fd", "brain"): (2, 1)})


def test_table_has_the_columns_of_the_contract_also_when_it_is_empty():
    nothing = pd.DataFrame(columns=list(_row("mean_fd", 1.0)))
    assert list(qc_table(nothing, LIMITS)) == list(_flags(_row("mean_fd", 1))) == QC_COLUMNS
    assert list(robust_outliers(_measures({}), PRIMARY, limit=3.5)) == QC_COLUMNS


def _measures(values_of_groups, **others):
    rows = [
        {"participant_id": f"sub-{group}{n}", "group": group, "hemi": hemi, "value": value, "status": "ok"}
        for group, values in values_of_groups.items()
        for n, value in enumerate(values)
        for hemi in ("L", "R")
    ]
    columns = ["participant_id", "group", "modality", "measure", "region", "hemi", "value", "unit", "status"]
    kind = {"modality": "dwi", "measure": "fa", "region": "cst", "unit": "1"} | others
    return pd.DataFrame(rows, columns=columns).assign(**kind)


def test_a_planted_outlier_is_the_one_that_is_flagged_on_its_own_side():
    measures = _measures({"control": [0.50, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56]})
    planted = (measures["participant_id"] == "sub-control3") & (measures["hemi"] == "L")
    measures.loc[planted, "value"] = 0.9
    table = robust_outliers(measures, PRIMARY, limit=3.5)
    flagged = table[table["flag"] == FLAGGED]
    assert list(zip(flagged["participant_id"], flagged["hemi"], strict=True)) == [("sub-control3", "L")]
    assert "0.9 is far from the median of group control" in flagged["reason"].iloc[0]
    assert (flagged["lower"].iloc[0], flagged["upper"].iloc[0]) == (-3.5, 3.5)


def test_the_distance_that_is_flagged_can_be_chosen():
    measures = _measures({"control": [0.50, 0.51, 0.52, 0.53, 0.54, 0.55]})
    assert FLAGGED not in set(robust_outliers(measures, PRIMARY, limit=3.5)["flag"])
    assert FLAGGED in set(robust_outliers(measures, PRIMARY, limit=0.5)["flag"])


def test_a_patient_is_no_outlier_for_being_ill():
    """Three patients far from ten controls and near each other: none is flagged; one far from both is."""
    controls = [0.55, 0.56, 0.54, 0.55, 0.57, 0.53, 0.55, 0.56, 0.54, 0.55]
    ill = _measures({"control": controls, "ALS": [0.40, 0.41, 0.39, 0.40, 0.42, 0.38]})
    assert FLAGGED not in set(robust_outliers(ill, PRIMARY, limit=3.5)["flag"])
    odd = _measures({"control": controls, "ALS": [0.40, 0.41, 0.39, 0.40, 0.42, 0.55]})
    table = robust_outliers(odd, PRIMARY, limit=3.5)
    assert set(table.loc[table["flag"] == FLAGGED, "participant_id"]) == {"sub-ALS5"}


def test_robust_z_of_normal_values_has_the_scale_of_a_standard_deviation():
    values = np.random.default_rng(4).normal(0.5, 0.02, 4001)
    table = robust_outliers(_measures({"control": values}), PRIMARY, limit=3.5)
    assert table["value"].std() == pytest.approx(1, abs=0.05)
    assert table["value"].median() == pytest.approx(0, abs=1e-9)


def test_a_difference_between_groups_is_not_an_outlier():
    controls = [0.50, 0.51, 0.52, 0.53, 0.54, 0.55]
    table = robust_outliers(_measures({"control": controls, "ALS": [v - 0.3 for v in controls]}), PRIMARY, limit=3.5)
    assert set(table["flag"]) == {NOT_FLAGGED}


@pytest.mark.parametrize(("values", "reason"), [([0.5, 0.6, 0.9], "3 of 5 values"), ([0.5] * 6 + [0.9], "most values")])
def test_a_group_that_gives_no_spread_is_not_judged_and_says_why(values, reason):
    table = robust_outliers(_measures({"PLS": values}), PRIMARY, limit=3.5)
    assert table["flag"].isna().all()
    assert table["value"].isna().all()
    assert table["reason"].str.contains(reason).all()


def test_a_missing_primary_value_keeps_its_reason():
    measures = _measures({"ALS": [0.5, 0.51, 0.52, 0.53, 0.54, np.nan]})
    measures.loc[measures["value"].isna(), "status"] = "no dwi"
    table = robust_outliers(measures, PRIMARY, limit=3.5)
    assert list(table.loc[table["value"].isna(), "reason"]) == ["no dwi", "no dwi"]


def test_only_primary_measures_are_looked_at():
    assert robust_outliers(_measures({"ALS": [1.0] * 6}, region="cst_plic"), PRIMARY, limit=3.5).empty


def test_a_flag_of_the_t1w_makes_every_modality_doubtful_and_an_unlikely_value_none():
    rows = [
        ("sub-01", "t1w", "dice_gm", "yes"),
        ("sub-02", "dwi", "mean_fd", "yes"),
        ("sub-03", "dwi", "mean_fd", "no"),
        ("sub-04", "swi", "robust_z_dark_fraction", "yes"),
    ]
    table = pd.DataFrame(rows, columns=["participant_id", "modality", "measure", "flag"])
    assert flagged_scans(table) == {"t1w": {"sub-01"}, "dwi": {"sub-01", "sub-02"}, "swi": {"sub-01"}}


def test_head_motion_is_that_of_the_diffusion_series():
    rows = [("sub-01", "dwi", "mean_fd", 0.4), ("sub-01", "t1w", "dice_gm", 0.8), ("sub-02", "dwi", "mean_fd", np.nan)]
    found = head_motion(pd.DataFrame(rows, columns=["participant_id", "modality", "measure", "value"]))
    pd.testing.assert_series_equal(found, pd.Series({"sub-01": 0.4, "sub-02": np.nan}), check_names=False)


def test_quality_of_the_study_is_that_of_everyone_s_scans_and_the_unlikely_primary_measures():
    own = {who: pd.DataFrame([_row("mean_fd", fd)]).drop(columns="participant_id") for who, fd in FD.items()}
    values = [0.50, 0.51, 0.49, 0.52, 0.48, 0.05]
    measures = pd.DataFrame(
        [
            _row("fa", value, region="cst", hemi="L", group="ALS", participant_id=f"sub-{n}")
            for n, value in enumerate(values)
        ]
    )
    primary = [{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}]
    qc = study_quality(own, measures, primary=primary, limits=LIMITS, max_robust_z=3.5)
    assert list(qc.columns) == QC_COLUMNS
    flagged = qc[qc["flag"] == FLAGGED]
    assert list(zip(flagged["participant_id"], flagged["measure"], strict=True)) == [
        ("sub-1", "mean_fd"),
        ("sub-5", "robust_z_fa"),
    ]
    marks = qc[qc["measure"] == "mark"]
    assert marks["participant_id"].tolist() == list(own) and marks["flag"].isin([NOT_FLAGGED]).all()
    assert len(qc) == 2 * len(own) + len(values)


def test_alignment_is_among_the_quality_measures_of_its_visit_alone():
    own = {unit: pd.DataFrame([_row("mean_fd", 0.1)]) for unit in ("sub-1_ses-1", "sub-1_ses-2", "sub-2_ses-1")}
    rows = [_row("visit_shift", n, participant_id=f"sub-1_ses-{n}", n_voxels=9, status="ok") for n in (1, 2)]
    found = add_alignment(own, [pd.DataFrame(rows)])
    assert {unit: table["value"].tolist() for unit, table in found.items()} == {
        "sub-1_ses-1": [0.1, 1],
        "sub-1_ses-2": [0.1, 2],
        "sub-2_ses-1": [0.1],
    }


def test_where_fibres_fan_out_fewer_voxels_along_the_tract_pass():
    shares = {"cst_plic": 0.45, "cst_pons": 0.55, "cst_corona_radiata": 0.21, "cst_subcortical": 0.19}
    rows = pd.DataFrame([_row("aligned_fraction", share, region=region, hemi="L") for region, share in shares.items()])
    table = qc_table(rows, LIMITS).set_index("region")
    assert dict(table["flag"]) == {
        "cst_plic": "yes",
        "cst_pons": "no",
        "cst_corona_radiata": "no",
        "cst_subcortical": "yes",
    }
    assert table.loc["cst_plic", "reason"] == "0.45 is below 0.5"
    assert table.loc["cst_subcortical", "reason"] == "0.19 is below 0.2"


def _corrections(**values):
    own = {
        f"sub-{who}": pd.DataFrame([_row("distortion_correction", value, participant_id=f"sub-{who}")])
        for who, value in values.items()
    }
    return study_quality(own, _measures({}), primary=[], limits=LIMITS, max_robust_z=3.5)


def test_who_is_not_corrected_while_others_are_is_flagged():
    table = _corrections(a=3.0, b=0.0, c=1.0, d=3.0).set_index("participant_id")
    assert table["flag"].to_dict() == dict.fromkeys(["sub-a", "sub-c", "sub-d"], NOT_FLAGGED) | {"sub-b": FLAGGED}
    assert "as in 1 of 4 participants" in table.loc["sub-b", "reason"]
    assert flagged_scans(_corrections(a=3.0, b=0.0))["dwi"] == {"sub-b"}


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_one_kind_of_correction_in_everyone_is_not_flagged(value):
    assert FLAGGED not in set(_corrections(a=value, b=value, c=np.nan)["flag"])


def test_corrected_or_not_is_told_of_everyone_of_whom_it_is_known():
    found = distortion_corrections(_corrections(a=3.0, b=0.0, c=np.nan, d=5.0))
    assert found.to_dict() == {"sub-a": "yes", "sub-b": "no", "sub-d": "yes"}
