"""Whether a person's gradient table fits the images, held against the 23 others of its kind."""

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.orientation import check_table_by_images, describe, suggest
from mndmri.diffusion.series import format_gradients
from mndmri.io import InputError, load_image, read_text, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
stored = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), stored.affine)
check = check_table_by_images(stored, gradients, load_image(given.mask), max_b=options.max_b)
log.info(describe(check))
if check.clearly_wrong:
    # no output of the rule: it stays beside the results of a job that fails
    write_text(format_gradients(suggest(gradients, check), stored.affine).bvec, options.suggestion)
    if options.gradient_check == "stop":
        raise InputError(f"{options.bvec_name}: {describe(check)}; suggested: {options.suggestion}")
write_table(check.ranking, snakemake.output.ranking)
