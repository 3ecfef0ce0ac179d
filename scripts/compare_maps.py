"""Everybody's maps of one kind compared voxel by voxel."""

from pathlib import Path

from mndmri.atlas.names import BuiltinRegions, name_regions
from mndmri.io import load_image, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.clusters import clusters_dictionary, find_clusters
from mndmri.statistics.maps import group_mask
from mndmri.statistics.voxelwise import MAP_DESCRIPTIONS, compare_maps, summary_dictionary
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, made, space = snakemake.input, snakemake.output, snakemake.params.space
participants, options = read_participants(given.participants), dict(snakemake.params.options)
quality = read_table(given.quality) if given.quality else None
participants = join_measured(participants, read_table(given.measures), quality, options["measure_covariates"])

outline = {"threshold": snakemake.params.threshold, "fwhm_mm": snakemake.params.mask_fwhm_mm}
mask = group_mask(map(load_image, given.mask), **outline)
maps = {Path(path).name.split("_")[0]: load_image(path) for path in given.maps}
found = compare_maps(
    maps, mask, participants, place=snakemake.params.place, reasons=snakemake.params.reasons, **options
)
files = found.summary.set_index("contrast")["maps"]
for name, own in found.maps.items():
    stem = f"{made.maps}/space-{space}_{files[name]}"
    save_image(own.statistic, f"{stem}_stat-{own.kind.lower()}_statmap.nii.gz")
    save_image(own.tfce, f"{stem}_stat-tfce_statmap.nii.gz")
    save_image(own.log_p, f"{stem}_desc-fwep_statmap.nii.gz")
save_image(found.mask, f"{made.maps}/space-{space}_mask.nii.gz", dtype="uint8")
write_json(MAP_DESCRIPTIONS, f"{made.maps}/maps.json")
if given.get("atlas"):
    atlases = {"atlas": name_regions(load_image(given.atlas), read_table(given.table), mask)}
else:
    atlases = BuiltinRegions(mask)
write_table(find_clusters(found.maps, atlases, alpha=options["alpha"]), made.clusters)
write_json(clusters_dictionary(atlases, space=space), made.clusters_dictionary)
write_table(found.summary, made.summary)
write_json(summary_dictionary(options["groups"]), made.dictionary)
log.info("%d contrasts, %d voxels", len(found.maps), found.mask.get_fdata().sum())
