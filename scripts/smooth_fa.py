"""A person's FA in template space, averaged over white matter."""

from mndmri.io import load_field, load_image, save_image
from mndmri.jobs import start_job
from mndmri.registration.smoothing import smooth_within
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, fwhm_mm = snakemake.input, snakemake.params.fwhm_mm
fa = load_image(given.fa)
white = resample(load_image(given.wm), fa, [load_field(given.to_template)])
save_image(smooth_within(fa, white, fwhm_mm=fwhm_mm), snakemake.output.fa)
log.info("over %g mm", fwhm_mm)
