"""The template at the registration's resolution, its regions and its tissue."""

import numpy as np

from mndmri.anatomy.tissue import away_from_nuclei, brain_tissue
from mndmri.atlas.regions import build_atlas, load_nuclei, load_template
from mndmri.grids import resampled_grid
from mndmri.io import save_image, write_table
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample

log = start_job(snakemake)
template = load_template()
save_image(template, snakemake.output.template)
coarse = resample(template, resampled_grid(template, snakemake.params.registration_mm))
save_image(coarse, snakemake.output.registration)
nuclei = load_nuclei()
save_image(nuclei, snakemake.output.nuclei, dtype=np.uint8)
nuclei = resample(nuclei, coarse)
save_image(away_from_nuclei(nuclei), snakemake.output.compared, dtype=np.uint8)
save_image(brain_tissue(coarse, nuclei=nuclei), snakemake.output.tissue)
atlas, table = build_atlas()
save_image(atlas, snakemake.output.atlas, dtype="uint8", scale=0.01)
write_table(table, snakemake.output.table)
log.info("%d regions on a grid of %s", len(table), template.shape)
