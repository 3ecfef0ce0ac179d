"""A person's normalised SWI, the way to the T1w image, and the regions on its own grid."""

import numpy as np

from mndmri.anatomy import mask_image
from mndmri.io import load_field, load_image, read_table, save_image, save_matrix, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.preprocessing import Anatomical, preprocess

log = start_job(snakemake)
given = snakemake.input
mask = load_image(given.mask)
done = preprocess(
    {role: [load_image(path) for path in given[role]] for role in ("swi", "magnitude", "phase")},
    Anatomical(
        mask_image(load_image(given.t1w), mask),
        mask,
        *(load_image(given[name]) for name in ("gm", "wm", "csf")),
        load_field(given.from_template),
    ),
    load_image(given.atlas),
    read_table(given.table),
    bias_correction=snakemake.params.bias_correction,
    paramagnetic_sign=snakemake.params.paramagnetic_sign,
)

log.info(done.weighted.note)
save_image(done.normalised, snakemake.output.swi)
write_json({"Weighting": done.weighted.note, "PhaseWeighted": done.weighted.by_phase}, snakemake.output.json)
save_image(done.masks, snakemake.output.regions, dtype=np.uint8)
write_table(done.names, snakemake.output.names)
save_matrix(done.to_swi, snakemake.output.xfm)
