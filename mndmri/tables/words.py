"""Display of names and numbers: measures, regions, sides, units, intervals, p-values."""

import math
from collections.abc import Sequence

_NAMED = 8  # participants named on a line; of more, the number

_ACRONYMS = {
    "fa": "FA",
    "md": "MD",
    "ad": "AD",
    "rd": "RD",
    "fd": "FD",
    "cst": "CST",
    "csa": "CSA",
    "c1c2": "C1–C2",
    "lr": "left-right",
    "ap": "front-back",
    "cc": "CC",
    "plic": "PLIC",
    "gm": "GM",
    "wm": "WM",
    "csf": "CSF",
    "tiv": "TIV",
    "swi": "SWI",
    "qsm": "QSM",
    "dwi": "DWI",
    "t1w": "T1w",
    "t2w": "T2w",
    "flair": "FLAIR",
    "chi": "χ",
    "umn": "UMN",
    "alsfrs": "ALSFRS",
    "roc": "ROC",
    "sd": "SD",
    "mni": "MNI",
    "roi": "ROI",
}
_SIDES = {
    "L": "left",
    "R": "right",
    "both": "",
    "contra": "contralateral to onset",
    "ipsi": "ipsilateral to onset",
    "mean": "mean of sides",
}
_UNITS = {"1": "", "1e-3 mm2/s": "10⁻³ mm²/s", "mm3": "mm³", "mm2": "mm²"}
_TESTS = {
    "ancova": "ANCOVA",
    "ancova_welch": "adjusted difference",
    "ancova_contrast": "adjusted difference, one variance",
    "ancova_hc3": "adjusted difference, HC3",
    "anova": "ANOVA",
    "kruskal": "Kruskal-Wallis",
    "paired_t": "paired t",
    "paired_t_asymmetry": "paired t, without the asymmetry of left and right",
    "dunn": "Dunn",
    "chi2": "χ²",
    "fisher_freeman_halton": "Fisher-Freeman-Halton",
}
# The contrast, in the comparisons table, of a test over all groups at once
OMNIBUS = "group"
MISSING = "n/a"
_ENDLESS = 1e6  # an interval as wide as this has no decimals, and too many digits before them
_MINUS = "\N{MINUS SIGN}"


def readable(name: str) -> str:
    """Name of a measure, region or column for a reader: ``cst_plic`` is ``CST PLIC``."""
    return " ".join(_ACRONYMS.get(word.lower(), word) for word in str(name).split("_") if word)


def capitalised(text: str) -> str:
    """Text with a capital at its start, the rest as it is; χ and acronyms stay as they are."""
    first = text.split(" ", 1)[0].rstrip(",:")
    return text if first in _ACRONYMS.values() else text[:1].upper() + text[1:]


def readable_place(region: str, hemi: str) -> str:
    """Region with its side: ``precentral``, ``L`` is ``precentral, left``."""
    side = _SIDES.get(hemi, hemi)
    return f"{readable(region)}, {side}" if side else readable(region)


def readable_unit(unit: str | float) -> str:
    """Unit for a reader; the empty string for a ratio, a fraction, or where it is missing (NaN)."""
    return "" if isinstance(unit, float) else _UNITS.get(str(unit), str(unit))


def readable_test(test: str) -> str:
    """Name of a statistical test for a reader."""
    return _TESTS.get(test, readable(test))


def readable_number(value: float, *, digits: int = 3) -> str:
    """Number with that many significant digits; ``n/a`` if it is missing."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{decimals}f}" if 1e-4 <= abs(value) < 1e6 else f"{value:.{digits - 1}e}"
    return text.replace("-", _MINUS)


def readable_interval(estimate: float, low: float, high: float) -> str:
    """Estimate and its interval, ``0.120 [0.020, 0.220]``, to three digits of the interval's width.

    So many that rounding does not carry an end of the interval onto zero unseen.
    """
    if not math.isfinite(estimate):
        return MISSING
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{readable_number(estimate)} [{MISSING}]"
    width = high - low
    if width >= _ENDLESS:
        return f"{readable_number(estimate)} [{readable_number(low)}, {readable_number(high)}]"
    decimals = min(max(2 - math.floor(math.log10(width)), 0), 6) if width > 0 else 3
    shown = [f"{round(v, decimals) + 0.0:.{decimals}f}".replace("-", _MINUS) for v in (estimate, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def readable_level(alpha: float) -> str:
    """Name of the intervals of a study: ``95% CI`` at an alpha of 0.05."""
    return f"{100 * (1 - alpha):.4g}% CI"


def readable_p(p: float) -> str:
    """p-value to three decimals, ``<0.001`` below them."""
    if p is None or not math.isfinite(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def name_people(people: Sequence[str]) -> str:
    """Participants on one line: the first by name, of more the number."""
    more = len(people) - _NAMED
    return ", ".join(people[:_NAMED]) + (f" and {more} more" if more > 0 else "")
