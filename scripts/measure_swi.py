"""A person's normalised SWI, and how dark the precentral cortex is, region by region, veins left out."""

import pandas as pd

from mndmri.atlas.regions import select
from mndmri.cohort import bids
from mndmri.grids import to_canonical
from mndmri.io import load_image, read_json, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.measures import QUALITY, measure_susceptibility
from mndmri.susceptibility.regions import REFERENCE, any_region
from mndmri.susceptibility.relaxation import measure_r2star
from mndmri.susceptibility.swi import BIAS_ITERATIONS, normalise, weigh_susceptibility
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.measures import split_quality

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
vendor, magnitude, phase = (
    [to_canonical(load_image(path)) for path in given[role]] for role in ("swi", "magnitude", "phase")
)
weighted = weigh_susceptibility(
    magnitude,
    phase,
    paramagnetic_sign=read_json(given.chi)["ParamagneticSign"] if given.chi else None,
    units=bids.sidecar(given.phase[0], options.bids_dir).get("Units") if given.phase else None,
    vendor=vendor[0] if vendor else None,
)
brain, masks, names = load_image(given.brain), load_image(given.regions), read_table(given.names)
iterations = BIAS_ITERATIONS if options.bias_correction else ()
swi = normalise(weighted.image, brain, select(masks, names, *REFERENCE), bias_iterations=iterations)
veins = find_veins(swi, any_region(masks))
rows = measure_susceptibility(
    swi,
    masks,
    names,
    veins,
    dark_percentile=options.dark_percentile,
    min_voxels=options.min_voxels,
    max_in_plane_mm=options.max_in_plane_mm,
    by_phase=weighted.by_phase,
)
if given.r2star:
    relaxation = measure_r2star(
        load_image(given.r2star),
        masks,
        names,
        veins,
        min_voxels=options.min_voxels,
        max_in_plane_mm=options.max_in_plane_mm,
    )
    rows = pd.concat([rows, relaxation], ignore_index=True)
log.info(weighted.note)
save_image(swi, snakemake.output.swi)
write_json({"Weighting": weighted.note, "PhaseWeighted": weighted.by_phase}, snakemake.output.description)
save_image(veins, snakemake.output.veins, dtype="uint8")
measures, quality = split_quality(rows, QUALITY)
write_table(measures, snakemake.output.measures)
write_table(quality, snakemake.output.qc)
log.info("%d of %d measures have a value", (measures.status == "ok").sum(), len(measures))
