"""A person's tissue maps from intensities alone, for the study's template."""

from mndmri.anatomy.tissue import brain_tissue
from mndmri.io import load_image, save_image
from mndmri.jobs import start_job

log = start_job(snakemake)
tissue = brain_tissue(load_image(snakemake.input.brain))
save_image(tissue, snakemake.output.tissue)
log.info("%s voxels", tissue.shape[:3])
