"""Cross-section of a person's upper cervical cord by distance below the pons, and size of the brainstem's parts."""

import pandas as pd

from mndmri.anatomy.cord import measure_cord
from mndmri.anatomy.midsagittal import measure_midsagittal
from mndmri.io import EXACT, load_field, load_image, save_image, write_table
from mndmri.jobs import start_job
from mndmri.registration.brainstem import fit_affine
from mndmri.registration.register import Warp

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
warp = Warp(load_field(given.to_template), load_field(given.from_template))
head = load_image(given.t1w), load_image(given.fov), fit_affine(warp, load_image(given.mask))
found, middle = measure_cord(*head), measure_midsagittal(*head)
measures = pd.concat([found.measures, middle.measures], ignore_index=True)
write_table(measures, made.measures, digits=EXACT)
write_table(found.quality, made.qc, digits=EXACT)
write_table(found.profile, made.profile, digits=EXACT)
save_image(found.planes, made.planes)
save_image(found.inside, made.inside)
save_image(middle.plane, made.midsagittal)
save_image(middle.inside, made.parts)
for line in measures.itertuples():
    log.info("%s %s: %.3f %s, %s", line.region, line.measure, line.value, line.unit, line.status)
