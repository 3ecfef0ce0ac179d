"""A person's FA in template space, averaged over white matter."""

from mndmri.diffusion.placement import smooth_in_template
from mndmri.io import load_field, load_image, load_matrix, save_image
from mndmri.jobs import start_job

log = start_job(snakemake)
given, fwhm_mm = snakemake.input, snakemake.params.fwhm_mm
smoothed = smooth_in_template(
    load_image(given.fa),
    load_image(given.wm),
    to_template=load_field(given.to_template),
    to_dwi=load_matrix(given.xfm),
    fwhm_mm=fwhm_mm,
)
save_image(smoothed, snakemake.output.fa)
log.info("over %g mm", fwhm_mm)
