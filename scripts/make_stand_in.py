"""An image in place of the T1w image, from a person's gradient echo or diffusion series."""

import numpy as np

from mndmri.anatomy.stand_in import average_echoes, imitate_t1w
from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.stand_in import make_stand_in
from mndmri.grids import to_canonical, voxel_volume_ml
from mndmri.io import EXACT, load_image, read_text, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
if given.gradient_echo:
    image = average_echoes([to_canonical(load_image(path)) for path in given.gradient_echo])
    done = imitate_t1w(image, load_image(given.template), load_image(given.tissue))
else:
    stored = load_image(given.dwi[0])
    gradients = read_gradients(read_text(given.bval[0]), read_text(given.bvec[0]), stored.affine)
    done = make_stand_in(to_canonical(stored), gradients, max_b=snakemake.params.max_b)
save_image(done.t1w, made.t1w)
save_image(done.mask, made.mask, dtype=np.uint8)
write_table(done.quality, made.qc, digits=EXACT)
log.info("brain of %.0f ml", np.asarray(done.mask.dataobj).sum() * voxel_volume_ml(done.mask))
