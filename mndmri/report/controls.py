"""What stands on top of a person's page: primary measures and the motor neuron on the range of the controls.

It needs the whole study and the page does not, so it lies in a file beside the page, which shows it. A script, because
a page that is opened from a folder may read nothing else from it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.report.pages import View, render
from mndmri.tables.measures import KEY
from mndmri.tables.neuron import LEVELS
from mndmri.tables.words import (
    MISSING,
    capitalised,
    readable,
    readable_interval,
    readable_level,
    readable_number,
    readable_place,
    readable_unit,
)

_FARTHEST = 5.0  # W at the ends of the axis; values beyond are drawn at its end
_SIDES = {"L": "left", "R": "right", "both": "whole"}


def controls_panel(
    participant_id: str,
    bands: pd.DataFrame,
    *,
    rows: Sequence[Mapping[str, str]],
    n_primary: int,
    controls: Sequence[str],
    covariates: Sequence[str],
    alpha: float = 0.05,
    neuron: pd.DataFrame | None = None,
    band_index: pd.DataFrame | None = None,
    views: Sequence[View] = (),
) -> str:
    """Script that shows a person's comparison with the controls on the person's page.

    Parameters
    ----------
    participant_id : str
    bands : DataFrame
        Deviations of everybody with ``w_limit``, ``band_low`` and ``band_high`` (`mndmri.statistics.bands.add_band`).
    rows : sequence of mapping
        ``modality, measure, region, hemi`` of the measures that are shown, in their order, the primary ones first.
    n_primary : int
        How many of them are primary: only these are counted.
    controls : sequence of str
        ``participant_id`` of the controls.
    covariates : sequence of str
        That the controls' models have in common.
    alpha : float
        One minus the share of controls that the range holds.
    neuron : DataFrame, optional
        Everybody's rows of the deviations along the motor neuron, with ``w_limit``, turned towards damage
        (`mndmri.tables.neuron.along_neuron`).
    band_index : DataFrame, optional
        The person's rows of the table of the motor band index.
    views : sequence of View
        Profile and unfolded sulcus on the controls' range.
    """
    chosen = pd.DataFrame(rows, columns=KEY).drop_duplicates()
    known = [bands.merge(pd.DataFrame([key], columns=KEY)) for key in chosen.to_numpy()]
    shown = [_row(own, participant_id, controls) for own in known if (own["participant_id"] == participant_id).any()]
    primary = shown[: sum((own["participant_id"] == participant_id).any() for own in known[:n_primary])]
    html = render(
        "controls.html.j2",
        rows=shown,
        level=readable_level(alpha),
        sentence=_sentence(primary, covariates, alpha),
        neuron=None if neuron is None else _neuron(neuron[neuron["participant_id"] == participant_id], alpha),
        index=[] if band_index is None else [_index_record(row) for row in band_index.to_dict("records")],
        views=list(views),
    )
    return f"showControls({json.dumps(html)});\n"


def _row(everybody: pd.DataFrame, who: str, controls: Sequence[str]) -> dict[str, Any]:
    """One measure of the person: words, and where its marks stand on an axis from 0 to 1."""
    person = everybody[everybody["participant_id"] == who].iloc[0]
    others = everybody[everybody["participant_id"].isin(controls) & (everybody["participant_id"] != who)]
    scored = bool(np.isfinite(person["w_score"]))
    column = "w_score" if scored else "value"
    theirs, own = others[column].dropna().to_numpy(float), float(person[column])
    low, high = (-_FARTHEST, _FARTHEST) if scored else _axis(np.append(theirs, own))

    def place(value: float) -> float:
        return _place(value, low, high)

    limit = float(person["w_limit"])
    outside = scored and abs(own) > limit
    point, least, most = (_percent(float(person[name])) for name in ("percentile", "pct_low", "pct_high"))
    return {
        "what": f"{readable(person['modality'])} {readable(person['measure'])}, "
        f"{readable_place(person['region'], person['hemi'])}",
        "value": readable_number(person["value"], digits=4),
        "unit": readable_unit(person["unit"]) if pd.notna(person["unit"]) else "",
        "expected": readable_number(person["expected"], digits=4) if scored else "",
        "w": readable_number(own) if scored else "",
        "percentile": f"{point} [{least}, {most}]" if scored else "",
        "band": [place(-limit), place(limit)] if np.isfinite(limit) else None,
        "controls": [place(value) for value in theirs],
        "dot": place(own) if np.isfinite(own) else None,
        "outside": outside,
        "said": _said(person, scored=scored, outside=outside, theirs=theirs),
        "note": str(person["note"]) if pd.notna(person["note"]) else "",
    }


def _place(value: float, low: float = -_FARTHEST, high: float = _FARTHEST) -> float:
    """Where a value stands on an axis, 0 to 1."""
    return round(float(np.clip((value - low) / (high - low), 0, 1)), 4)


def _percent(value: float) -> str:
    """Percentile to one decimal; the far ends of a tail, which no number of controls can tell apart, as such."""
    if not np.isfinite(value):
        return MISSING
    return "<0.1" if value < 0.1 else ">99.9" if value > 99.9 else f"{value:.1f}"


def _axis(values: np.ndarray) -> tuple[float, float]:
    """Ends of an axis that holds all values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    margin = 0.1 * float(np.ptp(finite)) or 1.0
    return float(finite.min()) - margin, float(finite.max()) + margin


def _said(person: pd.Series, *, scored: bool, outside: bool, theirs: np.ndarray) -> str:
    """What the marks show, in words."""
    if pd.isna(person["value"]):
        return str(person["note"])
    if scored:
        return f"W {readable_number(person['w_score'])}, {'outside' if outside else 'within'} the controls’ range"
    if not theirs.size:
        return "no control has a value"
    return f"{readable_number(theirs.min())} to {readable_number(theirs.max())} ({theirs.size} controls)"


def _sentence(rows: Sequence[Mapping[str, Any]], covariates: Sequence[str], alpha: float) -> str:
    """How many primary measures lie outside the controls' range, without any judgement."""
    if not rows:
        return "No primary measure of this participant is compared: see statistics.primary in the config of the study."
    scored = [row for row in rows if row["w"]]
    if not scored:
        reasons = "; ".join(dict.fromkeys(row["note"] for row in rows))
        return f"No range of the controls could be computed: {reasons}. Their own values are shown, not adjusted."
    n = sum(row["outside"] for row in scored)
    alike = f" of the same {' and '.join(map(readable, covariates))}" if covariates else ""
    return (
        f"{n} of {len(scored)} primary measures {'lies' if n == 1 else 'lie'} outside the range of "
        f"{100 * (1 - alpha):.4g}% of controls{alike}. Of the measures of healthy people, {100 * alpha:.4g}% do."
    )


def _neuron(rows: pd.DataFrame, alpha: float) -> dict[str, Any] | None:
    """A person's W-scores from cortex to cord, level by level, in words and places; nothing without any W-score."""
    rows = rows[rows["hemi"].isin(_SIDES)]
    scored = rows[rows["w_score"].notna()]
    if scored.empty:
        return None
    levels: dict[str, list[dict[str, Any]]] = {}
    lines = scored.groupby(["level", *KEY[:3]], sort=False, observed=True)
    for (level, modality, measure, region), own in lines:
        what = f"{capitalised(readable(measure))} ({readable(modality)})"
        if len(LEVELS[str(level)]) > 1:
            what += f", {readable(region)}"
        levels.setdefault(str(level), []).append(
            {"what": what, "marks": {row["hemi"]: _mark(row) for row in own.to_dict("records")}}
        )
    said = rows.assign(
        note=rows["note"].fillna(""), what=np.where(rows["w_score"].isna(), "without a W-score", "with a W-score")
    )
    counts = said[(said["note"] != "") | rows["w_score"].isna()].groupby(["what", "note"], sort=False).size()
    beyond = scored["w_score"] / scored["w_limit"]
    most = f"{100 * (1 - alpha):.4g}%"
    return {
        "sentence": "W-scores, turned so that higher is towards damage: a low FA has a high one here. "
        f"{(beyond > 1).sum()} of {len(scored)} W-scores lie beyond the range of {most} of controls "
        f"towards damage, {(beyond < -1).sum()} beyond it on the other side; of the values of healthy people, "
        f"{50 * alpha:.4g}% do on each. Neighbouring levels are not independent.",
        "levels": levels,
        "notes": [f"{n} {what}{f': {note}' if note else ''}" for (what, note), n in counts.items()],
    }


def _mark(row: Mapping[str, Any]) -> dict[str, Any]:
    """One W-score on the axis towards damage."""
    limit = row["w_limit"]
    outside = bool(abs(row["w_score"]) > limit)
    return {
        "w": readable_number(row["w_score"]),
        "dot": _place(row["w_score"]),
        "band": [_place(-limit), _place(limit)] if np.isfinite(limit) else None,
        "outside": outside,
        "said": f"{_SIDES[row['hemi']]} {readable_number(row['w_score'])}, {'outside' if outside else 'within'}",
    }


def _index_record(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "side": {"L": "Left", "R": "Right"}.get(row["hemi"], "Both"),
        "value": readable_interval(row["value"], row["ci_low"], row["ci_high"]),
        "w": readable_interval(row["w"], row["w_low"], row["w_high"]),
        "n_controls": MISSING if pd.isna(row["n_controls"]) else f"{row['n_controls']:.0f}",
        "note": row["note"] if isinstance(row["note"], str) else "",
    }
