"""Tensor maps of a person's diffusion series, and in template space after one interpolation."""

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.placement import place_dwi
from mndmri.diffusion.series import take_shell
from mndmri.diffusion.shells import has_two_shells
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import resampled_grid
from mndmri.io import load_field, load_image, load_matrix, read_text, save_field, save_image, write_json
from mndmri.jobs import start_job
from mndmri.registration.register import Warp
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
dwi = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), dwi.affine)
shell = take_shell(dwi, gradients, max_b=options.max_b)
log.info(shell.note)
tensor = fit_tensor(shell.dwi, shell.gradients, load_image(given.mask), method=options.tensor_fit)

warp = place_dwi(
    tensor.maps["md"],
    load_image(given.fov),
    t1w=Warp(load_field(given.t1w_to_template), load_field(given.t1w_from_template)),
    t1w_recorded=load_image(given.t1w_fov),
    brain=load_image(given.brain),
    to_dwi=load_matrix(given.xfm),
    template_tissue=load_image(given.template_tissue),
)
save_field(warp.moving_to_fixed, snakemake.output.to_template)
save_field(warp.fixed_to_moving, snakemake.output.from_template)
grid = resampled_grid(load_image(given.template), options.voxel_mm)
for name, image in tensor.maps.items():
    save_image(image, snakemake.output[name])
    save_image(resample(image, grid, [warp.moving_to_fixed]), snakemake.output[f"{name}_template"])
save_image(tensor.v1, snakemake.output.v1)
description = {"Volumes": shell.note, "NegativeEigenvalueFraction": tensor.negative_fraction}
write_json(description | {"FreeWater": has_two_shells(gradients)[1]}, snakemake.output.json)
