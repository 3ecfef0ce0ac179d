"""ComBat: what a site adds to the measures, and how it spreads them, learnt and taken away.

The packages that do this (neuroCombat, neuroHarmonize, pycombat, inmoose) need every value of everyone,
and here a participant without one of the modalities is the rule.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.statistics.models import Design, between_groups, confounders, covariate_columns, fit_ols, is_estimable
from mndmri.statistics.samples import (
    KEY,
    NO_SPREAD,
    count_reasons,
    each_measure,
    reference_last,
    select_people,
)
from mndmri.tables.dictionaries import TITLE, dictionary
from mndmri.tables.measures import RATINGS

_CONVERGED = 1e-10  # of a shift and a variance, both relative to the spread of the measure
_STEPS = 10_000
_ALONE = "no other site to compare with"
_FLAT = "no variation to learn from"
_DESCRIPTIONS = {
    "modality": "Kind of image measured; site effects are pooled over the measures of one modality.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "site": "The site.",
    "n_learnt": "Participants of the site from whom shift and scale were estimated.",
    "n_harmonised": "Participants of the site with a harmonised value.",
    "n_missing": "Participants of the site without one.",
    "shift": "Value subtracted from those of the site, in the measure's unit.",
    "scale": "Factor by which the deviations from the expected value were then divided.",
    "note": "Participants without a harmonised value, and missing numbers, with the reasons.",
}


class _Plan(NamedTuple):
    """Who is harmonised, and from whom it is learnt."""

    people: pd.DataFrame  # by participant_id: group, site and what is preserved, none missing
    site: str
    sites: list[str]
    preserve: list[str]
    learners: pd.Series  # by participant_id: whether the sites' effects are learnt from them
    cells: list[str]  # columns: each combination of theirs needs people
    min_per_cell: int


class Combat(NamedTuple):
    """What the sites do to each measure, learnt from some people, to be taken from the values of any."""

    sites: list[pd.DataFrame]  # of each measure, by site: shift, scale
    expected: pd.DataFrame  # (n, p), of everyone at the average site and the learners' mixture of groups

    def transform(self, values: pd.DataFrame, site: pd.Series) -> pd.DataFrame:
        """Values (n, p) without the sites' shifts and scales; NaN at a site that nothing could be learnt of."""
        made = {}
        for own, key in zip(self.sites, values, strict=True):
            at = own.loc[site].set_axis(values.index)
            expected = self.expected[key]
            made[key] = expected + (values[key] - expected - at["shift"]) / at["scale"]
        return pd.DataFrame(made, values.index)


class _Fit(NamedTuple):
    """One measure: the value expected of each participant at the average site, and what the sites do."""

    expected: pd.Series  # by participant_id
    spread: float  # in the measure's unit
    sites: pd.DataFrame  # by site: n, location and variance of its learners, in units of the spread; note


def combat_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the report of `combat`."""
    return dictionary("What ComBat removed from the measures of each site", _DESCRIPTIONS)


def harmonised_dictionary(meanings: Mapping[str, Any]) -> dict[str, Any]:
    """BIDS data dictionary of the harmonised measures, from that of the measures as they were measured."""
    value = {"Description": "The value without what ComBat found the scanner of its site to do to it; see site_shifts."}
    return {**meanings, TITLE: "Every measure of every participant, harmonised over the sites", "value": value}


def combat(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    site: str,
    preserve: Sequence[str],
    reference_group: str | None = None,
    learn_on: Literal["all", "controls"] = "all",
    min_per_cell: int = 5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures without the sites' shifts and scales, and a table of these.

    Each measure is modelled on the sites and the columns to ``preserve``, and standardised. A
    site's shift and variance are shrunk towards what it does to the other measures of the same
    modality (parametric empirical Bayes), then taken away. A measure is learnt from those who
    have it. `RATINGS` stay as they are.

    Tests on harmonised values take the shifts as known. Where groups are unevenly spread over
    the sites they find too much (Nygaard, Rodland and Hovig 2016, Biostatistics 17:29); the site
    as a covariate does not.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status.
    participants : DataFrame
        participant_id, group, ``site`` and the columns to preserve.
    site : str
        Column of the site or scanner, text.
    preserve : sequence of str
        Columns whose effects stay, such as ``group``, age and sex. Numbers are used as they are,
        text as categories.
    reference_group : str, optional
        The controls, where it is learnt on them.
    learn_on : {"all", "controls"}
        From whom the sites' effects are learnt. Learnt on controls, what sets patients apart
        cannot be taken for their site's.
    min_per_cell : int
        A site needs so many people to learn from: of one group at least where the group is
        preserved, and a group is shared by sites that have so many of it each. With five at a
        site that is half a standard deviation off, the error of its values goes from 0.6 to 0.45
        SD, with three to 0.53; where it is 0.3 SD off, fewer than eight add error (simulated).

    Returns
    -------
    measures : DataFrame
        The table given, with other values. A value that cannot be harmonised is missing, and its
        status says why; what was missing is left as it was.
    report : DataFrame
        A row per modality, measure, region, hemi and site; columns `combat_dictionary`.

    Raises
    ------
    InputError
        If a column is missing, there is one site only, a site has too few people to learn from,
        or the sites cannot be distinguished from what is preserved.

    References
    ----------
    Johnson, Li and Rabinovic 2007, Biostatistics 8:118; Fortin et al. 2018, NeuroImage 167:104.
    """
    if learn_on not in ("all", "controls"):
        raise InputError(f"ComBat learns on all or on controls; learn_on is {learn_on}")
    groups = list(participants["group"].dropna().unique()) if "group" in participants else []
    covariates = [name for name in preserve if name != "group"]
    people = select_people(participants, groups=groups, covariates=[site, *covariates])
    complete = people.dropna()
    learners = pd.Series(True, complete.index)
    if learn_on == "controls":
        learners = complete["group"] == reference_last(groups, str(reference_group))[-1]
    cells = [site, "group"] if learn_on == "all" and "group" in preserve else [site]
    # groups that are not learnt from have no mean in the model, and theirs is to be preserved too
    others = complete["group"].mask(learners | ("group" not in preserve))
    plan = _Plan(complete, site, sorted(complete[site].unique()), list(preserve), learners, cells, min_per_cell)
    _check_plan(plan)

    measured = list(each_measure(measures[~measures["measure"].isin(RATINGS)], people))
    fits = [_fit(one.values.reindex(complete.index).dropna(), plan) for one in measured]
    effects = _effects([one.key["modality"] for one in measured], fits)
    incomplete = people.isna().idxmax(axis=1).drop(complete.index).map("no {}".format)
    owners, rows_of = measures["participant_id"].to_numpy(), measures.groupby(KEY, sort=False).indices
    values, status = measures["value"].to_numpy(float, copy=True), measures["status"].to_numpy(object, copy=True)
    report = []
    for one, fit, sites in zip(measured, fits, effects, strict=True):
        at = sites.loc[complete[site]].set_axis(complete.index)
        rest = one.values.reindex(complete.index) - fit.expected - at["shift"]
        own = rest.groupby(others).transform("mean").fillna(0)
        new = fit.expected + own + (rest - own) / at["scale"]
        reasons = pd.concat([incomplete, at["note"]])
        rows = rows_of[tuple(one.key.values())]
        rows = rows[np.isfinite(values[rows])]
        values[rows] = new.reindex(owners[rows])
        lost = rows[np.isnan(values[rows])]
        status[lost] = [f"not harmonised: {reasons.get(owner, 'no group')}" for owner in owners[lost]]
        missing = one.reasons.where(one.values.isna(), reasons)[new.reindex(people.index).isna()]
        report += _report(one.key, sites, people[site], missing)
    return measures.assign(value=values, status=status), pd.DataFrame(report, columns=list(_DESCRIPTIONS))


def fit_combat(
    values: pd.DataFrame,
    people: pd.DataFrame,
    *,
    site: str,
    preserve: Sequence[str],
    learners: np.ndarray,
    by_group: bool = True,
    min_per_cell: int = 2,
) -> Combat:
    """What the sites do to the measures, learnt from some of the people; the others' groups are not looked at.

    The group is preserved while the sites' effects are learnt, so that what sets patients apart is
    not taken for their site's. The value expected of a person does not depend on his group: the
    group of somebody who is to be predicted must not enter his value.

    Parameters
    ----------
    values : DataFrame, shape (n, p)
        Columns of modality, measure, region and hemi; NaN is missing.
    people : DataFrame
        ``group``, ``site`` and what is preserved, none missing; same index.
    site : str
    preserve : sequence of str
        Covariates whose effects stay, without the group.
    learners : array of bool, shape (n,)
    by_group : bool
        Whether the group is preserved; not needed where the learners are of one group.
    min_per_cell : int
        People of one group that a site needs to be learnt of.

    References
    ----------
    As `combat`.
    """
    cells = [site, "group"] if by_group else [site]
    kept = ["group", *preserve] if by_group else [*preserve]
    taught = pd.Series(learners, people.index)
    plan = _Plan(people, site, sorted(people[site].unique()), kept, taught, cells, min_per_cell)
    fits = [_fit(values[key].dropna(), plan, blind=True) for key in values]
    effects = _effects([key[0] for key in values], fits)
    expected = {key: fit.expected.reindex(people.index) for key, fit in zip(values, fits, strict=True)}
    return Combat(effects, pd.DataFrame(expected, people.index))


def _check_plan(plan: _Plan) -> None:
    """Raise an `InputError` if the sites' effects could not be learnt even with every value there."""
    if plan.min_per_cell < 2:
        raise InputError(f"min_per_cell is {plan.min_per_cell}; a spread needs 2 people or more")
    if len(plan.sites) < 2:
        found = ", ".join(plan.sites) or "none"
        raise InputError(f"ComBat needs two sites or more; the column {plan.site} has {found}. Switch ComBat off")
    if few := _too_few(plan.people, plan):
        who = "people of one group" if "group" in plan.cells else "people to learn from"
        raise InputError(
            f"ComBat needs {plan.min_per_cell} {who} at each site; too few at {', '.join(few)}. Leave these sites "
            "out, name them with others of the same scanner, or use the site as a covariate instead"
        )
    if names := _confounded(plan.people, _design(plan.people, plan), plan):
        raise InputError(
            f"ComBat cannot tell {plan.site} from {', '.join(names)}: the sites share too little of it, counting "
            f"{plan.min_per_cell} people or more of a group at a site. Leave a site out, or learn on the controls"
        )


def _too_few(people: pd.DataFrame, plan: _Plan) -> list[str]:
    """Sites of these people that have nobody or too few to learn from."""
    sizes = people[plan.learners[people.index]].groupby(plan.cells).size().groupby(level=0).max()
    return [site for site in plan.sites if site in set(people[plan.site]) and sizes.get(site, 0) < plan.min_per_cell]


def _confounded(people: pd.DataFrame, design: Design, plan: _Plan) -> list[str]:
    """What is preserved that the sites cannot be distinguished from, by those cells that are large enough."""
    learners = people[plan.learners[people.index]]
    sizes = learners.groupby(plan.cells)[plan.site].transform("size")
    counted = people.index.isin(sizes.index[sizes >= plan.min_per_cell])
    design, hypothesis = design._replace(matrix=design.matrix[counted]), between_groups(design)
    return [] if is_estimable(design.matrix, hypothesis) else confounders(design, hypothesis)


def _design(people: pd.DataFrame, plan: _Plan) -> Design:
    """Model matrix of everyone, learner or not: one column a site, then what is preserved."""
    sites = pd.get_dummies(people[plan.site], dtype=float)
    parts, terms = [sites.to_numpy()], list(sites)
    learners = plan.learners[people.index].to_numpy()
    for name in plan.preserve:
        columns = covariate_columns(people[name]).to_numpy()
        # what all learners have in common has no effect to be learnt, and stays in the value
        columns = columns[:, np.ptp(columns[learners], axis=0) > 0]
        parts.append(columns / columns.std(axis=0))
        terms += [name] * columns.shape[1]
    return Design(np.hstack(parts), list(sites), terms, [])


def _fit(values: pd.Series, plan: _Plan, *, blind: bool = False) -> _Fit:
    """Model of one measure in those who have it; a site that it cannot be learnt for has a note.

    Where ``blind``, what is expected of a person does not depend on the group.
    """
    people = plan.people.loc[values.index]
    sites = pd.DataFrame({"n": 0, "location": np.nan, "variance": np.nan, "note": ""}, index=plan.sites)
    learnt = values[plan.learners[values.index]].groupby(people[plan.site])
    same = (learnt.max() - learnt.min()) <= NO_SPREAD * learnt.max().abs()
    sites.loc[same.index[same], "note"] = _FLAT
    sites.loc[_too_few(people, plan), "note"] = f"fewer than {plan.min_per_cell} to learn from"
    people = people[people[plan.site].map(sites["note"]) == ""]
    present = sorted(people[plan.site].unique())
    nothing = _Fit(values * 0, 1.0, sites)
    if len(present) < 2:
        sites.loc[present, "note"] = _ALONE
        return nothing
    design, learners = _design(people, plan), plan.learners[people.index].to_numpy()
    if names := _confounded(people, design, plan):
        sites.loc[present, "note"] = f"{plan.site} confounded with {', '.join(names)}"
        return nothing
    y = values[people.index].to_numpy()
    fit = fit_ols(y[learners], design._replace(matrix=design.matrix[learners]))
    if fit.df < 1 or fit.ssr <= NO_SPREAD * np.sum(y[learners] ** 2):
        sites.loc[present, "note"] = _FLAT
        return nothing
    # the fitted value at the average site: a site's own share is that of all, by the people learnt from
    matrix = design.matrix.copy()
    matrix[:, : len(present)] = matrix[learners, : len(present)].mean(axis=0)
    expected, spread = matrix @ fit.coefficients, np.sqrt(fit.ssr / learners.sum())
    own = pd.Series((y - expected)[learners] / spread).groupby(people.loc[learners, plan.site].to_numpy())
    sites.loc[present, "n"] = own.size()
    sites.loc[present, "location"] = own.mean()
    sites.loc[present, "variance"] = own.var()
    # a site whose values the covariates explain to the last one has no spread to be scaled by
    exact = sites["variance"] <= NO_SPREAD
    sites.loc[exact, ["location", "variance", "note"]] = np.nan, np.nan, _FLAT
    if blind:
        of_group = np.array([name == "group" for name in design.terms])
        of_group[: len(present)] = False  # a site may be called so
        matrix[:, of_group] = matrix[learners][:, of_group].mean(axis=0)
        expected = matrix @ fit.coefficients
    return _Fit(pd.Series(expected, people.index), spread, sites)


def _effects(modalities: Sequence[str], fits: Sequence[_Fit]) -> list[pd.DataFrame]:
    """What each site does to each measure, by site: n, shift (in the measure's unit), scale and note."""
    if not fits:
        return []
    parts = [fit.sites.assign(modality=name, spread=fit.spread) for name, fit in zip(modalities, fits, strict=True)]
    table = pd.concat(parts, keys=range(len(parts)), names=["fit", "site"])
    for _, own in table[table["location"].notna()].groupby(["modality", "site"]):
        if len(own) < 2:
            table.loc[own.index, "note"] = "not pooled: no other measure of the modality"
        else:
            shrunk = _shrink(*(own[name].to_numpy(float) for name in ("n", "location", "variance")))
            table.loc[own.index, ["location", "variance"]] = np.column_stack(shrunk)
    alone = table["note"] == _ALONE
    table["shift"] = (table["location"] * table["spread"]).mask(alone, 0.0)
    table["scale"] = np.sqrt(table["variance"]).mask(alone, 1.0)
    return [table.loc[number] for number in range(len(parts))]


def _shrink(n: np.ndarray, location: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior locations and variances of one site's measures, shape (m,) each, m at least 2.

    Locations have a normal prior, variances an inverse gamma, both by the method of moments over
    the measures (Johnson et al. 2007, section 3). Written with the prior's moments in place of
    its parameters, so that measures that agree, an infinitely sharp prior, divide by nothing.
    """
    centre, width = location.mean(), location.var(ddof=1)
    mean, spread = variance.mean(), variance.var(ddof=1)
    shift, scale = location, variance
    for _ in range(_STEPS):
        before = shift, scale
        shift = (width * n * location + scale * centre) / (width * n + scale)
        squares = (n - 1) * variance + n * (location - shift) ** 2
        scale = (spread * squares / 2 + mean * (spread + mean**2)) / (spread * (n / 2 + 1) + mean**2)
        if max(np.abs(np.subtract(before, (shift, scale))).max(axis=1)) < _CONVERGED:
            break
    return shift, scale


def _report(
    key: dict[str, str], sites: pd.DataFrame, owners: pd.Series, missing: pd.Series
) -> list[dict[str, str | int | float]]:
    """Rows of the report of one measure; ``missing`` says why, by participant_id."""
    rows = []
    for name, site in sites.iterrows():
        reasons = missing[owners[missing.index] == name]
        notes = [site["note"], *count_reasons("left out", reasons[reasons != site["note"]])]
        rows.append(
            key
            | {"site": name, "n_learnt": site["n"], "n_harmonised": int((owners == name).sum()) - len(reasons)}
            | {"n_missing": len(reasons), "shift": site["shift"], "scale": site["scale"]}
            | {"note": "; ".join(filter(None, notes))}
        )
    return rows
