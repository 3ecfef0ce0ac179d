"""The way from the study's template, as it was a round before, to a person."""

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.normalisation import Template, as_template, register_brain
from mndmri.io import load_image, save_field
from mndmri.jobs import start_job
from mndmri.registration.pose import align_brains
from mndmri.registration.register import register_affine
from mndmri.registration.transforms import compose

log = start_job(snakemake)
options = snakemake.params
target = Template(*map(load_image, snakemake.input.target))
brain = mask_image(load_image(snakemake.input.t1w), load_image(snakemake.input.mask))
if options.affine:
    field = compose([register_affine(target.brain, brain, start=align_brains(target.brain, brain))], target.brain)
else:
    warp = register_brain(target, as_template(brain), engine=options.engine, iterations=options.iterations)
    field = warp.moving_to_fixed
save_field(field, snakemake.output.xfm)
log.info("round %s", snakemake.wildcards.round)
