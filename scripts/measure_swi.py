"""A participant's normalised SWI, and hypointensity of the precentral cortex by region, veins removed."""

import pandas as pd

from mndmri.cohort import bids
from mndmri.grids import to_canonical, voxel_sizes
from mndmri.io import (
    EXACT,
    load_image,
    load_matrix,
    load_optional,
    read_json,
    read_table,
    save_image,
    write_json,
    write_table,
)
from mndmri.jobs import start_job
from mndmri.maps.sides import compare_sides
from mndmri.susceptibility.normalisation import measure_scan, normalise_scan
from mndmri.tables.protocols import kind_of, protocol

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
echoes = bids.pair_echoes(magnitude=given.magnitude, phase=given.phase)
magnitude, phase = (
    [to_canonical(load_image(echo[role])) for echo in echoes if role in echo] for role in ("magnitude", "phase")
)
own = load_optional(given.swi)
vendor = None if own is None else to_canonical(own)
masks, names = load_image(given.regions), read_table(given.names)
scan = normalise_scan(
    magnitude,
    phase,
    load_image(given.brain),
    masks,
    names,
    paramagnetic_sign=read_json(given.chi)["ParamagneticSign"] if given.chi else None,
    units=bids.sidecar(echoes[0]["phase"], options.bids_dir).get("Units") if given.phase else None,
    vendor=vendor,
    bias_correction=options.bias_correction,
)
measures, quality = measure_scan(
    scan,
    masks,
    names,
    r2star=load_optional(given.r2star),
    dark_percentile=options.dark_percentile,
    min_voxels=options.min_voxels,
    max_in_plane_mm=options.max_in_plane_mm,
)
log.info(scan.note)
shown = given.swi or given.magnitude
kind = kind_of(scan.kind, has_t1w=not options.without_t1w)
made = protocol(kind, voxel_sizes(scan.swi), [bids.sidecar(path, options.bids_dir) for path in shown])
save_image(scan.swi, snakemake.output.swi)
write_json({"Weighting": scan.note, "PhaseWeighted": scan.by_phase, "Protocol": made}, snakemake.output.description)
save_image(scan.veins, snakemake.output.veins, dtype="uint8")
write_table(measures, snakemake.output.measures, digits=EXACT)
if given.t1w_brain:
    head = load_image(given.t1w_brain), load_image(given.t1w_mask), load_matrix(given.xfm)
    sides = compare_sides(magnitude[0] if vendor is None else vendor, *head, modality="swi")
    quality = pd.concat([quality, sides], ignore_index=True)
write_table(quality, snakemake.output.qc, digits=EXACT)
log.info("%d of %d measures have a value", (measures.status == "ok").sum(), len(measures))
