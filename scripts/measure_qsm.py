"""Susceptibility of a participant's precentral cortex by region, veins removed."""

from mndmri.io import EXACT, load_image, read_json, read_table, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.chi_error import ErrorModel
from mndmri.susceptibility.chi_measures import measure_chi
from mndmri.susceptibility.mapping import chi_veins
from mndmri.susceptibility.regions import any_region

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
chi, masks, description = load_image(given.chi), load_image(given.regions), read_json(given.description)
rows = measure_chi(
    chi,
    masks,
    read_table(given.names),
    load_image(given.veins) if given.veins else chi_veins(chi, any_region(masks)),
    load_image(given.mask),
    min_voxels=options.min_voxels,
    max_in_plane_mm=options.max_in_plane_mm,
    error=description["Error"] and ErrorModel.from_json(description["Error"]),
    unknown=description["Unknown"],
)
write_table(rows, snakemake.output.measures, digits=EXACT)
log.info("%d of %d measures have a value", (rows.status == "ok").sum(), len(rows))
