"""Whether a person's gradient table fits the images, held against the 23 others of its kind."""

import numpy as np

from mndmri.diffusion.alignment import b0_reference
from mndmri.diffusion.gradients import read_gradients, select_shell
from mndmri.diffusion.orientation import check_orientation, describe, suggest
from mndmri.diffusion.series import format_gradients, rough_mask
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError, load_image, read_text, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
stored = load_image(snakemake.input.dwi)
gradients = read_gradients(read_text(snakemake.input.bval), read_text(snakemake.input.bvec), stored.affine)
dwi = to_canonical(stored)
mask = rough_mask(b0_reference(dwi, gradients), load_image(snakemake.input.mask))
volumes, _ = select_shell(gradients, max_b=snakemake.params.max_b)
tensor = fit_tensor(make_image(np.asarray(dwi.dataobj)[..., volumes], dwi), gradients.take(volumes), mask)
check = check_orientation(tensor.maps["fa"], tensor.v1, stored.affine)
log.info(describe(check))
if check.clearly_wrong:
    # no output of the rule: it stays beside the results of a job that fails
    write_text(format_gradients(suggest(gradients, check), stored.affine)[1], snakemake.params.suggestion)
    if snakemake.params.gradient_check == "stop":
        raise InputError(f"{snakemake.params.bvec_name}: {describe(check)}; suggested: {snakemake.params.suggestion}")
write_table(check.ranking, snakemake.output.ranking)
