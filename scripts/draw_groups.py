"""A figure for every primary measure, and one of the effect sizes."""

import pandas as pd

from mndmri.figures import to_png
from mndmri.figures.groups import forest_plot, group_colours, measure_plot
from mndmri.io import read_table, write_bytes
from mndmri.jobs import start_job

log = start_job(snakemake)
groups, folder = snakemake.params.groups, snakemake.output.figures
measures, means = read_table(snakemake.input.measures), read_table(snakemake.input.means)
primary = pd.DataFrame(snakemake.params.primary)
kinds = primary[["modality", "measure", "region"]].drop_duplicates()
for kind in kinds.itertuples(index=False):
    rows = measures.merge(pd.DataFrame([kind]))
    if rows.empty:
        log.warning("no %s %s of %s in the study", *kind)
        continue
    figure = measure_plot(rows, means, groups=groups, colours=group_colours(groups))
    write_bytes(to_png(figure), f"{folder}/{'_'.join(kind)}.png")
comparisons = read_table(snakemake.input.comparisons).query("test == 'ancova_contrast'").merge(primary)
if not comparisons.empty:
    write_bytes(to_png(forest_plot(comparisons)), f"{folder}/effect_sizes.png")
