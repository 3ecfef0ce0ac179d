"""A person's tissue maps, grey-matter volume in template space, and regional volumes."""

import numpy as np
import pandas as pd

from mndmri.anatomy.field_of_view import border_area_cm2
from mndmri.anatomy.grade import measure_scan
from mndmri.anatomy.lobes import measure_lobes
from mndmri.anatomy.quality import measure_quality
from mndmri.anatomy.suitability import suitability_rows, too_coarse, unmeasurable
from mndmri.anatomy.tissue import segment_tissue
from mndmri.anatomy.vbm import correct_head_size, leave_out_unseen, map_to_compare, modulate
from mndmri.anatomy.volumes import VOLUME_REGIONS, measure_volumes
from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import restrict
from mndmri.grids import bounding_box, resampled_grid, uncrop, voxel_volume_ml
from mndmri.io import EXACT, load_field, load_image, load_optional, read_table, save_image, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
options = snakemake.params
t1w, mask, fov = (load_image(snakemake.input[name]) for name in ("t1w", "mask", "fov"))
template, expected = load_image(snakemake.input.template), load_image(snakemake.input.template_tissue)
to_template, from_template = load_field(snakemake.input.to_template), load_field(snakemake.input.from_template)

tissue = segment_tissue(t1w, mask, expected, from_template, nuclei=load_image(snakemake.input.nuclei))
for name, image in tissue.items():
    save_image(image, snakemake.output[name.lower()])

coarse = too_coarse(t1w, max_voxel_mm=options.max_voxel_mm)
grid = resampled_grid(template, options.voxel_mm)
modulated = leave_out_unseen(modulate(tissue["GM"], to_template, grid), to_template, fov)
corrected = correct_head_size(modulated, to_template, template)
save_image(modulated, snakemake.output.modulated)
for name, image in (("smoothed", modulated), ("corrected", corrected)):
    save_image(map_to_compare(image, coarse, fwhm_mm=options.fwhm_mm), snakemake.output[name])

atlas, table = restrict(
    load_image(snakemake.input.atlas), read_table(snakemake.input.table), VOLUME_REGIONS, boxed=True
)
person = Person(from_template, to_template, atlas, table, white_matter=tissue["WM"])
# a head is three times its brain
box = bounding_box(mask)
here = on_scan(t1w.slicer[box], person, recorded=fov)
weights = uncrop(here.weights, box, t1w)
save_image(weights, snakemake.output.weights)
write_table(
    here.table.merge(here.coverage.rename("coverage"), on=["region", "hemi"]), snakemake.output.table, digits=EXACT
)

border_cm2 = border_area_cm2(mask, fov)
limits = {name: options[name] for name in ("min_coverage", "max_border_cm2")}
reasons = unmeasurable(here.coverage, border_cm2, coarse, **limits)
volumes = measure_volumes(tissue, weights, table, reasons=reasons)
in_box = {name: image.slicer[box] for name, image in tissue.items()}
lobes = measure_lobes(in_box, load_image(snakemake.input.lobes), here.mni_mm, reasons=reasons)
write_table(pd.concat([volumes, lobes], ignore_index=True), snakemake.output.measures, digits=EXACT)
quality = [
    measure_quality(mask, tissue, expected, to_template),
    suitability_rows(t1w, here.coverage, border_cm2, n_voxels=int(np.asarray(mask.dataobj).sum())),
    measure_scan(load_optional(snakemake.input.scanned), t1w, tissue),
]
write_table(pd.concat(quality, ignore_index=True), snakemake.output.qc, digits=EXACT)
log.info(
    "grey matter: %.1f ml in the template; %s",
    np.nansum(modulated.get_fdata()) * voxel_volume_ml(grid),
    "; ".join(dict.fromkeys(reasons.values())) or "every region measured",
)
