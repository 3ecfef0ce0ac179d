"""A simulated gradient-echo scan, and what is true of it."""

from mndmri.io import load_image, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.gre import simulate_gre
from mndmri.phantom.head import Anatomy

log = start_job(snakemake)
output = snakemake.output
anatomy = Anatomy(load_image(snakemake.input.maps), read_table(snakemake.input.centreline))
scan = simulate_gre(anatomy, snakemake.params.person, snakemake.params.simulation)
for echo, sidecar in enumerate(scan.sidecars):
    save_image(scan.magnitude[echo], output.magnitude[echo])
    save_image(scan.phase[echo], output.phase[echo])
    write_json(sidecar, output.magnitude_json[echo])
    write_json(sidecar | {"Units": "rad"}, output.phase_json[echo])
write_table(scan.truth, output.truth)
log.info("%d echoes of %s voxels", len(scan.magnitude), scan.magnitude[0].shape)
