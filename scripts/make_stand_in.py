"""An image in place of the T1w image, from a person's diffusion series."""

import numpy as np

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.stand_in import make_stand_in
from mndmri.grids import to_canonical, voxel_volume_ml
from mndmri.io import EXACT, load_image, read_text, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
stored = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), stored.affine)
done = make_stand_in(to_canonical(stored), gradients, max_b=snakemake.params.max_b)
save_image(done.t1w, made.t1w)
save_image(done.mask, made.mask, dtype=np.uint8)
write_table(done.quality, made.qc, digits=EXACT)
log.info("brain of %.0f ml", np.asarray(done.mask.dataobj).sum() * voxel_volume_ml(done.mask))
