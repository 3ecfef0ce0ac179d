"""Whether the primary results stand when the analysis is varied."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.optimize import linear_sum_assignment

from mndmri.io import InputError
from mndmri.statistics.ancova import REPORTED, ancova_rows
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.families import is_primary
from mndmri.statistics.ranks import RANKS, rating_rows
from mndmri.statistics.samples import (
    MOTION,
    NO_OTHERS,
    Measured,
    Sample,
    add_motion,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import RATINGS, UNIT, with_units

MAIN = "main"
MOTION_SCAN = "dwi"
CALIPER = 0.2  # SD of age; the width that Austin 2011, Pharm Stat 10:150, found best for the logit of propensity

_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    **UNIT,
    "variant": "main: as in comparisons.tsv. without_flagged: without participants whose scan of this modality was "
    "flagged by quality control. motion_covariate: with head motion as an additional covariate. age_matched: pairs, "
    "one of "
    f"each side of the contrast, of the same sex and with ages within {CALIPER} SD of each other, the largest "
    "number of pairs with the smallest differences; same covariates. without_covariates: the participants of main. "
    "without_site_<site>: without the participants of that site. Ratings have no covariates, and so neither "
    "motion_covariate nor without_covariates.",
    "contrast": f"The groups compared, first minus second; {POOLED} is every patient, each group weighted by its size.",
    "n_missing": "Excluded participants of the study's groups (age_matched: of the contrast's groups).",
    "estimate": "Adjusted difference in the measure's unit; of ratings the Hodges-Lehmann shift, never adjusted.",
    "ci_low": "Lower confidence limit of the estimate.",
    "ci_high": "Upper confidence limit of the estimate.",
    "adjusted_g": "Adjusted difference over the model's residual SD, corrected for small samples.",
    "p": "Two-sided, by t with a variance of its own for each group (ancova_welch); of ratings by ranks "
    "(permuted_ranks). Not corrected.",
    "change_percent": "Change of the estimate against main, in percent of main; -100 is no remaining difference.",
    "same_sign": "Whether the estimate has the sign of main's: yes or no.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}


def sensitivity_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the sensitivity table."""
    return dictionary("The primary comparisons with other participants and other covariates", _DESCRIPTIONS, groups)


class _Study(NamedTuple):
    """What every measure's variants are made from."""

    people: pd.DataFrame  # by id: group, covariates, what is matched or left out by
    groups: Sequence[str]
    covariates: Sequence[str]
    contrasts: Sequence[Contrast]
    flagged: Mapping[str, Collection[str]] | None
    sites: pd.Series | None
    matched_by: Sequence[str]  # age, then what else matched pairs share; empty for no matching
    absent: Sequence[str] = ()  # notes on covariates that the measure should have and the study lacks


class _Variant(NamedTuple):
    name: str
    sample: Sample
    covariates: Sequence[str]
    contrasts: Sequence[Contrast]


def sensitivity_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    primary: Sequence[Mapping[str, str]] | None = None,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    flagged: Mapping[str, Collection[str]] | None = None,
    motion: pd.Series | None = None,
    site: str | None = None,
    age: str | None = None,
    sex: str | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Adjusted differences of the primary measures, as analysed and in variants of the analysis.

    Parameters
    ----------
    measures, participants, groups, reference, covariates, measure_covariates, contrasts, pooled, primary, alpha
        As in `compare_groups`.
    flagged : mapping, optional
        Modality to the ids of participants whose scan of it quality control flagged.
    motion : Series, optional
        Mean framewise displacement of the DWI scan, mm, by participant_id. It is tried as a
        covariate of every measure, for who moves in one scan tends to move in the others.
    site : str, optional
        Column; each site is left out in turn, where there are several.
    age : str, optional
        Column of numbers; the two sides of each contrast are matched on it, one to one.
    sex : str, optional
        Column; matched pairs agree in it.

    Returns
    -------
    DataFrame
        Columns as in `sensitivity_dictionary`: for each primary
        measure and contrast a row of each variant that was given what it needs, ``main`` first.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.

    References
    ----------
    Matching, with the covariates kept in the model: Rosenbaum 1989, J Am Stat Assoc 84:1024;
    Stuart 2010, Stat Sci 25:1. Motion in one scan as a proxy for others: Alexander-Bloch et
    al. 2016, Hum Brain Mapp 37:2385.
    """
    extra = [column for column in (site, age, sex) if column is not None]
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *extra, *own])))
    if age is not None and not is_numeric_dtype(people[age]) and people[age].notna().any():
        found = people[age].dropna().iloc[0]
        raise InputError(f"groups are matched on numbers; the column {age} has '{found}'; name a column of numbers")
    if motion is not None:
        people = add_motion(people, motion)
    study = _Study(
        people,
        groups,
        covariates,
        list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled),
        flagged,
        None if site is None else people[site],
        [] if age is None else [column for column in (age, sex) if column is not None],
    )
    rows: list[dict[str, Any]] = []
    for measured in each_measure(measures[is_primary(measures, primary)], people):
        of_measure = study._replace(covariates=[])
        if measured.key["measure"] not in RATINGS:
            names, absent = covariates_for(measured.key, people, covariates=covariates, chosen=measure_covariates)
            of_measure = study._replace(covariates=names, absent=absent)
        rows += [measured.key | row for row in _measure_rows(measured, of_measure, alpha=alpha)]
    return with_units(pd.DataFrame(rows, columns=column_names(sensitivity_dictionary(groups))), measures)


def _measure_rows(measured: Measured, study: _Study, *, alpha: float) -> list[dict[str, Any]]:
    """Rows of one measure, contrast by contrast."""
    found: dict[str, list[dict[str, Any]]] = {contrast.name: [] for contrast in study.contrasts}
    for name, sample, covariates, contrasts in _variants(measured, study):
        options: dict[str, Any] = {"contrasts": contrasts, "n_permutations": 0, "seed": 0, "alpha": alpha}
        if measured.key["measure"] in RATINGS:
            made = rating_rows(sample, **options)
        else:
            made = ancova_rows(sample, covariates=covariates, **options)
        for row in made:
            if row["test"] in (REPORTED, RANKS) and row["contrast"] in found:
                found[row["contrast"]].append({"variant": name} | row)
    rows = []
    for variants in found.values():
        main = variants[0].get("estimate", np.nan)
        for row in variants:
            estimate = row.get("estimate", np.nan)
            row |= {f"n_{name}": row.get(f"n_{name}", 0) for name in study.groups}  # not of the contrast: nobody
            row["note"] = "; ".join(row["note"])
            if np.isfinite([main, estimate]).all():
                row["change_percent"] = 100 * (estimate / main - 1) if main else np.nan
                row["same_sign"] = "yes" if np.sign(estimate) == np.sign(main) else "no"
            rows.append(row)
    return rows


def _variants(measured: Measured, study: _Study) -> Iterator[_Variant]:
    """Every variant of a measure, the main analysis first."""

    def variant(name: str, kept: Measured, *, covariates: Sequence[str], note: str = "") -> _Variant:
        sample = take_sample(kept, study.people, groups=study.groups, covariates=covariates)
        sample.notes.extend([*study.absent, *([note] if note else [])])
        return _Variant(name, sample, covariates, study.contrasts)

    adjusted = measured.key["measure"] not in RATINGS
    main = variant(MAIN, measured, covariates=study.covariates)
    yield main
    if study.flagged is not None:
        out = study.people.index.isin(list(study.flagged.get(measured.key["modality"], ())))
        kept = _leave_out(measured, out, "flagged by quality control")
        note = "" if out.any() else "nobody flagged: as main"
        yield variant("without_flagged", kept, covariates=study.covariates, note=note)
    if adjusted and MOTION in study.people:
        note = "" if measured.key["modality"] == MOTION_SCAN else f"motion of the {MOTION_SCAN} scan"
        if any(study.people[name].equals(study.people[MOTION]) for name in study.covariates):
            note = "motion is a covariate already: as main"
        yield variant("motion_covariate", measured, covariates=[*study.covariates, MOTION], note=note)
    if study.matched_by:
        yield from (_matched(measured, study, contrast) for contrast in study.contrasts)
    if adjusted:
        yield main._replace(name="without_covariates", covariates=[])
    if study.sites is not None and study.sites.nunique() > 1:
        for site in sorted(study.sites.dropna().unique()):
            kept = _leave_out(measured, (study.sites == site).to_numpy(), f"site {site}")
            yield variant(f"without_site_{site}", kept, covariates=study.covariates)


def _leave_out(measured: Measured, out: np.ndarray, reason: str) -> Measured:
    """The measure without some of the people; who had no value keeps the reason for that."""
    reasons = measured.reasons.mask(out & measured.values.notna(), reason)
    return measured._replace(values=measured.values.mask(out), reasons=reasons)


def _matched(measured: Measured, study: _Study, contrast: Contrast) -> _Variant:
    """The contrast's two sides alone, matched one to one among who has the measure and the covariates."""
    sides = study.people[study.people["group"].isin([*contrast.left, *contrast.right])]
    there = measured._replace(values=measured.values[sides.index], reasons=measured.reasons[sides.index])
    names = [name for name in study.groups if name in contrast.left + contrast.right]
    age, *same = study.matched_by
    needed = list(dict.fromkeys([*study.covariates, *study.matched_by]))
    complete = take_sample(there, sides, groups=names, covariates=needed).data
    pairs, caliper = match_pairs(
        complete[complete["group"].isin(contrast.left)],
        complete[complete["group"].isin(contrast.right)],
        age=age,
        same=same,
    )
    matched = np.ravel(pairs)
    unmatched = sides.index.isin(complete.index) & ~sides.index.isin(matched)
    kept = _leave_out(there, unmatched, "no match")
    sample = take_sample(kept, sides, groups=names, covariates=needed)
    sample.notes.extend([*study.absent, f"{len(pairs)} pairs, {age} within {caliper:.3g}"])
    return _Variant("age_matched", sample, study.covariates, [contrast])


def match_pairs(
    left: pd.DataFrame, right: pd.DataFrame, *, age: str, same: Sequence[str] = ()
) -> tuple[list[tuple[str, str]], float]:
    """Pairs of ids, one of each side, and the caliper: the largest difference in age that a pair may have.

    The most pairs that can be made, and of those sets the one with the smallest sum of
    differences in age; nobody is in two. Ties fall by the order of the rows.

    Parameters
    ----------
    left, right : DataFrame
        By id, none of the columns missing.
    age : str
        Column of numbers. The caliper is `CALIPER` of its SD within the sides.
    same : sequence of str
        Columns in which a pair agrees.
    """
    ages = [side[age].to_numpy(float) for side in (left, right)]
    squares = sum(float(((a - a.mean()) ** 2).sum()) for a in ages if len(a))
    caliper = CALIPER * np.sqrt(squares / max(sum(map(len, ages)) - 2, 1))
    distance = np.abs(np.subtract.outer(*ages))
    allowed = distance <= caliper
    for column in same:
        allowed &= np.equal.outer(left[column].to_numpy(), right[column].to_numpy()).astype(bool)
    # a pair that is not allowed costs more than all that are together, so that no allowed one is given up for it
    cost = np.where(allowed, distance, (min(distance.shape) + 1) * (caliper + 1))
    chosen = [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if allowed[i, j]]
    return [(left.index[i], right.index[j]) for i, j in chosen], float(caliper)
