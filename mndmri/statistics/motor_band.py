"""The motor band score, 0 to 12: six regions compared with the limits of controls."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics.prevalence import NOT_ASSESSABLE, SCORE
from mndmri.statistics.samples import Measured, check_columns, each_measure, select_people
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import GROUP_COLUMNS, KEY, OK, row

PARTS = ("precentral_leg", "precentral_hand", "precentral_face")
CONTRAST = ("swi", "band_darkness")
_SCORED = (SCORE["modality"], SCORE["measure"])

# Of controls, the share that passes a region's limit: so that one control in 20 has a mild band in any of the six
# regions, and one in 200 a marked one.
MILD_SHARE, MARKED_SHARE = 0.05 / 6, 0.005 / 6
# Fainter than this no band is called so, however alike the controls are: in easy simulated heads, whose cortex is more
# even than any in life, their limits fell to 0.001, a band that nobody would see.
MILD_CONTRAST, MARKED_CONTRAST = 0.03, 0.06
# With five the limit of a mild band lies 3.2 to 4.3 SD above the mean (sides unrelated, alike), with ten 2.7 to 3.1,
# with endlessly many 2.4; with four it would be 3.5 to 5.4.
MIN_CONTROLS = 5

_CUTOFFS = {
    "modality": "Kind of image.",
    "measure": "What the limits are for.",
    "region": "Body part of the precentral gyrus.",
    "hemi": "both: the limits apply to either side.",
    "n": "Controls from whom the limits were estimated.",
    "age_from": "Age of the youngest of them, years; n/a where ages are unknown. Iron grows with age: the limits hold "
    "for people of these ages.",
    "age_to": "Age of the oldest of them.",
    "mean": "Mean of the controls, each side counted once.",
    "sd": "Their standard deviation.",
    "sides_alike": "Correlation of the two sides of a control, one for all regions, with a standard error added: 0 "
    "where two sides count as two people, 1 where as one.",
    "mild_above": f"Above this a band is mild (1): prediction limit exceeded by {MILD_SHARE:.2%} of controls, "
    f"and no less than {MILD_CONTRAST:g}.",
    "marked_above": f"Above this a band is marked (2): prediction limit exceeded by {MARKED_SHARE:.2%} of controls, "
    f"and no less than {MARKED_CONTRAST:g}.",
}
_NUMBERS = ("n", "mean", "sd", "mild_above", "marked_above")


def cutoffs_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of cut-offs."""
    return dictionary("Cut-offs of the motor band score", _CUTOFFS)


def learn_cutoffs(measures: pd.DataFrame, participants: pd.DataFrame, *, reference: str | None) -> pd.DataFrame:
    """Limits of the band's contrast that the reference group rarely exceeds.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status; the rows `CONTRAST` of `PARTS`.
    participants : DataFrame
        participant_id and group; age, where it is known.
    reference : str or None
        The group of the controls.

    Returns
    -------
    DataFrame
        A row for each of `PARTS`; columns as in `cutoffs_dictionary`. The limits are missing where fewer than
        `MIN_CONTROLS` have a value. Written as a table it can be the norms of another study of the same scan.

    Raises
    ------
    InputError
        If a column is missing, or a participant or a row is there twice.

    Notes
    -----
    Prediction limits of one more control (Hahn 1970, J Am Stat Assoc 65:1668), so that few controls make them wide and
    not too low. Both sides share the mean and the standard deviation, so that swapped sides swap the score. Two sides
    are not two people, unless they vary on their own: the degrees of freedom, and the error of the mean, follow from
    the correlation of the sides (Satterthwaite 1946, Biometrics Bull 2:110), which is estimated from all regions
    together, with one standard error added. In 40 000 simulated cohorts of 5 to 30 controls, new regions passed the
    limit of a mild band in 0.59 to 0.84 %, for sides unrelated to alike (nominal 0.83 %). No limit lies below
    `MILD_CONTRAST` and `MARKED_CONTRAST`.
    """
    contrasts = _contrasts(measures, participants)
    return _limits(contrasts.values[contrasts.groups == reference], _ages(participants))


def score_motor_band(
    measures: pd.DataFrame, participants: pd.DataFrame, *, reference: str | None, norms: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Motor band score of every participant: none, mild or marked (0, 1, 2) in six regions, and their sum.

    Parameters
    ----------
    measures, participants, reference
        As in `learn_cutoffs`.
    norms : DataFrame, optional
        Cut-offs of another study, as `learn_cutoffs` returns them; by default those of this study's controls, of
        whom each is judged by the others. Patients never have a part in them.

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.GROUP_COLUMNS`; for each participant the measure ``motor_band_score`` of
        `PARTS`, L and R (0 to 2), and of the row `prevalence.SCORE` (0 to 12). What cannot be judged has the status
        ``not assessable`` with its reason.

    Raises
    ------
    InputError
        As `learn_cutoffs`, or if the norms are no such table.

    Notes
    -----
    After the motor cortex low intensity (MCLI) score of human raters: isointense, hypointense or markedly
    hypointense. There is no total over fewer than six regions. Such a sum is not on the scale of 12 from which
    the sign's threshold was taken, and counting a region that was not seen as free of a band would turn a poor
    scan into a healthy one; the status gives the sum of the others instead.
    """
    values, reasons, n_voxels, groups = _contrasts(measures, participants)
    controls = values[groups == reference]
    ages = _ages(participants)
    shared = _limits(controls, ages) if norms is None else check_cutoffs(norms)
    scored = []
    for who in participants["participant_id"]:
        is_learnt_from = norms is None and who in controls.index
        limits = _limits(controls.drop(index=who), ages) if is_learnt_from else shared
        own = pd.DataFrame({"value": values.loc[who], "reason": reasons.loc[who], "n_voxels": n_voxels.loc[who]})
        scored += [{"participant_id": who, "group": groups[who], **line} for line in _score(own, limits)]
    return pd.DataFrame(scored, columns=GROUP_COLUMNS)


def add_motor_band(
    measures: pd.DataFrame, participants: pd.DataFrame, *, reference: str | None, norms: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures with the rows of `score_motor_band` below them, and the cut-offs that the scores rest on.

    Parameters and errors are those of `score_motor_band`.
    """
    scores = score_motor_band(measures, participants, reference=reference, norms=norms)
    cutoffs = learn_cutoffs(measures, participants, reference=reference) if norms is None else norms
    return pd.concat([measures, scores], ignore_index=True), cutoffs


def check_cutoffs(norms: pd.DataFrame) -> pd.DataFrame:
    """Cut-offs of another study, found to be such.

    Raises
    ------
    InputError
        If it is not a table as `learn_cutoffs` returns it, with limits for each of `PARTS`.
    """
    remedy = "give the table of cut-offs that this program wrote for a study with enough controls"
    lacking = [name for name in _CUTOFFS if name not in norms.columns]
    if lacking:
        raise InputError(f"the norms of the motor band have no column {', '.join(lacking)}; {remedy}")
    found = sorted(map(tuple, norms[KEY].astype(str).to_numpy()))
    expected = sorted((*CONTRAST, part, "both") for part in PARTS)
    if found != expected:
        listed = ["; ".join(" ".join(key) for key in keys) or "none" for keys in (found, expected)]
        raise InputError(f"the norms of the motor band have the rows {listed[0]}; expected {listed[1]}: {remedy}")
    for line in norms.to_dict("records"):
        numbers = pd.to_numeric(pd.Series({name: line[name] for name in _NUMBERS}), errors="coerce")
        n, mean, sd, mild, marked = numbers
        if not (np.isfinite(numbers).all() and n >= MIN_CONTROLS and sd > 0 and mean < mild < marked):
            values = ", ".join(f"{name} {line[name]}" for name in _NUMBERS)
            raise InputError(
                f"the norms of the motor band have {values} for {line['region']}; expected at least {MIN_CONTROLS} "
                f"controls, and mean, mild_above and marked_above in rising order; {remedy}"
            )
    return norms


class _Contrasts(NamedTuple):
    """The band's contrast in everybody; a row a person, a column (region, hemi)."""

    values: pd.DataFrame  # NaN is missing
    reasons: pd.DataFrame  # why, where it is
    n_voxels: pd.DataFrame
    groups: pd.Series


def _contrasts(measures: pd.DataFrame, participants: pd.DataFrame) -> _Contrasts:
    check_columns(participants, ["participant_id", "group"])
    people = select_people(participants, groups=list(participants["group"].unique()), covariates=[])
    modality, measure = CONTRAST
    rows = measures[(measures["modality"] == modality) & (measures["measure"] == measure)]
    found = {(one.key["region"], one.key["hemi"]): one for one in each_measure(rows, people)}
    absent = Measured({}, pd.Series(np.nan, people.index), pd.Series("no row in the table", people.index))
    voxels = rows.set_index(["participant_id", "region", "hemi"])["n_voxels"].unstack(["region", "hemi"])
    keys = pd.MultiIndex.from_product([PARTS, list("LR")], names=["region", "hemi"])
    return _Contrasts(
        pd.DataFrame({key: found.get(key, absent).values for key in keys}).set_axis(keys, axis=1),
        pd.DataFrame({key: found.get(key, absent).reasons for key in keys}).set_axis(keys, axis=1),
        voxels.reindex(index=people.index, columns=keys).fillna(0).astype(int),
        people["group"],
    )


def _ages(participants: pd.DataFrame) -> pd.Series:
    """Ages of the participants, years, missing where the table has none."""
    known = participants.get("age", pd.Series(np.nan, participants.index))
    return pd.to_numeric(known, errors="coerce").set_axis(participants["participant_id"])


def _limits(controls: pd.DataFrame, ages: pd.Series) -> pd.DataFrame:
    """Cut-offs of the controls ``controls``, a row each, columns (region, hemi)."""
    alike = _sides_alike(controls)
    rows = []
    for part in PARTS:
        own = controls[part].dropna(how="all")
        line: dict[str, Any] = dict(zip(KEY, (*CONTRAST, part, "both"), strict=True)) | {"n": len(own)}
        known = ages.reindex(own.index).dropna()
        line |= {"age_from": known.min(), "age_to": known.max()} if len(known) else {}
        if len(own) >= MIN_CONTROLS:
            spread = _spread(own.to_numpy(), alike)
            above = stats.t.isf([MILD_SHARE, MARKED_SHARE], spread.freedom) * spread.sd * np.sqrt(1 + spread.mean_share)
            mild, marked = spread.mean + above
            line |= {"mean": spread.mean, "sd": spread.sd, "sides_alike": alike}
            line |= {"mild_above": max(float(mild), MILD_CONTRAST), "marked_above": max(float(marked), MARKED_CONTRAST)}
        rows.append(line)
    return pd.DataFrame(rows, columns=list(_CUTOFFS))


class _Spread(NamedTuple):
    mean: float
    sd: float
    freedom: float  # degrees of freedom of the SD
    mean_share: float  # variance of the mean, as a share of that of one side


def _spread(own: np.ndarray, alike: float) -> _Spread:
    """How the sides of people vary, shape (n, 2), NaN where one is missing, if the two correlate by ``alike``."""
    seen = np.isfinite(own)
    n_sides, n_people, n_pairs = seen.sum(), len(own), seen.all(axis=1).sum()
    mean = float(np.nanmean(own))
    mean_share = (n_sides + 2 * alike * n_pairs) / n_sides**2
    # variance of one side in units of the squares about the mean: of sums of two sides, and of their differences
    between, within = (n_people - 1, 1 + alike), (n_sides - n_people, 1 - alike)
    freedom = sum(n * size for n, size in (between, within)) ** 2 / sum(n * size**2 for n, size in (between, within))
    squares = float(np.nansum((own - mean) ** 2))
    return _Spread(mean, float(np.sqrt(squares / (n_sides * (1 - mean_share)))), float(freedom), float(mean_share))


def _sides_alike(controls: pd.DataFrame) -> float:
    """Correlation of people's sides, 0 to 1: estimated from all regions, one standard error added; 1 if unknown."""
    found, n_pairs = [], 0
    for part in PARTS:
        own = controls[part].dropna().to_numpy()
        away = own - own.mean() if len(own) else own
        if len(own) < 2 or not away.any():
            continue
        # about a mean that is estimated, 2n r - (1 + r) over 2n - (1 + r) is expected where r is true
        n, raw = 2 * len(own), 2 * (away[:, 0] * away[:, 1]).sum() / (away**2).sum()
        found.append((raw * (n - 1) + 1) / (n - 1 + raw))
        n_pairs += len(own)
    return float(np.clip(np.clip(np.mean(found), 0, 1) + 1 / np.sqrt(n_pairs), 0, 1)) if found else 1.0


def _score(own: pd.DataFrame, limits: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of one person: six regions, and their sum.

    ``own`` has a row for each (region, hemi), with ``value``, ``reason`` and ``n_voxels``.
    """
    limits = limits.set_index("region")
    lines: list[dict[str, Any]] = []
    scores: list[float] = []
    problems: dict[str, list[str]] = {}
    for (part, hemi), found in own.iterrows():
        limit, reason = limits.loc[part], None
        if np.isnan(found["value"]):
            reason = found["reason"]
        elif np.isnan(limit["mild_above"]):
            reason = f"{limit['n']} controls to compare with, at least {MIN_CONTROLS} needed"
        if reason is None:
            scores.append(float(found["value"] > limit["mild_above"]) + float(found["value"] > limit["marked_above"]))
            lines.append(_line(part, hemi, scores[-1], found["n_voxels"], OK))
        else:
            problems.setdefault(reason, []).append(f"{part} {hemi}")
            lines.append(_line(part, hemi, np.nan, found["n_voxels"], f"{NOT_ASSESSABLE}: {reason}"))
    total, status = sum(scores), OK
    if problems:
        told = [
            reason if len(where) == len(own) else f"{reason} ({', '.join(where)})" for reason, where in problems.items()
        ]
        told += [f"the others add up to {total:g}"] if scores else []
        total, status = np.nan, f"{NOT_ASSESSABLE}: {'; '.join(told)}"
    lines.append(_line(SCORE["region"], SCORE["hemi"], total, own["n_voxels"].sum(), status))
    return lines


def _line(region: str, hemi: str, score: float, n_voxels: int, status: str) -> dict[str, Any]:
    return row(*_SCORED, region, hemi, score, unit="1", n_voxels=int(n_voxels), status=status)
