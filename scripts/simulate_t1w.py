"""A simulated T1-weighted scan, and what is true of it."""

from mndmri.io import load_image, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.head import Anatomy
from mndmri.phantom.t1w import simulate_t1w

log = start_job(snakemake)
anatomy = Anatomy(load_image(snakemake.input.maps), read_table(snakemake.input.centreline))
scan = simulate_t1w(anatomy, snakemake.params.person, snakemake.params.simulation)
save_image(scan.image, snakemake.output.image)
write_json(scan.sidecar, snakemake.output.json)
write_table(scan.truth, snakemake.output.truth)
log.info("%s voxels", scan.image.shape)
