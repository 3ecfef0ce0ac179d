"""Whether a person's gradient table fits the images, compared with the 23 others of its kind."""

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.orientation import check_orientation, describe, suggest, verdict_rows
from mndmri.diffusion.series import format_gradients
from mndmri.io import EXACT, InputError, load_image, read_text, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
stored = load_image(given.dwi)
check = check_orientation(load_image(given.fa), load_image(given.v1), stored.affine)
log.info(describe(check))
if check.clearly_wrong:
    gradients = read_gradients(read_text(given.bval), read_text(given.bvec), stored.affine)
    # no output of the rule: it stays beside the results of a job that fails
    write_text(format_gradients(suggest(gradients, check), stored.affine).bvec, options.suggestion)
    if options.gradient_check == "stop":
        raise InputError(f"{options.bvec_name}: {describe(check)}; suggested: {options.suggestion}")
write_table(check.ranking, snakemake.output.ranking)
write_table(verdict_rows(check), snakemake.output.qc, digits=EXACT)
