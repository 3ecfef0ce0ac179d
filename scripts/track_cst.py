"""A person's corticospinal tract, tracked, and FA, MD, AD and RD along its streamlines."""

import numpy as np
from dipy.io.streamline import save_tractogram

from mndmri.atlas.regions import restrict
from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.tracking import (
    TRACKING_REGIONS,
    as_tractogram,
    profile_streamlines,
    streamline_rows,
    track_tract,
    why_not,
)
from mndmri.grids import make_image, world_coordinates
from mndmri.io import load_field, load_image, load_matrix, read_table, read_text, write_table
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample

log = start_job(snakemake)
given, out = snakemake.input, snakemake.output
dwi = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), dwi.affine)
maps = {name: load_image(given[name]) for name in ("fa", "md", "ad", "rd")}
to_dwi, from_template = load_matrix(given.xfm), load_field(given.from_template)
atlas, table = restrict(load_image(given.atlas), read_table(given.table), TRACKING_REGIONS)
to_native = [np.linalg.inv(to_dwi), from_template]
weights = resample(atlas, maps["fa"], to_native)
place = resample(make_image(world_coordinates(atlas).astype(np.float32), atlas), maps["fa"], to_native)
white_matter = resample(load_image(given.wm), maps["fa"], to_native[:1])
options = {name: snakemake.params[name] for name in ("min_coverage", "min_fa", "seed")}
options["coverage"] = read_table(given.coverage).query("measure == 'coverage'").set_index(["region", "hemi"])["value"]
streamlines = track_tract(dwi, gradients, maps["fa"], white_matter, weights, table, place, **options)
for hemi, path in (("L", out.left), ("R", out.right)):
    save_tractogram(as_tractogram(streamlines, hemi, maps["fa"]), path)
reason = why_not(gradients)
write_table(profile_streamlines(maps, streamlines, place, reason), out.profile)
write_table(streamline_rows(streamlines, reason), out.qc)
log.info("%s", reason or ", ".join(f"{len(lines)} streamlines {hemi}" for hemi, lines in streamlines.items()))
