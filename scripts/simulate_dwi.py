"""A simulated diffusion series, and what is true of it."""

import numpy as np

from mndmri.grids import make_image
from mndmri.io import load_image, read_table, save_image, write_json, write_table, write_text
from mndmri.jobs import start_job
from mndmri.phantom.dwi import simulate_dwi
from mndmri.phantom.head import Anatomy

log = start_job(snakemake)
output = snakemake.output
anatomy = Anatomy(load_image(snakemake.input.maps), read_table(snakemake.input.centreline))
scan = simulate_dwi(anatomy, snakemake.params.person, snakemake.params.simulation)
save_image(scan.image, output.image)
write_text(" ".join(f"{b:g}" for b in scan.bvals) + "\n", output.bval)
write_text("".join(" ".join(f"{v:.6f}" for v in axis) + "\n" for axis in scan.bvecs), output.bvec)
write_json(scan.sidecar, output.json)
write_table(scan.truth, output.truth)
if scan.reverse_b0 is not None:
    save_image(make_image(np.asarray(scan.reverse_b0.dataobj)[..., None], scan.reverse_b0), output.opposite_image)
    write_json(scan.reverse_sidecar, output.opposite_json)
    write_text("0\n", output.opposite_bval)
    write_text("0\n0\n0\n", output.opposite_bvec)
log.info("%s voxels", scan.image.shape)
