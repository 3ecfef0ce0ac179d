"""The comparison with the controls: what stands where, in words that do not diagnose."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from mndmri.report.controls import controls_panel
from mndmri.report.pages import View
from mndmri.tables.neuron import along_neuron
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


def test_a_reason_breaks_over_lines_also_where_nobody_has_a_score():
    """Cells that do not break were cut off at the edge of the window."""
    reason = "in-plane voxels of 3 mm do not resolve the band; at most 1.5 mm needed"
    html = panel(bands().assign(w_score=np.nan, w_limit=np.nan, value=np.nan, note=reason))
    assert f'<td class="text">{reason}</td>' in html


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


def neuron():
    """Of sub-01 FA of the capsule 3 (left) and 1 (right) below the controls, area of the cord 2.5 above; no MD."""
    rows = [
        ("t1w", "csa", "cord_c1c2", "both", 2.5, ""),
        ("dwi", "fa", "cst_plic", "L", -3.0, ""),
        ("dwi", "fa", "cst_plic", "R", -1.0, ""),
        ("dwi", "md", "cst_pons", "L", np.nan, "not in the field of view"),
    ]
    table = pd.DataFrame(rows, columns=["modality", "measure", "region", "hemi", "w_score", "note"])
    table = pd.concat([table.assign(participant_id="sub-01"), table.assign(participant_id="sub-77", w_score=-0.777)])
    return along_neuron(table.assign(w_limit=2.2), ["w_score"])


def neuron_part(**options):
    html = panel(neuron=neuron(), **options)
    return html[html.index('<div class="neuron">') :].split("</table>")[0]


def test_the_motor_neuron_of_one_person_runs_from_cortex_to_cord_with_damage_to_the_right():
    html = neuron_part()
    assert html.index("Internal capsule") < html.index(">Cord<")
    capsule, cord = re.findall(r"<svg.*?</svg>", html, re.S)
    places = dict(re.findall(r'class="dot (L|R|both)[^"]*" d="M([\d.]+) ', capsule + cord))
    # FA falls with damage, as the cord's area does: 3 and 1 towards it, 2.5 away from it
    assert {side: float(x) for side, x in places.items()} == pytest.approx(
        {"L": on_axis(3), "R": on_axis(1), "both": on_axis(-2.5)}, abs=0.1
    )
    assert re.findall(r'class="dot (\w+) outside"', html) == ["L", "both"]
    assert 'aria-label="FA (DWI): left 3.00, outside; right 1.00, within"' in capsule
    numbers = re.findall(r'<td class="number[^"]*">([^<]*)</td>', html)
    assert numbers == ["3.00", "1.00", "", "", "", "−2.50"]


def test_the_motor_neuron_counts_both_directions_and_names_what_has_no_score():
    html = " ".join(" ".join(_Page(panel(neuron=neuron())).text).split())
    assert "1 of 3 W-scores lie beyond the range of 95% of controls towards damage, 1 beyond it on the other" in html
    assert "2.5% do on each" in html
    # FA of the left capsule is 3 below the controls, and so is W in every other table
    assert "turned so that higher is towards damage" in html and "W left" not in html
    assert "1 without a W-score: not in the field of view." in html


def test_what_limits_a_score_along_the_motor_neuron_is_said_and_one_without_a_reason_is_counted():
    far = neuron().assign(note="age 90 beyond that of the controls")
    far.loc[far["w_score"].isna(), "note"] = np.nan
    html = " ".join(" ".join(_Page(panel(neuron=far)).text).split())
    assert "3 with a W-score: age 90 beyond that of the controls." in html
    assert "1 without a W-score." in html


def test_nobody_elses_motor_neuron_is_in_the_file():
    assert set(re.findall(r"sub-\w+", panel(neuron=neuron()))) <= {"sub-01"}
    assert "0.777" not in panel(neuron=neuron())
    assert "0.777" in panel(neuron=neuron(), who="sub-77")


def test_without_any_score_there_is_no_motor_neuron():
    assert 'class="neuron"' not in panel(neuron=neuron().assign(w_score=np.nan))
    assert 'class="neuron"' not in panel(neuron=neuron().iloc[:0])


def test_reasons_along_the_motor_neuron_are_escaped():
    assert ATTACK not in panel(neuron=neuron().assign(note=ATTACK))
