"""Thickness of a person's precentral and postcentral cortex, and width of the sulcus between them."""

import numpy as np
import pandas as pd

from mndmri.anatomy.sulcal_width import measure_width
from mndmri.anatomy.thickness import GYRI, measure_thickness
from mndmri.atlas.regions import restrict
from mndmri.io import EXACT, load_image, read_table, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given = snakemake.input
gyri = restrict(load_image(given.weights), read_table(given.table), GYRI)
limits = {name: snakemake.params[name] for name in ("max_voxel_mm", "min_coverage")}
tissue = load_image(given.gm), load_image(given.wm)
thickness = measure_thickness(*tissue, *gyri, **limits)
width = measure_width(*tissue, *gyri, min_coverage=limits["min_coverage"])
measures = pd.concat([thickness, width.measures], ignore_index=True)
save_image(width.middle, snakemake.output.sulcus, dtype=np.uint8)
write_table(measures, snakemake.output.measures, digits=EXACT)
for line in measures.itertuples():
    log.info("%s of %s %s: %.2f mm, %s", line.measure, line.region, line.hemi, line.value, line.status)
