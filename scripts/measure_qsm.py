"""Susceptibility of a participant's precentral cortex by region, veins removed."""

import pandas as pd

from mndmri.io import EXACT, load_image, read_json, read_table, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.chi_error import ErrorModel
from mndmri.susceptibility.chi_measures import measure_chi
from mndmri.susceptibility.mapping import chi_veins
from mndmri.susceptibility.regions import any_region
from mndmri.susceptibility.separation import measure_sources

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
chi, masks, description = load_image(given.chi), load_image(given.regions), read_json(given.description)
names = read_table(given.names)
veins = load_image(given.veins) if given.veins else chi_veins(chi, any_region(masks))
where = masks, names, veins, load_image(given.mask)
limits = {"min_voxels": options.min_voxels, "max_in_plane_mm": options.max_in_plane_mm}
unknown = description["Unknown"]
error = description["Error"] and ErrorModel.from_json(description["Error"])
rows = [measure_chi(chi, *where, **limits, error=error, unknown=unknown)]
if given.r2star:
    strength = read_json(given.relaxation)["MagneticFieldStrength"]
    r2star = load_image(given.r2star)
    rows.append(measure_sources(chi, r2star, *where, **limits, field_strength_T=strength, unknown=unknown))
table = pd.concat(rows, ignore_index=True)
write_table(table, snakemake.output.measures, digits=EXACT)
log.info("%d of %d measures have a value", (table.status == "ok").sum(), len(table))
