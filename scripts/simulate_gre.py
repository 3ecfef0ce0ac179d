"""A simulated gradient-echo scan, and what is true of it."""

from mndmri.io import load_image, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.gre import simulate_gre
from mndmri.phantom.head import Anatomy

log = start_job(snakemake)
output = snakemake.output
anatomy = Anatomy(load_image(snakemake.input.maps), read_table(snakemake.input.centreline))
scan = simulate_gre(anatomy, snakemake.params.person, snakemake.params.simulation)
for number, echo in enumerate(zip(scan.magnitude, scan.phase, scan.sidecars, strict=True), 1):
    magnitude, phase, sidecar = echo
    save_image(magnitude, output[f"mag_{number}"])
    save_image(phase, output[f"phase_{number}"])
    write_json(sidecar, output[f"mag_{number}_json"])
    write_json(sidecar | {"Units": "rad"}, output[f"phase_{number}_json"])
write_table(scan.truth, output.truth)
log.info("%d echoes of %s voxels", len(scan.magnitude), scan.magnitude[0].shape)
