"""All figures of a study: which there are, and of what."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from mndmri.figures.correlations import correlation_plot
from mndmri.figures.groups import forest_plot, group_colours, measure_plot
from mndmri.figures.multimodal import index_plot
from mndmri.figures.neuron import neuron_plot, people_plot
from mndmri.figures.profiles import profile_plot
from mndmri.figures.roc import roc_plot
from mndmri.figures.sites import site_forest
from mndmri.figures.strip import study_strips
from mndmri.figures.visits import visits_plot
from mndmri.tables.measures import DAMAGE_DIRECTION, KEY, RATINGS
from mndmri.tables.neuron import along_neuron
from mndmri.tables.visits import CLINICAL
from mndmri.tables.words import OMNIBUS


def study_figures(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    primary: Sequence[Mapping[str, str]],
    groups: Sequence[str],
    reference: str | None,
    alpha: float = 0.05,
    signs: Mapping[tuple[str, ...], int] = DAMAGE_DIRECTION,
) -> Iterator[tuple[str, Figure]]:
    """Name and figure of every primary measure, and of each kind of result; what has nothing to show has none.

    Parameters
    ----------
    measures, participants : DataFrame
        As in `mndmri.statistics.compare_groups`.
    tables : mapping
        The group's tables by the names of their files: ``comparisons``, ``adjusted_means``, ``classification``,
        ``roc_points``, ``correlations``, ``multimodal_index``, ``multimodal_predictions``, ``deviations``;
        where the study has them ``site_effects``, ``profile_comparisons``, ``profile_means``, ``strips``,
        ``measures_visits`` and ``longitudinal``.
    primary : sequence of mapping
        Primary measures as in the config: each names a modality, measure, region and hemi.
    groups : sequence of str
        In the order of the figures; `reference` is one of them.
    alpha : float
        One minus the coverage of the intervals.
    signs : mapping
        Direction of damage of the measures, as `mndmri.tables.measures.directions` returns it.
    """
    colours, chosen = group_colours(groups), pd.DataFrame(primary, columns=KEY)
    for kind in chosen[["modality", "measure", "region"]].drop_duplicates().itertuples(index=False):
        rows = measures.merge(pd.DataFrame([kind]))
        if len(rows):
            yield (
                "_".join(kind),
                measure_plot(rows, tables["adjusted_means"], groups=groups, colours=colours, alpha=alpha),
            )
    comparisons = tables["comparisons"].query("reported == 'yes'")
    # ratings are compared by ranks: they have no g
    comparisons = comparisons[(comparisons["contrast"] != OMNIBUS) & ~comparisons["measure"].isin(RATINGS)]
    if len(rows := comparisons.merge(chosen)):
        yield "effect_sizes", forest_plot(rows, alpha=alpha)
    if len(rows := along_neuron(comparisons, ["adjusted_g", "adj_g_ci_low", "adj_g_ci_high"], signs=signs)):
        yield "motor_neuron", neuron_plot(rows, alpha=alpha)
    scored = tables["deviations"][tables["deviations"]["w_score"].notna()]
    if len(rows := along_neuron(scored, ["w_score"], signs=signs)):
        people = participants.set_index("participant_id")["group"].to_dict()
        yield "motor_neuron_people", people_plot(rows, people, order=groups)
    for (modality, measure), rows in comparisons.groupby(["modality", "measure"], sort=False):
        yield f"effect_sizes_all_{modality}_{measure}", forest_plot(rows, alpha=alpha)
    if tables["roc_points"]["true_positive_rate"].notna().any():
        yield "roc", roc_plot(tables["roc_points"], tables["classification"], alpha=alpha)
    correlations = tables["correlations"].merge(chosen)
    for score in correlations["score"].unique():
        figure = correlation_plot(
            measures.merge(chosen), participants, correlations, score=score, colours=colours, alpha=alpha
        )
        yield f"correlation_{score}", figure
    performance, predictions = tables["multimodal_index"], tables["multimodal_predictions"]
    for scheme in performance.loc[performance["auc"].notna(), "scheme"].unique():
        figure = index_plot(performance, predictions, scheme=scheme, groups=groups, colours=colours)
        yield f"multimodal_index_{scheme.replace(' ', '_')}", figure
    if "profile_means" in tables:
        means, profiles = tables["profile_means"], tables["profile_comparisons"]
        for (modality, measure), rows in means.groupby(["modality", "measure"], sort=False):
            if rows["mean"].isna().all():
                continue
            figure = profile_plot(
                rows,
                profiles,
                modality=modality,
                measure=measure,
                groups=groups,
                colours=colours,
                reference=reference,
                alpha=alpha,
            )
            yield f"profile_{modality}_{measure}", figure
    if "strips" in tables:
        for modality, figure in study_strips(tables["strips"], groups=groups, reference=reference).items():
            yield f"strip_{modality}", figure
    if "site_effects" in tables:
        units = measures[["modality", "measure", "unit"]].drop_duplicates(["modality", "measure"])
        yield "sites", site_forest(tables["site_effects"].merge(units), alpha=alpha)
    if "longitudinal" in tables:
        for key, rows in tables["measures_visits"].groupby(KEY, sort=False):
            if len(pd.DataFrame([key], columns=KEY).merge(chosen)) or key[0] == CLINICAL:
                figure = visits_plot(rows, tables["longitudinal"], groups=groups, colours=colours, alpha=alpha)
                yield "_".join(["visits", *key]), figure
