"""A person's map in template space, averaged over a tissue."""

from mndmri.grids import resampled_grid
from mndmri.io import load_field, load_image, load_matrix, read_json, save_image
from mndmri.jobs import start_job
from mndmri.maps.smoothing import smooth_map

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
field, to_map = load_field(given.to_template), load_matrix(given.xfm)
smoothed, tissue = smooth_map(
    load_image(given.image),
    load_image(given.tissue),
    resampled_grid(load_image(given.template), options.voxel_mm),
    to_t1w=[field],
    to_map=[load_field(given.dwi_to_template)] if given.dwi_to_template else [field, to_map],
    fwhm_mm=options.fwhm_mm,
    scale=read_json(given.json)["Scale"] or float("nan"),
)
save_image(smoothed, snakemake.output.smoothed)
save_image(tissue, snakemake.output.tissue)
log.info("over %g mm", options.fwhm_mm)
