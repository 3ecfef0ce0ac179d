"""Sections of the group page after the comparisons, one for each kind of result."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from mndmri.report.pages import Picture, Section
from mndmri.tables.measures import DAMAGE_DIRECTION, KEY, NO_SCORE
from mndmri.tables.neuron import along_neuron
from mndmri.tables.visits import CLINICAL
from mndmri.tables.words import (
    MISSING,
    OMNIBUS,
    capitalised,
    readable,
    readable_interval,
    readable_level,
    readable_number,
    readable_p,
    readable_place,
    readable_test,
)

_Column = Callable[[pd.Series], object]
_SHOWN_DEVIATIONS = 15


def group_sections(
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, bytes],
    *,
    primary: Sequence[Mapping[str, str]],
    methods: str,
    alpha: float = 0.05,
    signs: Mapping[tuple[str, ...], int] = DAMAGE_DIRECTION,
) -> list[Section]:
    """Sections of the group page that have content.

    Parameters
    ----------
    tables : mapping
        The group's tables by the names of their files: ``balance``, ``motor_band_sign``,
        ``classification``, ``multimodal_index``, ``correlations``, ``sensitivity``,
        ``sides``, ``deviations`` (with the group of each), ``agreement``, ``decisions``, ``longitudinal``,
        ``visits``, ``repeatability``, ``trial``;
        some may be missing.
    pictures : mapping
        Name of a figure's file, without its ending, to the PNG: ``roc``, ``sites``, ``strip_<modality>``,
        ``correlation_<score>``, ``multimodal_index_<scheme>``. Others are ignored.
    primary : sequence of mapping
        Measures whose rows are shown, as in the config.
    methods : str
        Text for a paper.
    alpha : float
        One minus the coverage of the tables' intervals.
    signs : mapping
        Direction of damage of the measures, as `mndmri.tables.measures.directions` returns it.
    """
    chosen = pd.DataFrame(primary, columns=KEY)

    def drawn(start: str, caption: str) -> list[Picture]:
        found = {name: png for name, png in pictures.items() if name == start or name.startswith(f"{start}_")}
        return [Picture(capitalised(readable(name)), caption, png, wide=True) for name, png in found.items()]

    def shown(
        name: str, columns: Mapping[str, _Column], *, query: str = "", of_all: bool = False
    ) -> pd.DataFrame | None:
        table = tables.get(name)
        if table is None:
            return None
        keys = [] if of_all else [key for key in KEY if key in table.columns]
        rows = table.merge(chosen[keys].drop_duplicates(), on=keys) if keys else table
        rows = rows.query(query) if query else rows
        if rows.empty:
            return None
        return _cells(rows, columns, alpha=alpha)

    deviations = _of_primary(tables.get("deviations"), chosen)
    sections = [
        Section(
            "Decisions of the readers",
            "Excluded scans are n/a in every table and in no map.",
            _decision_table(tables.get("decisions"), alpha=alpha),
        ),
        Section(
            "Balance of the groups",
            "Differences other than the disease. SMD: standardised mean difference; 0.1 is small. Complete: "
            "balance.tsv.",
            shown("balance", {"variable": _of("variable"), "contrast": _of("contrast"), "result": _of("sentence")}),
        ),
        Section(
            "Motor band sign",
            "Intervals by Wilson’s method with continuity correction; exact tests are in motor_band_sign.tsv.",
            # a study without a gradient echo has no score, and nothing to say of it
            shown("motor_band_sign", _SIGN, query=f"test.isna() and not note.str.contains('{NO_SCORE}', na=False)"),
        ),
        Section(
            "Raters of the motor band",
            "Agreement of each pair of raters and of each rater with the automated score; κ weighted by squares. "
            "Complete, with linear weights and the limits of agreement: agreement.tsv.",
            _agreement_table(tables.get("agreement")),
        ),
        Section(
            "Unfolded central sulcus",
            "Deep layers of both banks, from leg to face, veins removed. A motor band is a dark (SWI) or paramagnetic "
            "(QSM) "
            "stretch of the precentral bank.",
            pictures=drawn("strip", "Means of the groups, and their differences from the reference group."),
        ),
        Section(
            "Classification by each primary measure",
            "Area under the ROC curve in the direction in which damage changes the measure, adjusted for covariates of "
            "this measure alone (volumes: head size), and of W-scores, adjusted for all. Predictive values are in "
            "classification.tsv, at statistics.prevalence.",
            shown("classification", _CLASSIFICATION),
            drawn("roc", "The first group of the contrast against the second."),
        ),
        Section(
            "Markers compared",
            "Areas of two primary measures, or of the motor band score and its human rating, in the same participants "
            "(DeLong). Complete: marker_comparisons.tsv.",
            shown("marker_comparisons", _MARKERS, query="p.notna()", of_all=True),
        ),
        Section(
            "Effect sizes of all measures",
            "Adjusted for the covariates and not corrected for multiple comparisons: descriptive only.",
            pictures=drawn("effect_sizes_all", "Adjusted g, first group of the contrast minus the second."),
        ),
        Section(
            "The motor neuron from cortex to cord",
            f"Adjusted g [{readable_level(alpha)}] of every measure with a known direction of damage, level by level, "
            "turned so that damage is positive; not corrected for multiple comparisons: descriptive only. All numbers: "
            "comparisons.tsv and deviations.tsv.",
            _neuron_table(tables.get("comparisons"), signs),
            drawn(
                "motor_neuron", "Groups with their intervals; every person’s W-scores where there are enough controls."
            ),
        ),
        Section(
            "Along the corticospinal tract",
            "profile_comparisons.tsv has the differences at every node, corrected over the nodes of both sides.",
            pictures=drawn("profile", "Means of the groups with their intervals, from the pons up to the cortex."),
        ),
        Section(
            "Multimodal index",
            "All primary measures in one model, evaluated by cross-validation.",
            shown("multimodal_index", _INDEX),
            drawn(
                "multimodal_index",
                "Predicted probability of each participant, from models trained without them, and calibration.",
            ),
        ),
        Section(
            "Clinical scores",
            "Spearman’s correlation within patients, of volumes adjusted for head size. Kendall’s tau, partial "
            "correlations and all other measures are in correlations.tsv.",
            shown("correlations", _CORRELATIONS, query="method == 'spearman'"),
            drawn("correlation", "Patients only."),
        ),
        Section(
            "Contralateral against ipsilateral to the side of onset",
            "Within patients, differences of the primary measures. Complete: sides.tsv.",
            shown("sides", _SIDES, query="test != 'signed_rank'"),
        ),
        Section(
            "Every person against the controls",
            _outside(deviations),
            _cells(_largest(deviations), _DEVIATIONS, alpha=alpha) if len(deviations) else None,
        ),
        Section("Sites", "", None, drawn("sites", "The groups compared within each site, and pooled.")),
        Section(
            "Sensitivity analyses of the primary comparisons",
            "Adjusted differences with other selections of participants and other covariates.",
            shown("sensitivity", _SENSITIVITY),
        ),
        Section(
            "Who decides the primary comparisons",
            "Adjusted differences with each participant left out in turn. Complete: influence.tsv; the assumptions of "
            "the models are tested in assumptions.tsv.",
            shown("influence", _INFLUENCE),
        ),
        Section(
            "Equivalence and detectable differences",
            "Two one-sided tests within statistics.equivalence_sd, and the difference found with a power of 80%. "
            "Complete: equivalence.tsv.",
            shown("equivalence", _EQUIVALENCE),
        ),
        Section(
            "Survival",
            "Hazard ratio of one standard deviation more, Cox’s model. Complete: survival.tsv.",
            shown("survival", _SURVIVAL),
        ),
        Section(
            "Change over the visits",
            "Slopes per year of the primary measures and of the scores, by a mixed model of all visits; intervals "
            "allow groups to vary differently. Of all measures: longitudinal.tsv; of every person: changes.tsv.",
            _change_table(tables.get("longitudinal"), alpha=alpha),
            drawn("visits", "Every person’s visits."),
        ),
        Section(
            "Who was seen when",
            "Sessions of the people of each group, and the scores at their first visit of those who have the study’s "
            "last session (stayed) and of those who do not (left).",
            _visit_table(tables.get("visits")),
        ),
        Section(
            "Scan and rescan",
            "Primary measures of people with two visits at most visits.rescan_months apart. Of all measures: "
            "repeatability.tsv.",
            shown("repeatability", _REPEATABILITY, query="within_sd.notna()"),
        ),
        Section(
            "Size of a trial",
            _trial_words(tables.get("trial")),
            _trial_table(tables.get("trial")),
        ),
        Section("Methods text for a paper", text=methods),
    ]
    return [s for s in sections if s.table is not None or s.pictures or s.text]


def _cells(rows: pd.DataFrame, columns: Mapping[str, _Column], *, alpha: float) -> pd.DataFrame:
    """Table of cells; a title names the level of its intervals by {ci}, or {ci_tost} for two one-sided tests."""
    levels = {"ci": readable_level(alpha), "ci_tost": readable_level(2 * alpha)}
    cells = {title: [cell(row) for _, row in rows.iterrows()] for title, cell in columns.items()}
    return pd.DataFrame({title.format(**levels): own for title, own in cells.items()})


def _neuron_table(comparisons: pd.DataFrame | None, signs: Mapping[tuple[str, ...], int]) -> pd.DataFrame | None:
    """Adjusted g towards damage at each level, of the reported pairs: a column a contrast."""
    if comparisons is None:
        return None
    pairs = comparisons[(comparisons["reported"] == "yes") & (comparisons["contrast"] != OMNIBUS)]
    rows = along_neuron(pairs, ["adjusted_g", "adj_g_ci_low", "adj_g_ci_high"], signs=signs)
    if rows.empty:
        return None
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    effect = _interval("adjusted_g", "adj_g_ci_low", "adj_g_ci_high")
    for _, row in rows.iterrows():
        line = (str(row["level"]), _measure(row), readable(row["modality"]))
        lines.setdefault(line, {})[str(row["contrast"])] = str(effect(row))
    names = ("level", "measure", "modality")
    return pd.DataFrame([dict(zip(names, line, strict=True)) | own for line, own in lines.items()]).fillna(MISSING)


def _change_table(table: pd.DataFrame | None, *, alpha: float) -> pd.DataFrame | None:
    """Slopes of primary measures and scores, and their differences."""
    if table is None:
        return None
    rows = table[(table["primary"] == "yes") | (table["modality"] == CLINICAL)]
    return None if rows.empty else _cells(rows, _CHANGE, alpha=alpha)


def _visit_table(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Visits of the groups, with mean and standard deviation of each score."""
    if table is None:
        return None
    cells = pd.DataFrame(
        {
            "group": table["group"],
            "people": table["people"],
            "sessions": table["sessions"].str.replace("ses-", ""),
            "n (%)": [f"{n} ({readable_number(share)})" for n, share in zip(table["n"], table["percent"], strict=True)],
        }
    )
    for name in (column.removesuffix("_mean") for column in table if column.endswith("_mean")):
        cells[f"{readable(name)} at first, mean (SD)"] = [
            f"{readable_number(mean)} ({readable_number(sd)})" if pd.notna(mean) else MISSING
            for mean, sd in zip(table[f"{name}_mean"], table[f"{name}_sd"], strict=True)
        ]
    return cells


def _trial_words(table: pd.DataFrame | None) -> str:
    """Which trials of the table are shown; the others are named."""
    text = "People an arm to see a decline that is slower; no drop-out is added."
    known = pd.DataFrame() if table is None else table.dropna(subset=["months", "power_percent"])
    if known.empty:
        return text
    months, power = sorted(known["months"].unique()), sorted(known["power_percent"].unique())
    return (
        f"{text} In {months[-1]:g} months, with a power of {power[0]:g}%. For {months[0]:g} months, and a power of "
        f"{power[-1]:g}%: trial.tsv."
    )


def _trial_table(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """A row for each measure and group, the slower declines beside each other."""
    if table is None:
        return None
    lines = []
    for _, own in table.groupby([*KEY, "group"], sort=False):
        line = {"measure": _measure(own.iloc[0]), "group": own["group"].iloc[0]}
        chosen = own[(own["months"] == own["months"].max()) & (own["power_percent"] == own["power_percent"].min())]
        for _, row in chosen.iterrows():
            high = f"{row['ci_high']:.0f}" if pd.notna(row["ci_high"]) else "∞"
            found = f"{row['n_per_arm']:.0f} [{row['ci_low']:.0f}, {high}]"
            line[f"{row['effect_percent']:.0f}% slower"] = found
        lines.append(line | {"note": _of("note")(own.iloc[0])})
    return pd.DataFrame(lines).fillna(MISSING) if lines else None


def _decision_table(table: pd.DataFrame | None, *, alpha: float) -> pd.DataFrame | None:
    """Decisions of the readers, a row each."""
    columns = ("participant_id", "modality", "decision", "reason", "rater", "date")
    return None if table is None else _cells(table, {readable(name): _of(name) for name in columns}, alpha=alpha)


def _agreement_table(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """A row for each comparison and area, with the statistics beside each other."""
    if table is None or table.empty:
        return None
    rows = []
    for (first, second, region, hemi), own in table.groupby(
        ["first", "second", "region", "hemi"], sort=False, dropna=False
    ):
        found = own.set_index("statistic")
        cells = {
            title: readable_interval(*found.loc[name, ["estimate", "ci_low", "ci_high"]]) if name in found.index else ""
            for title, name in (
                ("agreement (%)", "agreement"),
                ("κ", "kappa_quadratic"),
                ("ICC", "icc"),
                ("bias", "bias"),
            )
        }
        who = f"{first} and {second}" if isinstance(second, str) else first
        rows.append({"compared": who, "area": readable_place(region, hemi), "n": int(own["n"].iloc[0]), **cells})
    return pd.DataFrame(rows)


def _of_primary(deviations: pd.DataFrame | None, chosen: pd.DataFrame) -> pd.DataFrame:
    """W-scores of the primary measures, of those who have one."""
    if deviations is None:
        return pd.DataFrame()
    own = deviations.merge(chosen, on=KEY).dropna(subset="w_score")
    # a hemisphere that is primary by its side and by the side of onset is one value
    return own.drop_duplicates(["participant_id", "modality", "measure", "region", "value"])


def _largest(deviations: pd.DataFrame) -> pd.DataFrame:
    order = deviations["w_score"].abs().sort_values(ascending=False, kind="stable").index
    return deviations.loc[order[:_SHOWN_DEVIATIONS]]


def _outside(deviations: pd.DataFrame) -> str:
    """How many W-scores of each group lie outside the interval of 95%, in a sentence."""
    if deviations.empty:
        return ""
    beyond = ~deviations["percentile"].between(2.5, 97.5)
    counts = [
        f"{group} {int(own.sum())} of {len(own)}" for group, own in beyond.groupby(deviations["group"], sort=False)
    ]
    return (
        f"The {min(_SHOWN_DEVIATIONS, len(deviations))} largest W-scores of the primary measures. Outside the interval "
        f"of 95% of healthy people lie: {', '.join(counts)}; 5% of them would in healthy people. Complete: "
        "deviations.tsv."
    )


def _of(name: str) -> _Column:
    return lambda row: row[name] if pd.notna(row[name]) else ""


def _interval(name: str, low: str = "ci_low", high: str = "ci_high") -> _Column:
    return lambda row: readable_interval(row[name], row[low], row[high])


def _measure(row: pd.Series) -> str:
    return f"{readable(row['measure'])}, {readable_place(row['region'], row['hemi'])}"


def _text(cell: object) -> str:
    return str(cell) if pd.notna(cell) else MISSING


def _percentile(row: pd.Series) -> str:
    point, low, high = (readable_number(row[name], digits=2) for name in ("percentile", "pct_low", "pct_high"))
    return f"{point} [{low}, {high}]"


_SIGN: dict[str, _Column] = {
    "source": _of("source"),
    "group": _of("group"),
    "n": _of("n"),
    "assessable": _of("n_assessable"),
    "present": _of("n_present"),
    "percent [{ci}]": _interval("percent"),
    "note": _of("note"),
}
_CLASSIFICATION: dict[str, _Column] = {
    "measure": _measure,
    "contrast": _of("contrast"),
    "n": lambda row: f"{row['n_positive']} / {row['n_negative']}",
    "AUC [{ci}]": _interval("auc"),
    "p": _of("p"),
    "adjusted AUC [{ci}]": _interval("auc_adjusted", "adjusted_ci_low", "adjusted_ci_high"),
    "sensitivity [{ci}]": _interval("sensitivity", "sens_ci_low", "sens_ci_high"),
    "specificity, here and in new people": lambda row: (
        f"{readable_number(row['specificity'])}, {readable_number(row['specificity_new'])}"
    ),
    "LR+ [{ci}]": _interval("lr_positive", "lr_positive_ci_low", "lr_positive_ci_high"),
    "LR- [{ci}]": _interval("lr_negative", "lr_negative_ci_low", "lr_negative_ci_high"),
    "note": _of("note"),
}
_MARKERS: dict[str, _Column] = {
    "contrast": _of("contrast"),
    "first": _measure,
    "second": lambda row: (
        f"human rating ({row['measure_2']})"
        if row["modality_2"] == "rated"
        else f"{readable(row['measure_2'])}, {readable_place(row['region_2'], row['hemi_2'])}"
    ),
    "AUC": lambda row: f"{readable_number(row['auc'])} / {readable_number(row['auc_2'])}",
    "difference [{ci}]": _interval("difference"),
    "p": _of("p"),
    "p (Holm)": lambda row: readable_p(row["p_holm"]),
}
_INDEX: dict[str, _Column] = {
    "contrast": _of("contrast"),
    "scheme": _of("scheme"),
    "n": lambda row: f"{row['n_positive']} / {row['n_negative']}",
    "AUC [{ci}]": _interval("auc", "auc_ci_low", "auc_ci_high"),
    "AUC of covariates alone": lambda row: readable_number(row["auc_covariates"]),
    "Brier": lambda row: readable_number(row["brier"]),
    "calibration slope": lambda row: readable_number(row["calibration_slope"]),
    "note": _of("note"),
}
_CORRELATIONS: dict[str, _Column] = {
    "measure": _measure,
    "score": _of("score"),
    "group": _of("group"),
    "n": _of("n"),
    "rho [{ci}]": _interval("estimate"),
    "p": _of("p"),
    "note": _of("note"),
}
_INFLUENCE: dict[str, _Column] = {
    "measure": _measure,
    "contrast": _of("contrast"),
    "difference": lambda row: readable_number(row["estimate"]),
    "range without one": lambda row: (
        f"{readable_number(row['estimate_low'])} ({_text(row['who_low'])}) to "
        f"{readable_number(row['estimate_high'])} ({_text(row['who_high'])})"
    ),
    "p": _of("p"),
    "range of p": lambda row: f"{readable_p(row['p_low'])} to {readable_p(row['p_high'])}",
    "decided by": _of("who_decides"),
    "note": _of("note"),
}
_EQUIVALENCE: dict[str, _Column] = {
    "measure": _measure,
    "contrast": _of("contrast"),
    "n": lambda row: f"{row['n_first']} / {row['n_second']}",
    "difference [{ci_tost}]": _interval("estimate"),
    "margin": lambda row: readable_number(row["margin"]),
    "p (TOST)": _of("p_tost"),
    "conclusion": _of("conclusion"),
    "detectable (SD)": lambda row: f"{readable_number(row['detectable'])} ({readable_number(row['detectable_sd'])})",
    "note": _of("note"),
}
_CHANGE: dict[str, _Column] = {
    "measure": _measure,
    "slope of": _of("contrast"),
    "visits": _of("n_visits"),
    "per year [{ci}]": _interval("estimate"),
    "p": _of("p"),
    "p (permutation)": _of("p_permutation"),
    "p (Holm)": lambda row: readable_p(row["p_confirmatory"]),
    "note": _of("note"),
}
_REPEATABILITY: dict[str, _Column] = {
    "measure": _measure,
    "people (visits)": lambda row: f"{row['n_people']} ({row['n_visits']})",
    "mean": lambda row: readable_number(row["mean"]),
    "SD within [{ci}]": _interval("within_sd", "within_sd_low", "within_sd_high"),
    "CV (%)": lambda row: readable_number(row["cv_percent"]),
    "ICC(A,1) [{ci}]": _interval("icc", "icc_low", "icc_high"),
    "minimal detectable change": lambda row: readable_number(row["mdc"]),
}
_SURVIVAL: dict[str, _Column] = {
    "measure": _measure,
    "model": _of("model"),
    "adjusted for": _of("adjusted_for"),
    "n (events)": lambda row: f"{row['n']} ({row['n_events']})",
    "hazard ratio [{ci}]": _interval("hazard_ratio"),
    "p": _of("p"),
    "q (FDR)": _of("q_fdr"),
    "note": _of("note"),
}
_SIDES: dict[str, _Column] = {
    "measure": lambda row: f"{readable(row['measure'])}, {readable(row['region'])}",
    "group": _of("group"),
    "test": lambda row: readable_test(row["test"]),
    "onset left / right": lambda row: f"{row['n_left']} / {row['n_right']}",
    "contra minus ipsi [{ci}]": _interval("estimate"),
    "p": _of("p"),
    "q (FDR)": _of("q_fdr"),
    "note": _of("note"),
}
_DEVIATIONS: dict[str, _Column] = {
    "participant": _of("participant_id"),
    "group": _of("group"),
    "measure": _measure,
    "value": lambda row: readable_number(row["value"]),
    "expected": lambda row: readable_number(row["expected"]),
    "W": lambda row: readable_number(row["w_score"]),
    "percentile [{ci}]": _percentile,
    "controls": _of("n_controls"),
    "note": _of("note"),
}
_SENSITIVITY: dict[str, _Column] = {
    "measure": _measure,
    "variant": lambda row: readable(row["variant"]),
    "contrast": _of("contrast"),
    "difference [{ci}]": _interval("estimate"),
    "p": _of("p"),
    "same sign": _of("same_sign"),
    "note": _of("note"),
}
