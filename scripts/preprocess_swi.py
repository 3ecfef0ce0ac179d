"""A person's normalised SWI, the way to the T1w image, and the regions on its own grid."""

import numpy as np

from mndmri.anatomy import mask_image
from mndmri.atlases import restrict, select
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.io import load_field, load_image, read_table, save_image, save_matrix, write_json, write_table
from mndmri.jobs import start_job
from mndmri.registration import register_rigid
from mndmri.susceptibility.regions import ATLAS_REGIONS, REFERENCE, precentral_regions
from mndmri.susceptibility.swi import Weighted, normalise, weigh_susceptibility
from mndmri.transforms import resample

log = start_job(snakemake)
vendor, magnitude, phase = (
    [to_canonical(load_image(path)) for path in snakemake.input[role]] for role in ("swi", "magnitude", "phase")
)
structural = (vendor or magnitude)[0]
mask = load_image(snakemake.input.mask)
to_swi = register_rigid(mask_image(load_image(snakemake.input.t1w), mask), structural, fixed_mask=mask)
to_t1w = [np.linalg.inv(to_swi)]
to_template = [*to_t1w, load_field(snakemake.input.from_template)]

brain = resample(mask, structural, to_t1w, interpolation="nearest")
tissue = [resample(load_image(snakemake.input[name]), structural, to_t1w) for name in ("gm", "wm", "csf")]
atlas, table = restrict(load_image(snakemake.input.atlas), read_table(snakemake.input.table), ATLAS_REGIONS)
places = resample(make_image(world_coordinates(atlas).astype(np.float32), atlas), structural, to_template)
atlas = resample(atlas, structural, to_template)
masks, names = precentral_regions(*tissue, atlas, table, places)

if vendor:
    made = Weighted(vendor[0], True, "the scanner's own SWI")
else:
    sign = snakemake.params.paramagnetic_sign
    made = weigh_susceptibility(magnitude, phase, atlas, table, white_matter=tissue[1], paramagnetic_sign=sign)
log.info(made.note)
reference = select(masks, names, *REFERENCE)
even = {} if snakemake.params.bias_correction else {"bias_iterations": ()}
save_image(normalise(made.image, brain, reference, **even), snakemake.output.swi)
write_json({"Weighting": made.note, "PhaseWeighted": made.by_phase}, snakemake.output.json)
save_image(masks, snakemake.output.regions, dtype=np.uint8)
write_table(names, snakemake.output.names)
save_matrix(to_swi, snakemake.output.xfm)
