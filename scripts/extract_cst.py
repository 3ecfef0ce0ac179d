"""Diffusion measures and b = 1000 signal of a person's corticospinal tract, by level and along it, and their checks."""

import pandas as pd

from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import restrict
from mndmri.diffusion.direction import measure_direction, off_tract
from mndmri.diffusion.gradients import read_bvals
from mndmri.diffusion.profile import measure_profile
from mndmri.diffusion.tract import measure_quality, measure_tract, tract_coverage, tract_weight
from mndmri.io import (
    EXACT,
    load_field,
    load_image,
    load_matrix,
    read_json,
    read_table,
    read_text,
    save_image,
    write_table,
)
from mndmri.jobs import start_job
from mndmri.maps.weighted import ATLAS_REGIONS, measure_weighted

log = start_job(snakemake)
given, out = snakemake.input, snakemake.output
maps = {name: load_image(given[name]) for name in ("fa", "md", "ad", "rd")}
atlas, table = restrict(load_image(given.atlas), read_table(given.table), ATLAS_REGIONS, boxed=True)
person = Person(
    from_template=load_field(given.from_template),
    to_template=load_field(given.to_template),
    atlas=atlas,
    table=table,
    white_matter=load_image(given.wm),
    from_t1w=load_matrix(given.xfm),
)
here = on_scan(maps["fa"], person, recorded=load_image(given.fov))
save_image(here.weights, out.weights)
write_table(here.table.merge(here.coverage.rename("coverage"), on=["region", "hemi"]), out.table, digits=EXACT)
save_image(here.mni_mm, out.mni_mm)
save_image(here.white_matter, out.wm)

limits = {name: snakemake.params[name] for name in ("min_coverage", "min_voxels")}
min_fa = snakemake.params.min_fa
place = (here.weights, table, here.white_matter, here.mni_mm, atlas)
direction = measure_direction(load_image(given.v1), maps["fa"], *place, min_fa=min_fa)
beside = off_tract(direction, min_aligned=snakemake.params.min_aligned)
measures = measure_tract(maps, *place[:3], here.coverage, beside=beside, min_fa=min_fa, **limits)
signal = measure_weighted(
    load_image(given.dwi), read_bvals(read_text(given.bval)), load_image(given.mask), here, beside=beside, **limits
)
write_table(pd.concat([measures, signal, direction], ignore_index=True), out.measures, digits=EXACT)
tract = tract_weight(maps["fa"], here.white_matter, min_fa=min_fa)
along = (here.weights, table, here.mni_mm, atlas, here.field_of_view)
profile = measure_profile(maps, tract, *along, beside=beside, **limits)
write_table(profile, out.profile, digits=EXACT)
quality = measure_quality(
    maps,
    *place[:3],
    negative_fraction=read_json(given.json)["NegativeEigenvalueFraction"],
    min_fa=min_fa,
)
rows = [read_table(given.preproc_qc), quality, tract_coverage(here.coverage, here.weights, table), direction]
write_table(pd.concat(rows, ignore_index=True), out.qc, digits=EXACT)
log.info("%d of %d measures have a value", (measures.status == "ok").sum(), len(measures))
