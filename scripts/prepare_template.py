"""The template at the registration's resolution, its regions and its tissue."""

import numpy as np

from mndmri.anatomy.study_space import prepare_space
from mndmri.atlas.own import take_labels, take_template
from mndmri.io import EXACT, load_image, read_table, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, out, options = snakemake.input, snakemake.output, snakemake.params
template = labels = None
if given.own_template:
    mask = load_image(given.own_mask) if given.own_mask else None
    template = take_template(load_image(given.own_template), mask)
if given.own_labels:
    labels = take_labels(load_image(given.own_labels), read_table(given.own_table))
space = prepare_space(
    template,
    labels,
    builtin=options.builtin,
    registration_mm=options.registration_mm,
    engine=options.engine,
    iterations=options.iterations,
)
save_image(space.brain, out.template)
save_image(space.coarse, out.registration)
save_image(space.tissue, out.tissue)
save_image(space.nuclei, out.nuclei, dtype=np.uint8)
save_image(space.lobes, out.lobes, dtype=np.uint8)
save_image(space.compared, out.compared, dtype=np.uint8)
save_image(space.atlas, out.atlas, dtype="uint8", scale=0.01)
write_table(space.table, out.table, digits=EXACT)
log.info("%d regions on a grid of %s", len(space.table), space.brain.shape)
