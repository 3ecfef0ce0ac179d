"""The comparison with the controls: what stands where, in words that do not diagnose."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from mndmri.report.controls import controls_panel
from mndmri.report.pages import View
from tests.unit.report.test_pages import ATTACK, WEBP, _Page

KEYS = [
    {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"},
    {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "R"},
    {"modality": "t1w", "measure": "volume", "region": "precentral", "hemi": "L"},
]
SCORE = {"modality": "swi", "measure": "motor_band_score", "region": "precentral", "hemi": "both"}
CONTROLS = ["sub-10", "sub-11", "sub-12"]


def bands():
    """W of sub-01: -3 on the left, 1 on the right, -9 of the volume; a score of 4 without a W."""
    rows = []
    for key, w in zip(KEYS, (-3.0, 1.0, -9.0), strict=True):
        for who, own in [("sub-01", w), *zip(CONTROLS, (-1.0, 0.0, 2.0), strict=True)]:
            rows.append(
                {
                    "participant_id": who, **key, "unit": "1", "value": 0.5 + 0.01 * own, "expected": 0.5,
                    "w_score": own, "percentile": 40.0, "pct_low": 30.0, "pct_high": 50.0, "w_limit": 2.2, "note": "",
                }
            )  # fmt: skip
    for who, value in [("sub-01", 4.0), *zip(CONTROLS, (0.0, 1.0, 2.0), strict=True)]:
        rows.append({"participant_id": who, **SCORE, "unit": "1", "value": value, "note": "a rating: no W-score"})
    return pd.DataFrame(rows)


def panel(table=None, **options):
    options = {
        "rows": [*KEYS, SCORE],
        "n_primary": len(KEYS),
        "controls": CONTROLS,
        "covariates": ["age", "sex"],
    } | options
    script = controls_panel(options.pop("who", "sub-01"), bands() if table is None else table, **options)
    return json.loads(re.fullmatch(r"showControls\((.*)\);\n", script, re.S)[1])


def axes_of(html):
    """For each row: ends of the range, places of the controls, place of the participant, words."""
    found = []
    for svg in re.findall(r"<svg.*?</svg>", html, re.S):
        band = re.search(r'class="band" x="([\d.]+)".*?width="([\d.]+)"', svg)
        ends = (float(band[1]), float(band[1]) + float(band[2])) if band else None
        dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)]
        own = re.search(r'd="M([\d.]+) ', svg)
        found.append((ends, dots, own and float(own[1]), re.search(r'aria-label="([^"]*)"', svg)[1]))
    return found


def on_axis(w):
    return 8 + 224 * (w + 5) / 10


def test_a_dot_stands_at_its_score_on_the_range_of_the_controls():
    left, right, volume, _ = axes_of(panel())
    assert left[0] == pytest.approx((on_axis(-2.2), on_axis(2.2)), abs=0.1)
    assert left[1] == pytest.approx([on_axis(w) for w in (-1, 0, 2)], abs=0.1)
    assert left[2] == pytest.approx(on_axis(-3), abs=0.1)
    assert right[2] == pytest.approx(on_axis(1), abs=0.1)
    assert "outside" in left[3] and "within" in right[3]
    assert volume[2] == 8  # one beyond the end stands at it


def test_what_has_no_score_is_shown_among_the_controls_own_values():
    ends, dots, own, said = axes_of(panel())[3]
    assert ends is None
    # 0, 1, 2 of the controls and 4 of the participant, evenly
    assert np.diff([*dots, own]) == pytest.approx(
        [dots[1] - dots[0], dots[1] - dots[0], 2 * (dots[1] - dots[0])], abs=0.1
    )
    assert said.endswith(": 0 to 2.00 (3 controls)")


def test_the_sentence_counts_primary_measures_outside_and_says_how_many_healthy_people_have():
    text = " ".join(" ".join(_Page(panel()).text).split())
    assert "2 of 3 primary measures lie outside the range of 95% of controls of the same age and sex." in text
    assert "Of the measures of healthy people, 5% do." in text
    assert "no diagnosis" in text
    assert not re.search(r"abnormal|patholog|disease|positive|negative|healthy range|normal\b", text, re.I)


def test_percentiles_far_out_in_a_tail_have_no_decimals_that_nobody_can_know():
    table = bands()
    table.loc[table["participant_id"] == "sub-01", ["percentile", "pct_low", "pct_high"]] = [99.95, 7e-8, 42.0]
    assert "&gt;99.9 [&lt;0.1, 42.0]" in panel(table)


def test_what_limits_a_score_or_prevents_it_stands_with_its_measure():
    table = bands()
    volume = (table["participant_id"] == "sub-01") & (table["modality"] == "t1w")
    table.loc[volume, "note"] = "age beyond that of the controls"
    html = panel(table)
    row = html[html.index("T1w volume, precentral, left<br>") :].split("</tr>")[0]
    assert "age beyond that of the controls" in row
    assert "a rating: no W-score" in html[html.index("motor band score, precentral<br>") :].split("</td>")[0]


def test_the_interval_of_a_percentile_is_named():
    assert "Percentile [90% CI]" in panel(alpha=0.1)


def test_nobody_elses_id_is_in_the_file():
    assert set(re.findall(r"sub-\w+", panel())) <= {"sub-01"}


def test_a_control_is_not_among_its_own_controls():
    _, dots, own, _ = axes_of(panel(who="sub-11"))[0]
    assert dots == pytest.approx([on_axis(-1), on_axis(2)], abs=0.1)
    assert own == pytest.approx(on_axis(0), abs=0.1)


def test_too_few_controls_are_said_to_be_too_few():
    table = bands().assign(w_score=np.nan, w_limit=np.nan, note="fewer than 8 controls (3)")
    html = panel(table)
    assert "No range of the controls could be computed: fewer than 8 controls (3)." in html
    assert all(ends is None for ends, *_ in axes_of(html))


def test_a_missing_value_is_said_with_its_reason():
    table = bands()
    table.loc[table["participant_id"] == "sub-01", ["value", "w_score", "w_limit"]] = np.nan
    table.loc[table["participant_id"] == "sub-01", "note"] = "no dwi in the dataset"
    axes = axes_of(panel(table))
    assert all(own is None for _, _, own, _ in axes)
    assert axes[0][3] == "DWI FA, CST, left: no dwi in the dataset"


def test_the_motor_band_index_stands_there_with_its_intervals():
    index = pd.DataFrame(
        [
            ("L", 0.05, 0.03, 0.07, 2.5, 1.1, 4.0, 8, ""),
            ("both", 0.04, 0.03, 0.05, np.nan, np.nan, np.nan, 3, "3 controls, at least 5 needed"),
        ],
        columns=["hemi", "value", "ci_low", "ci_high", "w", "w_low", "w_high", "n_controls", "note"],
    )
    html = panel(band_index=index)
    row = html[html.index("<td>Left</td>") :].split("</tr>")[0]
    assert "2.50 [1.10, 4.00]" in row and "0.0500 [0.0300, 0.0700]" in row and ">8<" in row
    assert "3 controls, at least 5 needed" in html[html.index("<td>Both</td>") :]
    assert "Motor band index" not in panel()


def test_a_script_in_any_cell_is_text():
    table = bands().replace({"cst": ATTACK, "a rating: no W-score": ATTACK}).assign(unit=ATTACK)
    table.loc[table["modality"] == "t1w", ["value", "w_score"]] = np.nan
    keys = [key | {"region": ATTACK if key["region"] == "cst" else key["region"]} for key in KEYS]
    html = panel(table, rows=[*keys, SCORE], views=[View(ATTACK, {"": WEBP}, ATTACK, ATTACK)], covariates=[ATTACK])
    assert "<script" not in html.lower()
    assert ATTACK in "".join(_Page(html).text)
