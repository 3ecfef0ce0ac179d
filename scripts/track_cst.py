"""A person's corticospinal tract, tracked, and FA, MD, AD and RD along its streamlines."""

from dipy.io.streamline import save_tractogram

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.tracking import (
    as_tractogram,
    profile_streamlines,
    streamline_rows,
    track_tract,
    untrackable_reason,
)
from mndmri.io import EXACT, load_image, read_table, read_text, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, out = snakemake.input, snakemake.output
dwi, mni_mm = load_image(given.dwi), load_image(given.mni_mm)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), dwi.affine)
maps = {name: load_image(given[name]) for name in ("fa", "md", "ad", "rd")}
table = read_table(given.table)
streamlines = track_tract(
    dwi,
    gradients,
    maps["fa"],
    load_image(given.wm),
    load_image(given.weights),
    table,
    mni_mm,
    coverage=table.set_index(["region", "hemi"])["coverage"],
    min_coverage=snakemake.params.min_coverage,
    min_fa=snakemake.params.min_fa,
    seed=snakemake.params.seed,
)
for hemi, path in (("L", out.left), ("R", out.right)):
    save_tractogram(as_tractogram(streamlines, hemi, maps["fa"]), path)
reason = untrackable_reason(gradients)
write_table(profile_streamlines(maps, streamlines, mni_mm, reason), out.profile, digits=EXACT)
write_table(streamline_rows(streamlines, reason), out.qc, digits=EXACT)
log.info("%s", reason or ", ".join(f"{len(lines)} streamlines {hemi}" for hemi, lines in streamlines.items()))
