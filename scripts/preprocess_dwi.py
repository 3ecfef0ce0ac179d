"""A person's diffusion series without noise, ringing and head motion, and the way to the T1w image."""

import numpy as np
import pandas as pd

from mndmri.anatomy import mask_image
from mndmri.diffusion.denoise import reduce_noise, remove_gibbs
from mndmri.diffusion.gradients import read_gradients, to_fsl
from mndmri.diffusion.motion import align_to_t1w, b0_reference, correct_motion, field_of_view
from mndmri.grids import slice_axis, to_canonical
from mndmri.io import load_image, read_text, save_image, save_matrix, write_table, write_text
from mndmri.jobs import start_job
from mndmri.transforms import resample

log = start_job(snakemake)
stored = load_image(snakemake.input.dwi)
gradients = read_gradients(read_text(snakemake.input.bval), read_text(snakemake.input.bvec), stored.affine)
dwi = to_canonical(stored)
t1w_mask = load_image(snakemake.input.mask)
b0 = b0_reference(dwi, gradients)
to_dwi = align_to_t1w(b0, mask_image(load_image(snakemake.input.t1w), t1w_mask))
mask = resample(t1w_mask, b0, [np.linalg.inv(to_dwi)], interpolation="nearest")
if snakemake.params.denoise:
    dwi, _ = reduce_noise(dwi, mask=mask)
if snakemake.params.gibbs:
    dwi = remove_gibbs(dwi, slice_axis=slice_axis(dwi))
motion, displacement = np.tile(np.eye(4), (dwi.shape[3], 1, 1)), np.zeros(dwi.shape[3])
if snakemake.params.motion:
    dwi, gradients, motion, displacement = correct_motion(dwi, gradients, mask=mask)

save_image(dwi, snakemake.output.dwi)
save_image(mask, snakemake.output.mask, dtype=np.uint8)
save_image(field_of_view(dwi, motion), snakemake.output.fov, dtype=np.uint8)
save_matrix(to_dwi, snakemake.output.xfm)
write_table(pd.DataFrame({"framewise_displacement": displacement}), snakemake.output.motion)
write_text(" ".join(f"{b:g}" for b in gradients.bvals) + "\n", snakemake.output.bval)
rows = (" ".join(f"{v:.9g}" for v in axis) for axis in to_fsl(gradients.bvecs, dwi.affine))
write_text("\n".join(rows) + "\n", snakemake.output.bvec)
log.info("%d volumes, mean framewise displacement %.2f mm", dwi.shape[3], displacement.mean())
