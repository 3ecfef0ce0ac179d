"""The head that all simulated people share."""

import numpy as np

from mndmri.io import save_image, write_table
from mndmri.jobs import start_job
from mndmri.phantom.anatomy import build_anatomy

log = start_job(snakemake)
anatomy = build_anatomy()
save_image(anatomy.maps, snakemake.output.maps, dtype=np.uint8)
write_table(anatomy.centreline, snakemake.output.centreline)
log.info("%d maps of %s", anatomy.maps.shape[3], anatomy.maps.shape[:3])
