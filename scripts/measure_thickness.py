"""Thickness of a person's precentral and postcentral cortex."""

from mndmri.anatomy.thickness import measure_thickness
from mndmri.anatomy.volumes import VOLUME_REGIONS
from mndmri.atlas.regions import restrict
from mndmri.grids import bounding_box
from mndmri.io import load_field, load_image, read_table, write_table
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample

log = start_job(snakemake)
gyri = [region for region in VOLUME_REGIONS if region != "paracentral"]
gm, wm = load_image(snakemake.input.gm), load_image(snakemake.input.wm)
# half of a head is not brain
box = bounding_box(gm)
gm, wm = gm.slicer[box], wm.slicer[box]
atlas, table = restrict(load_image(snakemake.input.atlas), read_table(snakemake.input.table), gyri)
here = resample(atlas, gm, [load_field(snakemake.input.from_template)])
measures = measure_thickness(gm, wm, here, table, max_voxel_mm=snakemake.params.max_voxel_mm)
write_table(measures, snakemake.output.measures)
for line in measures.itertuples():
    log.info("%s %s: %.2f mm, %s", line.region, line.hemi, line.value, line.status)
