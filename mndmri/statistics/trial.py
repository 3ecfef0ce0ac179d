"""People that a trial would need to see a slower decline of a measure."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.changes import YEAR, usable_visits
from mndmri.statistics.families import is_primary
from mndmri.statistics.growth import fit_growth
from mndmri.statistics.samples import patient_groups
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import KEY
from mndmri.tables.visits import CLINICAL

EVERY = 3.0  # months between the visits of the trial
DURATIONS, EFFECTS, POWERS = (6.0, 12.0), (25.0, 33.0, 50.0), (80.0, 90.0)
N_BOOTSTRAP = 200
_DESCRIPTIONS = {
    "modality": "Kind of image measured; clinical: a score of the visits table.",
    "measure": "What was measured.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the measure.",
    "group": "Group of patients whose change is used.",
    "n_people": "People of the group with a visit.",
    "n_visits": "Their visits.",
    "slope": "Mean change of the group per year.",
    "slope_sd": "Standard deviation of the people's own slopes about it.",
    "residual_sd": "Standard deviation of a visit about the person's line.",
    "months": f"Duration of the trial, months; visits every {EVERY:g} months, with one at the beginning.",
    "effect_percent": "Slowing of the change by the treatment, percent of the slope.",
    "power_percent": "Power, percent, of a two-sided test at alpha of the difference of the slopes of two arms.",
    "n_per_arm": "People an arm that are needed, without drop-out.",
    "ci_low": "Lower confidence limit, percentile of a bootstrap over people.",
    "ci_high": "Upper confidence limit; n/a where it has none: slopes in the other direction are possible.",
    "note": "Why numbers are missing.",
}


class Course(NamedTuple):
    """Change of a measure in a group."""

    slope: float  # per year
    slope_variance: float  # between people
    residual: float  # variance of a visit


def trial_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of trials."""
    return dictionary("People an arm that a trial would need, by measure", _DESCRIPTIONS)


def people_per_arm(course: Course, *, months: float, effect: float, power: float, alpha: float = 0.05) -> float:
    """People needed in each of two arms to find a slower change, not rounded; infinity without a change.

    Parameters
    ----------
    course : Course
        Of the untreated.
    months : float
        Duration; visits every `EVERY` months.
    effect : float
        Share of the slope that the treatment takes away.
    power : float
    alpha : float
        Of the two-sided test.

    References
    ----------
    Diggle, Heagerty, Liang and Zeger 2002, Analysis of Longitudinal Data, 2.4; Fitzmaurice, Laird and Ware 2011,
    Applied Longitudinal Analysis, 20 (random slopes).
    """
    times = np.arange(0, months + EVERY / 2, EVERY) / YEAR
    variance = course.slope_variance + course.residual / float(((times - times.mean()) ** 2).sum())
    quantiles = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    difference = effect * abs(course.slope)
    return float(2 * quantiles**2 * variance / difference**2) if difference else np.inf


def course_of(values: np.ndarray, owner: np.ndarray, years: np.ndarray) -> Course | str:
    """Mean slope of a group and how it varies, or why that is not known.

    Parameters
    ----------
    values, years : array, shape (N,)
    owner : array of int, shape (N,)
        Person of each row, 0 to n - 1, in rising order.
    """
    if len(values) == 0 or np.ptp(years) == 0:
        return "no two visits at different times"
    matrix = np.column_stack([np.ones(len(years)), years - years.mean()])
    growth = fit_growth(matrix, values, owner, years)
    if isinstance(growth, str):
        return growth
    return growth.note or Course(float(growth.effects[1]), float(growth.random[1, 1]), growth.residual)


def trial_table(
    measures: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    primary: Sequence[Mapping[str, str]],
    alpha: float = 0.05,
    n_bootstrap: int = N_BOOTSTRAP,
    seed: int = 0,
) -> pd.DataFrame:
    """People an arm for each primary measure and each score of the visits, in each group of patients.

    Parameters
    ----------
    measures : DataFrame
        Measures of all visits: participant_id, group, months, modality, measure, region, hemi, value, unit.
    groups : sequence of str
    reference : str or None
        The group of controls, of which no trial is planned.
    primary : sequence of mapping
        Measures, as in the config.
    alpha : float
        Of the trial's test, and one minus the coverage of the intervals.
    n_bootstrap : int
        Samples of people, with replacement.
    seed : int

    Returns
    -------
    DataFrame
        Columns as in `trial_dictionary`.
    """
    chosen = measures[is_primary(measures, primary) | (measures["modality"] == CLINICAL)]
    rows: list[dict[str, Any]] = []
    for key, own in chosen.groupby(KEY, sort=False):
        for group in patient_groups(groups, reference):
            visits = usable_visits(own[own["group"] == group])
            people = [
                (some["value"].to_numpy(float), some["months"].to_numpy(float) / YEAR)
                for _, some in visits.groupby("participant_id")
            ]
            row = {**dict(zip(KEY, key, strict=True)), "unit": own["unit"].iloc[0], "group": group}
            row |= {"n_people": len(people), "n_visits": len(visits)}
            rows += [row | made for made in _planned(people, alpha=alpha, number=n_bootstrap, seed=seed)]
    return pd.DataFrame(rows, columns=column_names(trial_dictionary()))


def _planned(
    people: list[tuple[np.ndarray, np.ndarray]], *, alpha: float, number: int, seed: int
) -> list[dict[str, Any]]:
    """A row for each trial; of people's values and years."""
    found = _course(people)
    if isinstance(found, str):
        return [{"note": found}]
    rng = np.random.default_rng(seed)
    drawn = [_course([people[n] for n in rng.integers(len(people), size=len(people))]) for _ in range(number)]
    others = [course for course in drawn if isinstance(course, Course)]
    lost = number - len(others)
    rows = []
    for months, effect, power in product(DURATIONS, EFFECTS, POWERS):
        options = {"months": months, "effect": effect / 100, "power": power / 100, "alpha": alpha}
        needed = [people_per_arm(other, **options) if other.slope * found.slope > 0 else np.inf for other in others]
        limits = np.quantile(needed, [alpha / 2, 1 - alpha / 2], method="higher") if needed else [np.nan, np.nan]
        rows.append(
            {
                "slope": found.slope,
                "slope_sd": np.sqrt(found.slope_variance),
                "residual_sd": np.sqrt(found.residual),
                "months": months,
                "effect_percent": effect,
                "power_percent": power,
                "n_per_arm": np.ceil(people_per_arm(found, **options)),
                "ci_low": np.ceil(limits[0]),
                "ci_high": np.ceil(limits[1]) if np.isfinite(limits[1]) else np.nan,
                "note": f"{lost} of {number} bootstrap samples without an estimate" if lost else "",
            }
        )
    return rows


def _course(people: list[tuple[np.ndarray, np.ndarray]]) -> Course | str:
    if not people:
        return "no visit with a value and months"
    owner = np.repeat(np.arange(len(people)), [len(values) for values, _ in people])
    values, years = (np.concatenate(parts) for parts in zip(*people, strict=True))
    return course_of(values, owner, years)
