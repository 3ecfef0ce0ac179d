"""A person's T1-weighted image without shading, and the mask of the brain in it."""

import numpy as np

from mndmri.anatomy.brain import find_brain
from mndmri.grids import make_image, to_canonical, voxel_volume_ml
from mndmri.intensity import correct_bias
from mndmri.io import load_image, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
head = to_canonical(load_image(snakemake.input.t1w))
own, theirs = (
    [to_canonical(load_image(path)) for path in paths]
    for paths in (snakemake.input.mask, snakemake.input.head_template)
)
mask, quality = find_brain(
    head,
    own_mask=own[0] if own else None,
    method=snakemake.params.brain_extraction,
    head_template=tuple(theirs) if theirs else None,
)
preproc = correct_bias(make_image(head.get_fdata(dtype=np.float32), head), mask)
save_image(preproc, snakemake.output.t1w)
save_image(mask, snakemake.output.mask, dtype=np.uint8)
write_table(quality, snakemake.output.qc)
log.info("brain of %.0f ml", np.asarray(mask.dataobj).sum() * voxel_volume_ml(mask))
