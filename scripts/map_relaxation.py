"""A person's R2* map, from the decay of the magnitude over the echoes."""

from mndmri.cohort import bids
from mndmri.grids import to_canonical
from mndmri.io import load_image, save_image, write_json
from mndmri.jobs import start_job
from mndmri.susceptibility.relaxation import map_r2star

log = start_job(snakemake)
paths = snakemake.input.magnitude
times = [bids.sidecar(path, snakemake.params.bids_dir)["EchoTime"] for path in paths]
r2star = map_r2star(
    [to_canonical(load_image(path)) for path in paths], load_image(snakemake.input.brain), echo_times_s=times
)
save_image(r2star, snakemake.output.r2star)
write_json({"Units": "1/s", "EchoTimes": times}, snakemake.output.description)
log.info("%d echoes", len(times))
