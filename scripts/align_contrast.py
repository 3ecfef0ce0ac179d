"""A T1w, FLAIR or T2w image without its shading, the tract's own brightness kept, and its way to the T1w."""

import numpy as np

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.signal import N4_ITERATIONS
from mndmri.grids import make_image, to_canonical
from mndmri.intensity import correct_bias
from mndmri.io import load_image, save_image, save_matrix
from mndmri.jobs import start_job
from mndmri.registration import register_rigid
from mndmri.transforms import resample

log = start_job(snakemake)
image = to_canonical(load_image(snakemake.input.image))
image = make_image(image.get_fdata(dtype=np.float32), image)
mask = load_image(snakemake.input.mask)
to_image = np.eye(4)
if snakemake.wildcards.contrast != "T1w":
    to_image = register_rigid(mask_image(load_image(snakemake.input.t1w), mask), image, fixed_mask=mask)
in_brain = resample(mask, image, [np.linalg.inv(to_image)], interpolation="nearest")
save_image(correct_bias(image, in_brain, iterations=N4_ITERATIONS), snakemake.output.image)
save_matrix(to_image, snakemake.output.xfm)
log.info("moved by %.1f mm", np.linalg.norm(to_image[:3, 3]))
