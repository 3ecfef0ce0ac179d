"""A person's R2* map, from the decay of the magnitude over the echoes."""

from mndmri.cohort import bids
from mndmri.grids import to_canonical
from mndmri.io import load_image, save_image, write_json
from mndmri.jobs import start_job
from mndmri.susceptibility.relaxation import map_r2star

log = start_job(snakemake)
paths = snakemake.input.magnitude
sidecars = [bids.sidecar(path, snakemake.params.bids_dir) for path in paths]
times = [sidecar["EchoTime"] for sidecar in sidecars]
r2star = map_r2star(
    [to_canonical(load_image(path)) for path in paths], load_image(snakemake.input.brain), echo_times_s=times
)
save_image(r2star, snakemake.output.r2star)
field_strength_T = sidecars[0].get("MagneticFieldStrength")
description = {"Units": "1/s", "EchoTimes": times, "MagneticFieldStrength": field_strength_T}
write_json(description, snakemake.output.description)
log.info("%d echoes", len(times))
