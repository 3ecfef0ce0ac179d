"""The way from a person's brain to the template and back."""

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.normalisation import Template, as_template, by_way_of, register_brain
from mndmri.io import load_field, load_image, save_field, save_image
from mndmri.jobs import start_job
from mndmri.registration.register import Warp, jacobian_determinant
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
template, t1w = load_image(given.template), load_image(given.t1w)
brain = mask_image(t1w, load_image(given.mask))
target = Template(*map(load_image, given.target))
warp = register_brain(target, as_template(brain), engine=options.engine, iterations=options.iterations)
if given.onward:
    warp = by_way_of(warp, Warp(*map(load_field, given.onward)), template=template, brain=brain)
save_field(warp.moving_to_fixed, snakemake.output.to_template)
save_field(warp.fixed_to_moving, snakemake.output.from_template)
save_image(resample(t1w, template, [warp.moving_to_fixed]), snakemake.output.t1w)
log.info("smallest Jacobian determinant %.3f", jacobian_determinant(warp.moving_to_fixed).get_fdata().min())
