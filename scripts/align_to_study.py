"""Registration of a person to the study's template of the previous round."""

from mndmri.anatomy.normalisation import Template
from mndmri.anatomy.study_template import align_to_study
from mndmri.io import load_image, load_parts, save_field
from mndmri.jobs import start_job

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
field = align_to_study(
    Template(**load_parts(given, "target")),
    Template(**load_parts(given, "person")),
    recorded=load_image(given.fov),
    affine=options.affine,
    engine=options.engine,
    iterations=options.iterations,
)
save_field(field, snakemake.output.xfm)
log.info("round %s", snakemake.wildcards.round)
