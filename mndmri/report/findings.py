"""What a study found, in a few sentences that say no more than its tables."""

from itertools import permutations

import pandas as pd

from mndmri.report.pages import compared_groups
from mndmri.tables.measures import KEY
from mndmri.tables.words import (
    OMNIBUS,
    readable,
    readable_interval,
    readable_level,
    readable_p,
    readable_place,
    readable_test,
    readable_unit,
)


def describe_findings(
    comparisons: pd.DataFrame, signs: pd.DataFrame | None = None, *, alpha: float = 0.05
) -> list[str]:
    """How many primary comparisons are confirmed, and which; and in how many the motor band sign is present.

    Parameters
    ----------
    comparisons : DataFrame
        ``comparisons.tsv`` of the study, all rows. Those of pairs of groups that are primary and reported count.
    signs : DataFrame, optional
        ``motor_band_sign.tsv``.
    alpha : float
        A comparison is confirmed if its ``p_confirmatory`` is at most this. One minus the coverage of the intervals.

    Returns
    -------
    list of str
        Sentences.
    """
    return _compared(comparisons, alpha=alpha) + ([] if signs is None else _signs(signs, alpha=alpha))


def _compared(comparisons: pd.DataFrame, *, alpha: float) -> list[str]:
    groups = compared_groups(comparisons)
    if len(groups) < 2:
        return [
            f"One group was studied ({groups[0]}): there is no comparison." if groups else "There is no comparison."
        ]
    # all patients together are no pair, and in no family
    minus = {f"{first}-{second}": f"{first} minus {second}" for first, second in permutations(groups, 2)}
    chosen = (comparisons["primary"] == "yes") & (comparisons["reported"] == "yes")
    family = comparisons[chosen & comparisons["contrast"].isin(minus)]
    if family.empty:
        return ["No primary measure was compared: every result is exploratory."]
    tested = family[family["p_confirmatory"].notna()]
    untested = len(family) - len(tested)
    lacking = [f"{_comparisons(untested)} could not be computed; the notes of the table say why."] if untested else []
    if tested.empty:
        return ["No primary comparison could be computed: nothing is confirmed.", *lacking]
    of = f"{_comparisons(len(tested))} ({_number(len(tested[KEY].drop_duplicates()), 'measure')}, "
    of += f"{_number(tested['contrast'].nunique(), 'pair')} of groups)"
    level = f"at α = {alpha:g}, corrected over all of them"
    confirmed = tested[tested["p_confirmatory"] <= alpha]
    if confirmed.empty:
        return [
            f"Of {of}, none is confirmed {level}.",
            "This does not show that groups are equal; the intervals give the differences compatible with the data.",
            *lacking,
        ]
    found = "; ".join(_finding(row, minus[row["contrast"]]) for _, row in confirmed.iterrows())
    are = "is" if len(confirmed) == 1 else "are"
    rest = ["That the others are not confirmed does not show that groups are equal."]
    return [
        f"Of {of}, {len(confirmed)} {are} confirmed {level} (difference [{readable_level(alpha)}]): {found}.",
        *(rest if len(confirmed) < len(tested) else []),
        *lacking,
    ]


def _finding(row: pd.Series, contrast: str) -> str:
    place, unit = readable_place(row["region"], row["hemi"]), readable_unit(row["unit"])
    difference = readable_interval(row["estimate"], row["ci_low"], row["ci_high"])
    return (
        f"{readable(row['modality'])} {readable(row['measure'])}, {place}, {contrast} {difference}"
        f"{f' {unit}' if unit else ''}, p confirmatory {readable_p(row['p_confirmatory'])}"
    )


def _signs(signs: pd.DataFrame, *, alpha: float) -> list[str]:
    """A sentence for each source of the sign by which somebody could be judged."""
    sentences = []
    for source, rows in signs.groupby("source", sort=False):
        counts = rows[rows["test"].isna() & (rows["n_assessable"] > 0)]
        if counts.empty:
            continue
        shares = [
            f"{row.group} {row.n_present:.0f} of {row.n_assessable:.0f} "
            f"({readable_interval(row.percent, row.ci_low, row.ci_high)}%)"
            for row in counts.itertuples()
        ]
        omnibus = rows[(rows["contrast"] == OMNIBUS) & rows["p"].notna()]
        tests = [
            f"; all groups: {'exact ' if row.test.startswith('fisher') else ''}p {_relation(row.p)} "
            f"({readable_test(row.test)}, not corrected)"
            for row in omnibus.itertuples()
        ]
        sentences.append(
            f"Motor band sign ({source}), of those assessable (percent [{readable_level(alpha)}]): "
            f"{', '.join(shares)}{''.join(tests)}."
        )
    return sentences


def _relation(p: float) -> str:
    shown = readable_p(p)
    return shown.replace("<", "< ") if shown.startswith("<") else f"= {shown}"


def _comparisons(n: int) -> str:
    return _number(n, "primary comparison")


def _number(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
