"""A person's T1-weighted image without shading, and the mask of the brain in it."""

import numpy as np

from mndmri.anatomy.brain import extract_brain, take_mask
from mndmri.grids import make_image, to_canonical, voxel_volume_ml
from mndmri.intensity import correct_bias
from mndmri.io import load_image, save_image
from mndmri.jobs import start_job

log = start_job(snakemake)
head = to_canonical(load_image(snakemake.input.t1w))
own = snakemake.input.mask
mask = take_mask(to_canonical(load_image(own[0])), head) if own else extract_brain(head)
preproc = correct_bias(make_image(head.get_fdata(dtype=np.float32), head), mask)
save_image(preproc, snakemake.output.t1w)
save_image(mask, snakemake.output.mask, dtype=np.uint8)
log.info("brain of %.0f ml", np.asarray(mask.dataobj).sum() * voxel_volume_ml(mask))
