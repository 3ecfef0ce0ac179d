"""A person's normalised SWI in template space, averaged over grey matter without veins."""

import numpy as np

from mndmri.grids import make_image, resampled_grid
from mndmri.io import load_field, load_image, load_matrix, save_image
from mndmri.jobs import start_job
from mndmri.registration.smoothing import smooth_within
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, fwhm_mm = snakemake.input, snakemake.params.fwhm_mm
grid = resampled_grid(load_image(given.template), snakemake.params.voxel_mm)
to_t1w = [load_field(given.to_template)]
to_swi = [*to_t1w, load_matrix(given.xfm)]
swi, brain, veins = (resample(load_image(given[n]), grid, to_swi).get_fdata() for n in ("swi", "brain", "veins"))
grey = resample(load_image(given.gm), grid, to_t1w).get_fdata() * (1 - veins)
# at the edge of the scan and of the brain, what was resampled is half nothing
known = make_image(np.where(brain > 0.99, swi, np.nan).astype(np.float32), grid)
save_image(smooth_within(known, make_image(grey.astype(np.float32), grid), fwhm_mm=fwhm_mm), snakemake.output.swi)
log.info("over %g mm", fwhm_mm)
