"""A person's fraction of free water, and FA and MD of the tissue beside it."""

from mndmri.diffusion.free_water import fit_free_water, has_two_shells
from mndmri.diffusion.gradients import read_gradients
from mndmri.io import load_image, read_text, save_image, write_json
from mndmri.jobs import start_job

log = start_job(snakemake)
dwi = load_image(snakemake.input.dwi)
gradients = read_gradients(read_text(snakemake.input.bval), read_text(snakemake.input.bvec), dwi.affine)
water = fit_free_water(dwi, gradients, load_image(snakemake.input.mask))
for name, image in water._asdict().items():
    save_image(image, snakemake.output[name])
_, note = has_two_shells(gradients)
write_json({"Volumes": note}, snakemake.output.json)
log.info(note)
