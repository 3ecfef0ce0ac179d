"""Thickness of a person's precentral and postcentral cortex."""

from mndmri.anatomy.thickness import GYRI, measure_thickness
from mndmri.atlas.regions import restrict
from mndmri.io import EXACT, load_image, read_table, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given = snakemake.input
gyri = restrict(load_image(given.weights), read_table(given.table), GYRI)
limits = {name: snakemake.params[name] for name in ("max_voxel_mm", "min_coverage")}
measures = measure_thickness(load_image(given.gm), load_image(given.wm), *gyri, **limits)
write_table(measures, snakemake.output.measures, digits=EXACT)
for line in measures.itertuples():
    log.info("%s %s: %.2f mm, %s", line.region, line.hemi, line.value, line.status)
