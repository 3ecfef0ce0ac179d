"""What of the statistics has been done: which tables hold a result, and of what."""

from collections.abc import Mapping

import pandas as pd

from mndmri.tables.measures import KEY

# Table, by the name of its file, to the column in which a result of it is a number
_RESULT = {
    "demographics": "p",
    "comparisons": "p",
    "classification": "auc",
    "marker_comparisons": "p",
    "multimodal_index": "auc",
    "correlations": "estimate",
    "sides": "p",
    "deviations": "w_score",
    "survival": "hazard_ratio",
    "longitudinal": "estimate",
    "repeatability": "within_sd",
    "trial": "n_per_arm",
    "influence": "estimate_low",
    "equivalence": "p_tost",
    "sensitivity": "estimate",
    "site_effects": "estimate",
    "profile_comparisons": "p",
}
# Table, to the columns whose values tell results of it apart, as in `analyses_done`
_PARTS = {
    "comparisons": ["test"],
    "correlations": ["method", "score"],
    "longitudinal": ["effect", "random"],
    "sensitivity": ["variant"],
}
# Table, to the column in which a result that is another one again has 0: where nobody was flagged, nobody was left out
_CHANGE = {"sensitivity": "change_percent"}
# Results that stand in further columns
_FURTHER = {
    "comparisons": ["p_permutation"],
    "longitudinal": ["p_permutation"],
    "classification": ["auc_adjusted", "sensitivity", "ppv"],
    "site_effects": ["mixed_estimate"],
}


def analyses_done(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """Names of the analyses that gave a number.

    Parameters
    ----------
    tables : mapping
        The group's tables by the names of their files; those that are none of results are passed over.

    Returns
    -------
    set of str
        Names of tables, ``table column`` for further columns with a number (as ``comparisons p_permutation``) and
        ``table value`` for tests, methods, scores and variants (as ``sensitivity unadjusted``).
    """
    done = set()
    for name, table in tables.items():
        if name not in _RESULT or _RESULT[name] not in table:
            continue
        known = table[table[_RESULT[name]].notna()]
        if name in _CHANGE:
            known = known[known[_CHANGE[name]] != 0]
        if known.empty:
            continue
        done.add(name)
        done |= {
            f"{name} {column}" for column in _FURTHER.get(name, []) if column in known and known[column].notna().any()
        }
        done |= {f"{name} {value}" for column in _PARTS.get(name, []) for value in known[column].dropna().unique()}
    return done


def primary_done(comparisons: pd.DataFrame, primary: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those of the primary measures of which a comparison has a result."""
    known = comparisons[comparisons["p"].notna()]
    keys = {tuple(key) for key in known[KEY].drop_duplicates().itertuples(index=False)}
    return [chosen for chosen in primary if tuple(chosen[name] for name in KEY) in keys]
