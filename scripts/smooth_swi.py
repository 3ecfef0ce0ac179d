"""A person's normalised SWI in template space, averaged over grey matter without veins."""

from mndmri.grids import resampled_grid
from mndmri.io import load_field, load_image, load_matrix, save_image
from mndmri.jobs import start_job
from mndmri.susceptibility.normalisation import average_over_grey_matter

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
to_t1w = [load_field(given.to_template)]
smoothed = average_over_grey_matter(
    load_image(given.swi),
    load_image(given.brain),
    load_image(given.veins),
    load_image(given.gm),
    resampled_grid(load_image(given.template), options.voxel_mm),
    to_t1w=to_t1w,
    to_scan=[*to_t1w, load_matrix(given.xfm)],
    fwhm_mm=options.fwhm_mm,
)
save_image(smoothed, snakemake.output.swi)
log.info("over %g mm", options.fwhm_mm)
