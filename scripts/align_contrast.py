"""A bias-corrected T1w, FLAIR or T2w image, the tract's signal unchanged, and its registration to the T1w image."""

import numpy as np

from mndmri.anatomy.signal import align_contrast
from mndmri.io import load_image, load_optional, save_image, save_matrix
from mndmri.jobs import start_job

log = start_job(snakemake)
given = snakemake.input
evened, to_image = align_contrast(load_image(given.image), load_image(given.mask), load_optional(given.brain))
save_image(evened, snakemake.output.image)
save_matrix(to_image, snakemake.output.xfm)
log.info("moved by %.1f mm", np.linalg.norm(to_image[:3, 3]))
