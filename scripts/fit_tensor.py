"""Tensor maps of a person's diffusion series, and in template space after one interpolation."""

import numpy as np

from mndmri.diffusion.free_water import has_two_shells
from mndmri.diffusion.gradients import read_gradients, select_shell
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, resampled_grid
from mndmri.io import load_field, load_image, load_matrix, read_text, save_image, write_json
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample

log = start_job(snakemake)
dwi = load_image(snakemake.input.dwi)
gradients = read_gradients(read_text(snakemake.input.bval), read_text(snakemake.input.bvec), dwi.affine)
volumes, note = select_shell(gradients, max_b=snakemake.params.max_b)
log.info(note)
shell = make_image(np.asarray(dwi.dataobj)[..., volumes], dwi)
mask = load_image(snakemake.input.mask)
tensor = fit_tensor(shell, gradients.take(volumes), mask, method=snakemake.params.tensor_fit)

to_template = [load_field(snakemake.input.to_template), load_matrix(snakemake.input.xfm)]
grid = resampled_grid(load_image(snakemake.input.template), snakemake.params.voxel_mm)
for name, image in tensor.maps.items():
    save_image(image, snakemake.output[name])
    save_image(resample(image, grid, to_template), snakemake.output[f"{name}_template"])
save_image(tensor.v1, snakemake.output.v1)
description = {"Volumes": note, "NegativeEigenvalueFraction": tensor.negative_fraction}
write_json(description | {"FreeWater": has_two_shells(gradients)[1]}, snakemake.output.json)
