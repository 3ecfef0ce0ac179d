"""How dark a person's precentral cortex is, region by region, veins left out."""

import numpy as np

from mndmri.grids import make_image
from mndmri.io import load_image, read_json, read_table, save_image, write_table
from mndmri.jobs import start_job
from mndmri.measures import split_quality
from mndmri.susceptibility.measures import QUALITY, measure_susceptibility
from mndmri.susceptibility.regions import find_veins

log = start_job(snakemake)
swi = load_image(snakemake.input.swi)
masks = load_image(snakemake.input.regions)
veins = find_veins(swi, make_image(np.asarray(masks.dataobj).any(axis=-1), swi))
rows = measure_susceptibility(
    swi,
    masks,
    read_table(snakemake.input.names),
    veins,
    dark_percentile=snakemake.params.dark_percentile,
    min_voxels=snakemake.params.min_voxels,
    max_in_plane_mm=snakemake.params.max_in_plane_mm,
    by_phase=read_json(snakemake.input.json)["PhaseWeighted"],
)
save_image(veins, snakemake.output.veins, dtype="uint8")
measures, quality = split_quality(rows, QUALITY)
write_table(measures, snakemake.output.measures)
write_table(quality, snakemake.output.qc)
log.info("%d of %d measures have a value", (measures.status == "ok").sum(), len(measures))
