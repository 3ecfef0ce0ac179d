"""A simulated person's maps and contrasts, and what is true of them."""

import pandas as pd

from mndmri.io import load_image, read_table, save_image, write_table
from mndmri.jobs import start_job
from mndmri.phantom.head import Anatomy
from mndmri.phantom.maps import simulate_map

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
anatomy = Anatomy(load_image(given.maps), read_table(given.centreline))
scans = {name: simulate_map(anatomy, options.person, options.simulation, name) for name in options.names}
for name, scan in scans.items():
    save_image(scan.image, made[name])
write_table(pd.concat([scan.truth for scan in scans.values()], ignore_index=True), made.truth)
log.info("%s", ", ".join(scans))
