"""A person's tissue maps, grey-matter volume in template space, and regional volumes."""

from mndmri.anatomy.quality import measure_quality
from mndmri.anatomy.tissue import segment_tissue
from mndmri.anatomy.vbm import correct_head_size, modulate
from mndmri.anatomy.volumes import VOLUME_REGIONS, measure_volumes
from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import restrict
from mndmri.grids import resampled_grid, voxel_volume_ml
from mndmri.io import EXACT, load_field, load_image, read_table, save_image, write_table
from mndmri.jobs import start_job
from mndmri.registration.smoothing import smooth

log = start_job(snakemake)
t1w, mask = load_image(snakemake.input.t1w), load_image(snakemake.input.mask)
template, expected = load_image(snakemake.input.template), load_image(snakemake.input.template_tissue)
to_template, from_template = load_field(snakemake.input.to_template), load_field(snakemake.input.from_template)

tissue = segment_tissue(t1w, mask, expected, from_template, nuclei=load_image(snakemake.input.nuclei))
for name, image in tissue.items():
    save_image(image, snakemake.output[name.lower()])

grid = resampled_grid(template, snakemake.params.voxel_mm)
modulated = modulate(tissue["GM"], to_template, grid)
corrected = correct_head_size(modulated, to_template, template)
save_image(modulated, snakemake.output.modulated)
save_image(smooth(modulated, snakemake.params.fwhm_mm), snakemake.output.smoothed)
save_image(smooth(corrected, snakemake.params.fwhm_mm), snakemake.output.corrected)

atlas, table = restrict(
    load_image(snakemake.input.atlas), read_table(snakemake.input.table), VOLUME_REGIONS, boxed=True
)
here = on_scan(t1w, Person(from_template, to_template, atlas, table, white_matter=tissue["WM"]))
save_image(here.weights, snakemake.output.weights)
write_table(here.table.merge(here.coverage.rename("coverage"), on=["region", "hemi"]), snakemake.output.table)
volumes = measure_volumes(tissue, here.weights, table)
write_table(volumes, snakemake.output.measures, digits=EXACT)
write_table(measure_quality(mask, tissue, expected, to_template), snakemake.output.qc)
log.info(
    "grey matter: %.1f ml in the person, %.1f ml in the template",
    volumes.set_index("region").value["gm"],
    modulated.get_fdata().sum() * voxel_volume_ml(grid),
)
