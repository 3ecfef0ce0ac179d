"""Registration of the study's template to the standard one: forward and inverse transforms."""

from mndmri.anatomy.normalisation import Template, register_brain
from mndmri.io import load_parts, save_field
from mndmri.jobs import start_job
from mndmri.registration.register import jacobian_determinant

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
warp = register_brain(
    Template(**load_parts(given, "target")),
    Template(**load_parts(given, "study")),
    engine=options.engine,
    iterations=options.iterations,
)
save_field(warp.moving_to_fixed, snakemake.output.to_template)
save_field(warp.fixed_to_moving, snakemake.output.from_template)
log.info("smallest Jacobian determinant %.3f", jacobian_determinant(warp.moving_to_fixed).get_fdata().min())
