"""A T1w, FLAIR or T2w image without its shading, the tract's own brightness kept, and its way to the T1w."""

import numpy as np

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.signal import align_contrast
from mndmri.grids import make_image, to_canonical
from mndmri.io import load_image, save_image, save_matrix
from mndmri.jobs import start_job

log = start_job(snakemake)
image = to_canonical(load_image(snakemake.input.image))
mask = load_image(snakemake.input.mask)
own = snakemake.wildcards.contrast == "T1w"
brain = None if own else mask_image(load_image(snakemake.input.t1w), mask)
evened, to_image = align_contrast(make_image(image.get_fdata(dtype=np.float32), image), mask, brain)
save_image(evened, snakemake.output.image)
save_matrix(to_image, snakemake.output.xfm)
log.info("moved by %.1f mm", np.linalg.norm(to_image[:3, 3]))
