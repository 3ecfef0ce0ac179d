"""Registration of a person's brain to the template: forward and inverse transforms."""

from mndmri.anatomy.normalisation import Template, as_template, by_way_of, register_brain
from mndmri.io import load_field, load_image, load_parts, save_field, save_image
from mndmri.jobs import start_job
from mndmri.registration.register import Warp, jacobian_determinant
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
template, brain = load_image(given.template), load_image(given.brain)
target = Template(**load_parts(given, "target"))
ways = {"engine": options.engine, "iterations": options.iterations}
warp = register_brain(target, as_template(brain), recorded=load_image(given.fov), **ways)
if given.study_to_template:
    study = Warp(
        moving_to_fixed=load_field(given.study_to_template), fixed_to_moving=load_field(given.study_from_template)
    )
    warp = by_way_of(warp, study, template=template, brain=brain)
save_field(warp.moving_to_fixed, snakemake.output.to_template)
save_field(warp.fixed_to_moving, snakemake.output.from_template)
save_image(resample(load_image(given.t1w), template, [warp.moving_to_fixed]), snakemake.output.t1w)
log.info("smallest Jacobian determinant %.3f", jacobian_determinant(warp.moving_to_fixed).get_fdata().min())
