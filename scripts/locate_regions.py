"""Where a gradient-echo scan lies on the T1w image, and the brain and the regions on its own grid."""

import numpy as np

from mndmri.anatomy.brain import mask_image
from mndmri.grids import to_canonical
from mndmri.io import load_field, load_image, read_table, save_image, save_matrix, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.preprocessing import Anatomical, locate

log = start_job(snakemake)
given = snakemake.input
mask = load_image(given.mask)
weighted = [*given.swi, *given.magnitude]
located = locate(
    to_canonical(load_image([*weighted, *given.chimap][0])),
    Anatomical(
        mask_image(load_image(given.t1w), mask),
        mask,
        *(load_image(given[name]) for name in ("gm", "wm", "csf")),
        load_field(given.from_template),
        load_field(given.to_template),
        parcellation=load_image(given.parcellation[0]) if given.parcellation else None,
    ),
    load_image(given.atlas),
    read_table(given.table),
    aligned=not weighted,
)
save_image(located.brain, snakemake.output.brain, dtype=np.uint8)
save_image(located.masks, snakemake.output.regions, dtype=np.uint8)
write_table(located.names, snakemake.output.names)
save_matrix(located.to_scan, snakemake.output.xfm)
log.info("aligned to the T1w by its header" if not weighted else "registered to the T1w")
