"""Numbers that stand for a missing value in many tables."""

import pandas as pd

_CODES = {-99.0, -999.0, -9999.0, 888.0, 999.0, 8888.0, 9999.0}
_FAR = 5.0  # times the largest of the others


def codes_for_missing(values: pd.Series) -> pd.Series:
    """Which values are such codes, boolean, told by what they are and by how far they lie from all others.

    Parameters
    ----------
    values : Series
        Numbers, NaN where missing.
    """
    coded = values.isin(_CODES)
    others = values[~coded].dropna()
    if others.empty:
        return coded & False
    below = (values < 0) & (others.min() >= 0)
    return coded & (below | (values.abs() > _FAR * others.abs().max()))
