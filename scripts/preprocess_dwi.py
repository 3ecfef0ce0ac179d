"""A person's diffusion series without noise, ringing and head motion, and the way to the T1w image."""

import numpy as np
import pandas as pd

from mndmri.anatomy.brain import mask_image
from mndmri.diffusion.gradients import read_gradients, to_fsl
from mndmri.diffusion.preprocessing import preprocess
from mndmri.io import load_image, read_text, save_image, save_matrix, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
dwi = load_image(snakemake.input.dwi)
gradients = read_gradients(read_text(snakemake.input.bval), read_text(snakemake.input.bvec), dwi.affine)
mask = load_image(snakemake.input.mask)
done = preprocess(dwi, gradients, mask_image(load_image(snakemake.input.t1w), mask), mask, **snakemake.params.steps)

save_image(done.series, snakemake.output.dwi)
save_image(done.mask, snakemake.output.mask, dtype=np.uint8)
save_image(done.field_of_view, snakemake.output.fov, dtype=np.uint8)
save_matrix(done.to_dwi, snakemake.output.xfm)
write_table(pd.DataFrame({"framewise_displacement": done.displacement}), snakemake.output.motion)
write_text(" ".join(f"{b:g}" for b in done.gradients.bvals) + "\n", snakemake.output.bval)
rows = (" ".join(f"{v:.9g}" for v in axis) for axis in to_fsl(done.gradients.bvecs, done.series.affine))
write_text("\n".join(rows) + "\n", snakemake.output.bvec)
log.info("%d volumes, mean framewise displacement %.2f mm", done.series.shape[3], done.displacement.mean())
