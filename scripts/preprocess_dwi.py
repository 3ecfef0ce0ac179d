"""A person's diffusion series without noise, ringing, motion, eddy currents and distortion, and the way to the T1w."""

import numpy as np

from mndmri.cohort import bids
from mndmri.cohort.field_maps import field_map_metadata
from mndmri.diffusion.distortion.correction import Tissue, field_map, opposite_series
from mndmri.diffusion.gradients import read_bvals, read_gradients
from mndmri.diffusion.motion import motion_table
from mndmri.diffusion.preprocessing import plan_steps, preprocess
from mndmri.diffusion.quality import applied_correction, series_quality
from mndmri.diffusion.series import format_gradients
from mndmri.grids import to_canonical
from mndmri.io import EXACT, load_image, read_text, save_image, save_matrix, write_json, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
given, out, options = snakemake.input, snakemake.output, snakemake.params
method, root = options.distortion, options.bids_dir
stored = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), stored.affine)
# a series that comes corrected may lie outside the dataset
encoding = None if method == "before" else bids.phase_encoding(given.dwi, root)
steps, encoding = plan_steps(method, options.steps, encoding, stored.affine)

source = None
if given.opposite:
    [path] = given.opposite
    bvals = read_bvals(read_text(given.opposite_bval[0])) if given.opposite_bval else None
    source = opposite_series(load_image(path), bvals, bids.phase_encoding(path, root), method=method)
if given.fieldmap:
    images, metadata = [load_image(path) for path in given.fieldmap], field_map_metadata(given.fieldmap, root)
    source = field_map(images, load_image(given.fieldmap_magnitude[0]), **metadata._asdict())
if given.tissue_gm:
    source = Tissue(
        grey=load_image(given.tissue_gm), white=load_image(given.tissue_wm), csf=load_image(given.tissue_csf)
    )
dwi = to_canonical(stored)
brain, mask = load_image(given.brain), load_image(given.mask)
done = preprocess(dwi, gradients, brain, mask, steps=steps, encoding=encoding, source=source)

save_image(done.mask, out.mask, dtype=np.uint8)
save_image(done.field_of_view, out.fov, dtype=np.uint8)
for name in ("series", "b0", "b0_scanned", "displacement_mm"):
    save_image(getattr(done, name), out[name])
save_matrix(done.to_dwi, out.xfm)
table = format_gradients(done.gradients, done.series.affine)
write_text(table.bval, out.bval)
write_text(table.bvec, out.bvec)
write_table(motion_table(done.motion), out.motion)
quality = series_quality(dwi, gradients, done, method=method)
write_table(quality, out.qc, digits=EXACT)
applied = applied_correction(method, done.displacement_mm)
write_json({"DistortionCorrection": applied, "DistortionMethodTried": method, "Steps": steps._asdict()}, out.json)
if applied != method:
    log.info("the displacement by %s was dropped, as images agree less with it: distortion is not corrected", method)
log.info("%d volumes; %s", dwi.shape[3], ", ".join(f"{q.measure} {q.value:.3g}" for q in quality.itertuples()))
