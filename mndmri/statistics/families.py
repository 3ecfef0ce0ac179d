"""Families of tests that are corrected together."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from mndmri.statistics.samples import KEY


def holm(p: np.ndarray) -> np.ndarray:
    """Step-down corrected p of a family (Holm 1979, Scand J Stat 6:65)."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    stepped = np.empty(len(p))
    stepped[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return stepped


def corrected(table: pd.DataFrame, family: list[str], correct: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """Corrected p within each family, over the tests that have one; without columns to tell them apart it is one."""
    known = table[table["p"].notna()].astype({"p": float})
    return known.groupby(family or np.zeros(len(known)))["p"].transform(lambda p: correct(p.to_numpy())).astype(float)


def is_primary(table: pd.DataFrame, primary: Sequence[Mapping[str, str]] | None) -> np.ndarray:
    """Which rows are of a primary measure, boolean; all of them where none is named."""
    if primary is None:
        return np.ones(len(table), bool)
    chosen = np.zeros(len(table), bool)
    for wanted in primary:
        chosen |= np.logical_and.reduce([table[k] == wanted[k] for k in KEY if k in wanted])
    return chosen
