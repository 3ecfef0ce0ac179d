"""The way from a person's brain to the template and back."""

from mndmri.anatomy.brain import mask_image
from mndmri.io import load_image, save_field, save_image
from mndmri.jobs import start_job
from mndmri.registration import jacobian_determinant, register_deformable
from mndmri.transforms import resample

log = start_job(snakemake)
template = load_image(snakemake.input.template)
t1w = load_image(snakemake.input.t1w)
brain = mask_image(t1w, load_image(snakemake.input.mask))
warp = register_deformable(template, brain, iterations=snakemake.params.iterations)
save_field(warp.moving_to_fixed, snakemake.output.to_template)
save_field(warp.fixed_to_moving, snakemake.output.from_template)
save_image(resample(t1w, template, [warp.moving_to_fixed]), snakemake.output.t1w)
log.info("smallest Jacobian determinant %.3f", jacobian_determinant(warp.moving_to_fixed).get_fdata().min())
