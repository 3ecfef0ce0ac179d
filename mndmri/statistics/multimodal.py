"""Classification of the groups by all primary measures together, evaluated by cross-validation."""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import linalg, special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from mndmri.statistics.auc import TINY, auc_interval
from mndmri.statistics.combat import fit_combat
from mndmri.statistics.contrasts import Contrast, list_contrasts
from mndmri.statistics.models import COLLINEAR, covariate_columns
from mndmri.statistics.samples import (
    KEY,
    NO_OTHERS,
    NO_SPREAD,
    count_reasons,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
)
from mndmri.tables.dictionaries import dictionary

FOLDS = 5
FEWEST = FOLDS  # people of each class: with fewer, some fold has none of them to judge
_NO_CONTROLS = "controls, in whom the effects of covariates are learnt"
FEWEST_VALUES = 3  # of a feature in each class; who lacks it is taken to be average
_ridge = partial(LogisticRegression, solver="newton-cholesky", tol=1e-8)
INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)  # C of scikit-learn, for standardised features
# Variance of a cross-validated AUC over that of a score fixed beforehand. Models that share their training are
# wrong together, which no estimate from the folds themselves can see (Bengio and Grandvalet 2004, JMLR 5:1089).
# In simulated studies (5 to 80 a class, AUC 0.5 to 0.96, 1 to 8 sites) it was 0.9 to 2.0. With 2, intervals of 95%
# held the truth in 95% to 99.6% of them; with 1, as of a fixed score, in 83% to 96%.
SHARED_TRAINING = 2.0
LARGEST = 30  # logarithm of odds, beyond which a probability is 0 or 1 but for rounding
REPEATED, BY_SITE = f"repeated {FOLDS}-fold", "site held out"

_PERFORMANCE = {
    "contrast": "The two groups; the first is the positive class.",
    "scheme": f"{REPEATED}: stratified cross-validation, each fold predicted by a model of the other folds, repeated. "
    f"{BY_SITE}: each site predicted by a model of the other sites.",
    "n_positive": "Predicted participants of the first group.",
    "n_negative": "Predicted participants of the second group.",
    "n_missing": "Excluded participants of these groups: no primary measure, no covariate, or (site held out) no site.",
    "n_features": "Primary measures in the model.",
    "auc": "Probability that a participant of the first group has a higher score than one of the second, for pairs "
    "predicted by the same model and, where the study names sites, of the same site. It applies to models "
    "trained on as many participants.",
    "auc_ci_low": "Lower confidence limit, for sampling of both training and test participants; Newcombe's method 5, "
    "with "
    f"{SHARED_TRAINING} times the variance of a fixed score.",
    "auc_ci_high": "Upper confidence limit.",
    "auc_covariates": "The same for a model of the covariates alone. Above 0.5, the groups differ in them, and part of "
    "the AUC of the index may be residual confounding.",
    "balanced_accuracy": "Mean of sensitivity and specificity, positive where the probability exceeds the proportion "
    "of "
    "positives in the training data.",
    "brier": "Mean squared difference of probability and outcome; p (1 - p) for a constant prediction of the "
    "prevalence p.",
    "calibration_intercept": "Log odds by which the probabilities are too low; 0 is ideal.",
    "calibration_slope": "Slope of the outcome's log odds on the predicted; below 1, predictions are too extreme. "
    "Without an interval, because known methods covered the truth in half of simulated small studies. With an AUC "
    "near 0.5 it has "
    "no meaning (in pure noise its median is below 0).",
    "note": "Excluded participants, excluded measures and missing numbers, with the reasons.",
}
_PREDICTIONS = {
    "participant_id": "Participant.",
    "group": "The participant's group.",
    "contrast": _PERFORMANCE["contrast"],
    "scheme": _PERFORMANCE["scheme"],
    "outcome": "1 for the contrast's first, 0 for its second.",
    "probability": "Probability of the contrast's first group, at its prevalence in the study; mean over repeats, "
    "from models "
    "trained without this participant.",
    "n_features_missing": "Features missing in this participant and imputed by the mean.",
    "note": "Why there is no probability.",
}
_FEATURES = {
    "contrast": _PERFORMANCE["contrast"],
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "n": "Participants of the contrast with a value.",
    "coefficient": "Log odds for one standard deviation of the adjusted measure, in the model of all participants. It "
    "describes the "
    "index, not its accuracy, and is not used for predictions.",
    "coefficient_mean": f"Mean of the coefficient over the models of the {REPEATED} scheme.",
    "coefficient_sd": "Its standard deviation over them.",
    "coefficient_low": "Its percentile at half alpha over them: a measure of stability, not a confidence limit.",
    "coefficient_high": "Its percentile at one minus half alpha.",
    "auc_drop": "Decrease of the AUC when this feature is missing in the predicted participants, the models being "
    "unchanged. "
    "Information shared with other features is not lost.",
    "auc_drop_modality": "Decrease of the AUC when every feature of its modality is missing.",
    "note": "Why it is not in the model.",
}


class MultimodalIndex(NamedTuple):
    """Three tables; `multimodal_index_dictionaries` explains their columns."""

    performance: pd.DataFrame  # a row for each contrast and scheme
    predictions: pd.DataFrame  # for each contrast, scheme and person
    features: pd.DataFrame  # for each contrast and feature


class _Task(NamedTuple):
    """What one contrast rests on: its own people with data, and the reference group."""

    people: pd.DataFrame
    values: pd.DataFrame  # (n, p), NaN is missing
    covariates: np.ndarray  # (n, c)
    own: list[np.ndarray]  # of each feature, (n, c of its own); NaN is missing
    y: np.ndarray  # (n,): 1 the contrast's first, 0 its second, -1 the reference group of a contrast without it
    normal: np.ndarray  # (n,): is of the reference group
    left_out: pd.DataFrame  # the contrast's other people: group, outcome, and a note why
    dropped: dict[tuple[str, ...], str]  # features, why
    problem: str | None
    sites: pd.Series | None  # by participant_id; people of different sites are not compared
    combat: Mapping[str, Any] | None  # options of `fit_combat`, where sites are harmonised


class _Judged(NamedTuple):
    """What models said of people they had not seen."""

    odds: np.ndarray  # (repeats, n), logarithm, NaN where nobody judged
    share: np.ndarray  # (repeats, n), of positives in training
    auc: np.ndarray  # (1 + p + p + 1,): of all features, without each, without each's modality, of the covariates
    coefficients: np.ndarray  # (fits, p)


def multimodal_index_dictionaries() -> dict[str, dict[str, Any]]:
    """BIDS data dictionaries of the tables of a `MultimodalIndex`, by its fields."""
    return {
        "performance": dictionary("How well the primary measures together separate the groups", _PERFORMANCE),
        "predictions": dictionary("The index of every participant, from models fitted without them", _PREDICTIONS),
        "features": dictionary("What each measure adds to the index", _FEATURES),
    }


def multimodal_index(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    primary: Sequence[Mapping[str, str]],
    covariates: Sequence[str] = ("age", "sex"),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    site: str | None = None,
    harmonise: Literal["none", "combat", "combat_controls"] = "none",
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    n_repeats: int = 10,
    seed: int = 0,
    alpha: float = 0.05,
) -> MultimodalIndex:
    """Classification of the groups of each contrast by the primary measures together, cross-validated.

    A logistic regression with an L2 penalty. Everything it needs is learnt from the training people:
    the covariates' effects (least squares within the reference group, so that no disease is taken for
    age), mean and standard deviation, the penalty (by log loss in inner folds). A missing value is
    taken to be average. That it is missing is not told to the model: who cannot lie still in a scanner
    is seldom a control, and would be known by it.

    Parameters
    ----------
    measures, participants, groups, reference, contrasts, pooled
        As in `compare_groups`.
    primary : sequence of mapping
        The features: each names a modality, measure, region and hemi, or some of these.
    covariates : sequence of str
        Columns of ``participants``; the site is passed over. Who lacks one is left out.
    measure_covariates : mapping
        More of them for some features, as in `mndmri.tables.covariates.covariates_of`; learnt like the others. The
        feature of who lacks one is missing.
    site : str, optional
        Column of ``participants``. People of one site are compared only, and each site is also judged
        by the others.
    harmonise : {"none", "combat", "combat_controls"}
        Whether the sites' effects are taken out of the measures, which are given as they were measured:
        learnt in each fold from its training people, or from the controls among them. A site held out
        has nobody to learn from, and is judged as measured, by models of the others as measured.
    n_repeats : int
        Of the folds, at least 1. The standard deviation of the AUC by their chance is about
        0.1 / sqrt(n_repeats) in 25 people.
    seed : int
        Of the folds.
    alpha : float
        One minus the coverage of the intervals.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.

    Notes
    -----
    Scores of different folds are not compared: a person held out moves the training mean away, which
    in pooled scores brings the AUC of pure noise from 0.50 down to 0.44 (13 and 10 people), and the
    DeLong interval of the pooled scores holds the truth in 65% to 92% of studies, not 95%. Calibration,
    which must pool, leans the same way.

    Adjustment is as good as the reference group is large. In groups that differ by 1 SD of age, features
    without any difference reach an AUC of 0.58 (13 and 10 people) or 0.57 (40 and 30): see `auc_covariates`.

    References
    ----------
    Pooled scores: Airola et al. 2010, JMLR W&CP 8:3. Interval: Newcombe 2006, Stat Med 25:559.
    Calibration: Van Calster et al. 2019, BMC Med 17:230.
    """
    covariates = [name for name in covariates if name != site]  # one that is held out has no effect to be learnt
    own = own_columns(participants, measure_covariates)
    wanted = dict.fromkeys([*covariates, *([site] if site else []), *own])
    people = select_people(participants, groups=groups, covariates=list(wanted))
    known = {tuple(m.key.values()): m.values for m in each_measure(measures, people)}
    parts = {key: set(zip(KEY, key, strict=True)) for key in known}
    chosen = {tuple(w.values()): [key for key in known if parts[key] >= set(w.items())] for w in primary}
    values = pd.DataFrame({key: known[key] for keys in chosen.values() for key in keys}, people.index)
    notes = [f"not measured: {' '.join(name)}" for name, keys in chosen.items() if not keys]
    notes += [f"constant, not adjusted for: {name}" for name in covariates if people[name].nunique() < 2]
    performance, predictions, features = [], [], []
    for contrast in list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled):
        task = _take_task(
            contrast, people, values, reference=reference, covariates=covariates, chosen=measure_covariates, site=site
        )
        schemes = {REPEATED: _repeated_folds(task, n_repeats, seed)}
        if site:
            schemes[BY_SITE] = _site_folds(task, site)
        for scheme, folds in schemes.items():
            combat = None if scheme == BY_SITE or harmonise == "none" else _combat_options(harmonise, covariates, site)
            task = task._replace(combat=combat)
            judged = _judge(task, folds, seed) if folds else None
            named = {"contrast": contrast.name, "scheme": scheme}
            row = named | _performance(task, folds, judged, scheme, alpha)
            performance.append(row | {"note": "; ".join([*row["note"], *notes])})
            predictions += [named | line for line in _predictions(task, judged)]
            if scheme == REPEATED:
                features += [{"contrast": contrast.name} | line for line in _features(task, judged, seed, alpha)]
    tables = ((performance, _PERFORMANCE), (predictions, _PREDICTIONS), (features, _FEATURES))
    return MultimodalIndex(*(pd.DataFrame(rows, columns=list(columns)) for rows, columns in tables))


def calibration(y: np.ndarray, odds: np.ndarray) -> tuple[float, float]:
    """Intercept at a slope of 1, and slope, of outcomes y (n,) on the logarithm of predicted odds (repeats, n)."""
    outcome, predicted = np.tile(y, len(odds)), odds.ravel()
    constant, family = np.ones_like(predicted), sm.families.Binomial()
    intercept = sm.GLM(outcome, constant, family, offset=predicted).fit().params[0]
    slope = sm.GLM(outcome, np.column_stack([constant, predicted]), family).fit().params[1]
    return float(intercept), float(slope)


def _take_task(
    contrast: Contrast,
    people: pd.DataFrame,
    values: pd.DataFrame,
    *,
    reference: str | None,
    covariates: Sequence[str],
    chosen: Mapping[str, Sequence[str]],
    site: str | None,
) -> _Task:
    # the covariates' effects are learnt in the controls; in nobody, where the study has none
    sides = [contrast.left, contrast.right, *([(reference or _NO_CONTROLS,)] if covariates else [])]
    people = people[people["group"].isin([name for side in sides for name in side])]
    values = values.reindex(people.index)
    of_feature = {}
    for key in values:
        names, _ = covariates_for(dict(zip(KEY, key, strict=True)), people, covariates=[], chosen=chosen)
        of_feature[key] = [name for name in names if name not in covariates]
        values[key] = values[key].where(people[of_feature[key]].notna().all(axis=1))
    reasons = pd.Series("", people.index)
    for name in reversed(covariates):
        reasons[people[name].isna()] = f"no {name}"
    if site:
        reasons[(reasons == "") & people[site].isna()] = f"no {site}"
    present = values.notna().mul(reasons == "", axis=0)
    classes = {" and ".join(side): people["group"].isin(side) for side in sides}
    dropped = {}
    for key in values:
        few = [name for name, own in classes.items() if present.loc[own, key].sum() < FEWEST_VALUES]
        column = values.loc[present[key], key]
        if few:
            dropped[key] = f"fewer than {FEWEST_VALUES} values in {', '.join(few)}"
        elif np.ptp(column) <= NO_SPREAD * column.abs().max():
            dropped[key] = "every value is the same"
    kept = [key for key in values if key not in dropped]
    reasons[(reasons == "") & ~present[kept or list(values)].any(axis=1)] = "no primary measure"
    known = reasons == ""
    sizes = {name: int((own & known).sum()) for name, own in classes.items()}
    problem = None
    if few := [f"{name} ({size})" for name, size in sizes.items() if size < FEWEST]:
        problem = f"too few: {', '.join(few)}; {FEWEST} are needed"
    elif not kept:
        problem = f"no primary measure has {FEWEST_VALUES} values in each group, and not all the same"
    if site and not problem and not any(min(own) for own in _strata(people, contrast, known, site)):
        problem = f"no {site} has both groups, and people of different ones are not compared"
    y = np.select([people["group"].isin(contrast.left), people["group"].isin(contrast.right)], [1, 0], -1)
    people = people.assign(outcome=y, note=reasons)
    left_out = people.loc[~known & (y >= 0), ["group", "outcome", "note"]]
    people = people[known]
    x, normal = _covariate_matrix(people[list(covariates)]), (people["group"] == reference).to_numpy()
    own = [_covariate_matrix(people[of_feature[key]]) for key in kept]
    sites = people[site].astype(str) if site else None
    return _Task(people, values.loc[known, kept], x, own, y[known], normal, left_out, dropped, problem, sites, None)


def _strata(people: pd.DataFrame, contrast: Contrast, known: pd.Series, site: str) -> list[tuple[int, int]]:
    """People of each group of the contrast at each site."""
    own = people[known]
    sides = (own["group"].isin(names) for names in (contrast.left, contrast.right))
    first, second = (side.groupby(own[site]).sum() for side in sides)
    return list(zip(first.astype(int), second.astype(int), strict=True))


def _combat_options(harmonise: str, covariates: Sequence[str], site: str | None) -> dict[str, Any]:
    return {"site": site, "preserve": list(covariates), "by_group": harmonise == "combat"}


def _covariate_matrix(covariates: pd.DataFrame) -> np.ndarray:
    """Columns of the covariates with a mean of 0 and a spread of 1, shape (n, c)."""
    columns = [covariate_columns(covariates[name]).to_numpy() for name in covariates]
    matrix = np.hstack([np.empty((len(covariates), 0)), *columns])
    return StandardScaler().fit_transform(matrix) if matrix.size else matrix


def _repeated_folds(task: _Task, n_repeats: int, seed: int) -> list[tuple[int, np.ndarray]]:
    """Of each fold the repeat, and who is held out."""
    if task.problem:
        return []
    judged = np.flatnonzero(task.y >= 0)
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=n_repeats, random_state=seed)
    # each fold has its share of each class at each site, so that there are pairs to compare
    labels = task.y[judged].astype(str).astype(object)
    if task.sites is not None:
        labels = labels + " " + task.sites.iloc[judged].to_numpy(object)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = list(splitter.split(judged, labels.astype(str)))
    return [(i // FOLDS, np.isin(np.arange(len(task.y)), judged[test])) for i, (_, test) in enumerate(splits)]


def _site_folds(task: _Task, site: str) -> list[tuple[int, np.ndarray]]:
    """Of each site that the others can judge, who is there; none if fewer than two have both classes."""
    sites = task.people[site]
    folds = [(0, (sites == name).to_numpy()) for name in sorted(sites.dropna().unique(), key=str)]
    folds = [(0, out) for _, out in folds if min(_sizes(task.y[~out])) >= FEWEST and (task.y[out] >= 0).any()]
    both = sum(min(_sizes(task.y[out])) > 0 for _, out in folds)  # only these have pairs
    return folds if both >= 2 and not task.problem else []


def _sizes(y: np.ndarray) -> tuple[int, int]:
    """Positives and negatives."""
    return int((y == 1).sum()), int((y == 0).sum())


def _judge(task: _Task, folds: Sequence[tuple[int, np.ndarray]], seed: int) -> _Judged:
    """What the models of the other folds say of each."""
    n, p = task.values.shape
    modality = task.values.columns.get_level_values(0).to_numpy()
    withheld = np.hstack([np.zeros((p, 1)), np.eye(p), modality[:, None] == modality])
    odds = np.full((1 + max(repeat for repeat, _ in folds), n), np.nan)
    share = odds.copy()
    ordered, pairs, coefficients = np.zeros(2 * p + 2), 0, []
    for repeat, out in folds:
        test, train = out & (task.y >= 0), ~out & (task.y >= 0)
        z, model = _fit(task, train, ~out & task.normal, seed)
        score = model.decision_function(z[test])
        odds[repeat, test] = score.clip(-LARGEST, LARGEST)
        share[repeat, test] = task.y[train].mean()
        coefficients.append(model.coef_[0])
        x = np.column_stack([task.covariates, np.zeros(n)])
        alone = LogisticRegression().fit(x[train], task.y[train]).decision_function(x[test])
        variants = score[:, None] - (z[test] * model.coef_[0]) @ withheld
        scores, positive = np.column_stack([variants, alone]), task.y[test] == 1
        for own in _same_site(task, test):
            ordered += ordered_pairs(scores[own], positive[own])
            pairs += math.prod(_sizes(task.y[test][own]))
    return _Judged(odds, share, ordered / pairs, np.array(coefficients))


def _same_site(task: _Task, chosen: np.ndarray) -> list[np.ndarray]:
    """Of the chosen people, those of each site, boolean; all of them where there are no sites."""
    if task.sites is None:
        return [np.ones(chosen.sum(), bool)]
    sites = task.sites[chosen].to_numpy()
    return [sites == name for name in np.unique(sites)]


def ordered_pairs(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Pairs of a positive and a negative in the right order, ties half; of each column of scores (n, k)."""
    ranks = stats.rankdata(np.round(scores, 9), axis=0)  # equal but for rounding is equal
    n = positive.sum()
    return ranks[positive].sum(axis=0) - n * (n + 1) / 2


def _fit(task: _Task, train: np.ndarray, normal: np.ndarray, seed: int) -> tuple[np.ndarray, LogisticRegression]:
    """Everybody's standardised features (n, p) as the training people define them, and the model."""
    values = _adjust(_harmonised(task, train | normal), task.covariates, task.own, normal)
    values = np.where(np.isfinite(values[train]).any(axis=0), values, 0.0)  # a scanner that none of them was in
    z = np.nan_to_num(StandardScaler().fit(values[train]).transform(values), nan=0.0)
    x, y = z[train], task.y[train]
    inner = StratifiedKFold(min(FOLDS, *_sizes(y)), shuffle=True, random_state=seed)
    splits = list(inner.split(x, y))

    def loss(inverse_penalty: float) -> float:
        total = 0.0
        for learnt, held in splits:
            odds = _ridge(C=inverse_penalty).fit(x[learnt], y[learnt]).decision_function(x[held])
            total += np.logaddexp(0, np.where(y[held] == 1, -odds, odds)).sum()
        return total

    return z, _ridge(C=min(INVERSE_PENALTIES, key=loss)).fit(x, y)


def _harmonised(task: _Task, training: np.ndarray) -> np.ndarray:
    """Values (n, p) less what the sites do, as the training people tell."""
    if task.combat is None or task.sites is None:
        return task.values.to_numpy()
    learners = training if task.combat["by_group"] else training & task.normal
    return (
        fit_combat(task.values, task.people, learners=learners, **task.combat)
        .transform(task.values, task.people[task.combat["site"]])
        .to_numpy()
    )


def _adjust(values: np.ndarray, shared: np.ndarray, own: Sequence[np.ndarray], normal: np.ndarray) -> np.ndarray:
    """Values (n, p) less what covariates explain in these people; NaN where they have none.

    The covariates are shared (n, c) and each column's own (n, c of its own).
    """
    residuals = np.full_like(values, np.nan)
    for column, others, residual in zip(values.T, own, residuals.T, strict=True):
        covariates = np.hstack([shared, others])
        if not covariates.size:
            residual[:] = column
            continue
        known = normal & np.isfinite(column) & np.isfinite(covariates).all(axis=1)
        if not known.any():
            continue
        # centred on them, so that a level none of them has leaves no mark
        x, y = covariates - covariates[known].mean(axis=0), column - column[known].mean()
        residual[:] = y - x @ linalg.lstsq(x[known], y[known], cond=COLLINEAR)[0]
        residual[np.abs(residual) <= TINY * np.nanmax(np.abs(column))] = 0  # rounding must not be standardised
    return residuals


def _performance(
    task: _Task, folds: Sequence[tuple[int, np.ndarray]], judged: _Judged | None, scheme: str, alpha: float
) -> dict[str, Any]:
    notes = count_reasons("left out", sorted(task.left_out["note"]))
    notes += [f"not in the model: {' '.join(key)} ({reason})" for key, reason in task.dropped.items()]
    row: dict[str, Any] = {"n_missing": len(task.left_out), "n_features": task.values.shape[1], "note": notes}
    if judged is None:
        notes.append(task.problem or f"fewer than two sites with both groups and {FEWEST} of each at the others")
        return row | dict(zip(("n_positive", "n_negative"), _sizes(task.y), strict=True))
    seen = np.isfinite(judged.odds[0])
    y = task.y[seen]
    if unseen := int((task.y >= 0).sum()) - len(y):
        notes.append(f"left out: no site, or too few at the others ({unseen})")
    if imputed := int(task.values[seen].isna().sum().sum()):
        notes.append(f"missing values taken to be average: {imputed} of {task.values[seen].size}")
    strata = [_sizes(y[own]) for own in _same_site(task, seen & (task.y >= 0))]
    strata = [sizes for sizes in strata if min(sizes)]
    odds = judged.odds[:, seen]
    probability = special.expit(odds)
    right = (probability > judged.share[:, seen]) == (y == 1)
    row |= dict(zip(("n_positive", "n_negative"), _sizes(y), strict=True)) | {"n_missing": len(task.left_out) + unseen}
    interval = auc_interval(float(judged.auc[0]), strata, alpha=alpha, inflation=SHARED_TRAINING)
    row |= dict(zip(("auc", "auc_ci_low", "auc_ci_high"), interval, strict=True))
    row["auc_covariates"] = judged.auc[-1] if task.covariates.size else np.nan
    row["balanced_accuracy"] = (right[:, y == 1].mean() + right[:, y == 0].mean()) / 2
    row["brier"] = ((probability - y) ** 2).mean()
    first, second = odds[:, y == 1], odds[:, y == 0]
    if first.min() > second.max() or first.max() < second.min():
        notes.append("calibration unknown: the predictions separate the groups wholly")
        return row
    row["calibration_intercept"], row["calibration_slope"] = calibration(y, odds)
    return row


def _predictions(task: _Task, judged: _Judged | None) -> list[dict[str, Any]]:
    own = task.y >= 0
    probability = special.expit(judged.odds[:, own]).mean(axis=0) if judged else np.full(own.sum(), np.nan)
    table = task.people.loc[own, ["group", "outcome"]].assign(probability=probability)
    table["n_features_missing"] = task.values[own].isna().sum(axis=1)
    table["note"] = np.where(np.isnan(probability), "not predicted: see the table multimodal_index", "")
    everyone = pd.concat([table, task.left_out]).sort_index()
    return everyone.rename_axis("participant_id").reset_index().to_dict("records")


def _features(task: _Task, judged: _Judged | None, seed: int, alpha: float) -> list[dict[str, Any]]:
    own = task.y >= 0
    rows = [dict(zip(KEY, key, strict=True)) | {"note": reason} for key, reason in task.dropped.items()]
    kept = pd.DataFrame(list(task.values), columns=KEY).assign(n=task.values[own].notna().sum().to_numpy())
    if judged is None:
        return [*kept.assign(note=task.problem).to_dict("records"), *rows]
    spread = judged.coefficients
    p = len(kept)
    kept["coefficient"] = _fit(task, own, task.normal, seed)[1].coef_[0]
    kept["coefficient_mean"], kept["coefficient_sd"] = spread.mean(axis=0), spread.std(axis=0, ddof=1)
    kept["coefficient_low"], kept["coefficient_high"] = np.quantile(spread, [alpha / 2, 1 - alpha / 2], axis=0)
    kept["auc_drop"] = judged.auc[0] - judged.auc[1 : p + 1]
    kept["auc_drop_modality"] = judged.auc[0] - judged.auc[p + 1 : 2 * p + 1]
    return [*kept.assign(note="").to_dict("records"), *rows]
