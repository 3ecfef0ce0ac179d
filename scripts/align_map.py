"""A map or contrast as it is measured, its place relative to the T1w image, and the quality of its alignment."""

import numpy as np

from mndmri.io import (
    EXACT,
    load_field,
    load_image,
    load_matrix,
    load_optional,
    save_image,
    save_matrix,
    write_table,
)
from mndmri.jobs import start_job
from mndmri.maps.alignment import align_map, alignment_offset

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
mask = load_image(given.mask)
image, to_map = align_map(
    load_image(given.image),
    mask,
    quantity=options.quantity,
    brain=load_optional(given.brain),
    registered=load_optional(given.register),
    to_map=load_matrix(given.to_map) if given.to_map else None,
    from_template=(mask, load_field(given.to_t1w)) if given.to_t1w else None,
)
tissue = {name: load_image(given[name]) for name in ("gm", "wm", "csf") if given[name]}
save_image(image, snakemake.output.image)
save_matrix(to_map, snakemake.output.xfm)
quality = alignment_offset(image, tissue, to_map, modality=options.modality)
write_table(quality, snakemake.output.qc, digits=EXACT)
log.info("moved by %.1f mm", np.linalg.norm(to_map[:3, 3]))
