"""A person's bias-corrected T1-weighted image, and the brain in it."""

import numpy as np

from mndmri.anatomy.preprocessing import preprocess
from mndmri.grids import voxel_volume_ml
from mndmri.io import EXACT, load_image, load_optional, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
done = preprocess(
    load_optional(given.t1w) or load_image(given.stand_in),
    own_mask=load_optional(given.mask) or load_optional(given.stand_in_mask),
    method=snakemake.params.brain_extraction,
    head_template=load_optional(given.head_template),
    head_template_mask=load_optional(given.head_template_mask),
)
save_image(done.t1w, made.t1w)
save_image(done.brain, made.brain)
save_image(done.mask, made.mask, dtype=np.uint8)
save_image(done.field_of_view, made.fov, dtype=np.uint8)
write_table(done.quality, made.qc, digits=EXACT)
log.info("brain of %.0f ml", np.asarray(done.mask.dataobj).sum() * voxel_volume_ml(done.mask))
