"""A picture of each contrast of the maps of one kind: where in the brain it was found."""

from pathlib import Path

import numpy as np

from mndmri.figures import to_png
from mndmri.figures.brain_maps import brain_map
from mndmri.grids import make_image
from mndmri.io import load_image, read_table, write_bytes
from mndmri.jobs import start_job

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
# where nothing could be tested there is nothing to draw, and still a folder
Path(snakemake.output.figures).mkdir(parents=True, exist_ok=True)
template, summary = load_image(given.template), read_table(given.summary)
clusters = read_table(given.clusters)
template = make_image(np.asarray(template.dataobj), template)  # read once, for all contrasts
for row in summary[summary["maps"].notna()].itertuples():
    stem = f"{given.maps}/space-{options.space}_{row.maps}"
    figure = brain_map(
        load_image(f"{stem}_stat-{row.statistic.lower()}_statmap.nii.gz"),
        load_image(f"{stem}_desc-fwep_statmap.nii.gz"),
        template,
        title=f"{options.title}: {row.contrast}",
        name=row.statistic,
        sides=("different",) if row.statistic == "F" else ("higher", "lower"),
        alpha=options.alpha,
        peaks=clusters.loc[clusters["contrast"] == row.contrast, ["x", "y", "z"]].to_numpy(),
    )
    write_bytes(to_png(figure), f"{snakemake.output.figures}/{row.maps}.png")
log.info("%d contrasts of %d have a map", summary["maps"].notna().sum(), len(summary))
