"""A figure for every primary measure, and one for each kind of result."""

import pandas as pd

from mndmri.figures import to_png
from mndmri.figures.correlations import correlation_plot
from mndmri.figures.groups import forest_plot, group_colours, measure_plot
from mndmri.figures.multimodal import index_plot
from mndmri.figures.profiles import profile_plot
from mndmri.figures.roc import roc_plot
from mndmri.figures.sites import site_forest
from mndmri.figures.strip import study_strips
from mndmri.io import read_table, write_bytes
from mndmri.jobs import start_job

log = start_job(snakemake)
given, groups, folder = snakemake.input, snakemake.params.study["groups"], snakemake.output.figures
reference, colours = snakemake.params.study["reference"], group_colours(groups)
measures, means, participants = (read_table(given[name]) for name in ("measures", "means", "participants"))
primary = pd.DataFrame(snakemake.params.statistics["primary"])


def draw(figure, name: str) -> None:
    """Save a figure of the group."""
    write_bytes(to_png(figure), f"{folder}/{name}.png")


for kind in primary[["modality", "measure", "region"]].drop_duplicates().itertuples(index=False):
    rows = measures.merge(pd.DataFrame([kind]))
    if rows.empty:
        log.warning("no %s %s of %s in the study", *kind)
        continue
    draw(measure_plot(rows, means, groups=groups, colours=colours), "_".join(kind))
comparisons = read_table(given.comparisons).query("test == 'ancova_contrast'")
if not comparisons.merge(primary).empty:
    draw(forest_plot(comparisons.merge(primary)), "effect_sizes")
for kind, rows in comparisons.groupby(["modality", "measure"], sort=False):
    draw(forest_plot(rows), "effect_sizes_all_" + "_".join(kind))
points = read_table(given.points)
if points["true_positive_rate"].notna().any():
    draw(roc_plot(points, read_table(given.classification)), "roc")
correlations = read_table(given.correlations).merge(primary)
for score in correlations["score"].unique():
    figure = correlation_plot(measures.merge(primary), participants, correlations, score=score, colours=colours)
    draw(figure, f"correlation_{score}")
performance, predictions = read_table(given.performance), read_table(given.predictions)
for scheme in performance.loc[performance["auc"].notna(), "scheme"].unique():
    figure = index_plot(performance, predictions, scheme=scheme, groups=groups, colours=colours)
    draw(figure, f"multimodal_index_{scheme.replace(' ', '_')}")
if given.profiles:
    profiles, along = read_table(given.profiles), read_table(given.profile_means)
    for measure in along["measure"].unique():
        figure = profile_plot(along, profiles, measure=measure, groups=groups, colours=colours, reference=reference)
        draw(figure, f"profile_{measure}")
if given.strips:
    for modality, figure in study_strips(read_table(given.strips), groups=groups, reference=reference).items():
        draw(figure, f"strip_{modality}")
if given.sites:
    units = measures[["modality", "measure", "unit"]].drop_duplicates(["modality", "measure"])
    draw(site_forest(read_table(given.sites).merge(units)), "sites")
