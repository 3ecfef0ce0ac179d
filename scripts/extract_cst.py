"""FA, MD, AD and RD of a person's corticospinal tract, by level and along its length, and what speaks for them."""

import numpy as np
import pandas as pd

from mndmri.atlas.regions import restrict
from mndmri.diffusion.profile import measure_profile
from mndmri.diffusion.tract import ATLAS_REGIONS, coverage_rows, measure_quality, measure_tract
from mndmri.grids import make_image, world_coordinates
from mndmri.io import load_field, load_image, load_matrix, read_json, read_table, save_image, write_table
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample
from mndmri.tables.coverage import measure_coverage

log = start_job(snakemake)
maps = {name: load_image(snakemake.input[name]) for name in ("fa", "md", "ad", "rd")}
to_dwi = load_matrix(snakemake.input.xfm)
from_template, to_template = load_field(snakemake.input.from_template), load_field(snakemake.input.to_template)
atlas, table = restrict(load_image(snakemake.input.atlas), read_table(snakemake.input.table), ATLAS_REGIONS)

to_native = [np.linalg.inv(to_dwi), from_template]
weights = resample(atlas, maps["fa"], to_native)
place = resample(make_image(world_coordinates(atlas).astype(np.float32), atlas), maps["fa"], to_native)
white_matter = resample(load_image(snakemake.input.wm), maps["fa"], [np.linalg.inv(to_dwi)])
fov = resample(load_image(snakemake.input.fov), atlas, [to_template, to_dwi])
tract = restrict(weights, table, ["cst"])[0]
save_image(tract, snakemake.output.tract)
save_image(white_matter, snakemake.output.wm)
limits = {name: snakemake.params[name] for name in ("min_fa", "min_coverage", "min_voxels")}
coverage = measure_coverage(atlas, table, fov)
measures = measure_tract(maps, weights, table, white_matter, coverage, **limits)
write_table(measures, snakemake.output.measures)
profile = measure_profile(maps, weights, table, white_matter, place, atlas, fov, **limits)
write_table(profile, snakemake.output.profile)
quality = measure_quality(
    maps,
    weights,
    table,
    white_matter,
    negative_fraction=read_json(snakemake.input.json)["NegativeEigenvalueFraction"],
    min_fa=snakemake.params.min_fa,
)
rows = [read_table(snakemake.input.preproc_qc), quality, coverage_rows(coverage, weights, table)]
write_table(pd.concat(rows, ignore_index=True), snakemake.output.qc)
log.info("%d of %d measures have a value", (measures.status == "ok").sum(), len(measures))
