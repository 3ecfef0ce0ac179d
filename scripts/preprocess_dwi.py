"""A person's diffusion series without noise, ringing, motion, eddy currents and distortion, and the way to the T1w."""

import numpy as np
import pandas as pd

from mndmri.anatomy.brain import mask_image
from mndmri.cohort import bids
from mndmri.cohort.field_maps import field_map_metadata
from mndmri.diffusion.distortion.correction import METHOD_CODES, FieldMap, Reverse, Tissue
from mndmri.diffusion.distortion.encoding import on_canonical_grid
from mndmri.diffusion.distortion.field_map import read_field
from mndmri.diffusion.gradients import read_bvals, read_gradients
from mndmri.diffusion.preprocessing import NOTHING, Steps, preprocess
from mndmri.diffusion.quality import series_quality
from mndmri.diffusion.series import format_gradients, mean_b0
from mndmri.grids import stack, to_canonical
from mndmri.io import load_image, read_text, save_image, save_matrix, write_json, write_table, write_text
from mndmri.jobs import start_job

log = start_job(snakemake)
given, out, options = snakemake.input, snakemake.output, snakemake.params
stored = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), stored.affine)
dwi, mask = to_canonical(stored), load_image(given.mask)

steps, encoding, source = NOTHING, None, None
if options.distortion != "before":
    steps = Steps(**options.steps)
    found = bids.phase_encoding(given.dwi, options.bids_dir)
    encoding = None if found is None else on_canonical_grid(found, stored.affine)
if given.opposite:
    bvals = read_bvals(read_text(given.opposite_bval[0])) if given.opposite_bval else None
    opposite = bids.phase_encoding(given.opposite[0], options.bids_dir)
    b0 = mean_b0(to_canonical(load_image(given.opposite[0])), bvals)
    source = Reverse(b0, opposite.readout_s if opposite else None, by_fsl=options.distortion == "fsl")
if given.fieldmap:
    images = [to_canonical(load_image(path)) for path in given.fieldmap]
    magnitude = to_canonical(load_image(given.fieldmap_magnitude[0]))
    field = read_field(images, magnitude, *field_map_metadata(given.fieldmap, options.bids_dir))
    source = FieldMap(field, magnitude)
if given.tissue:
    source = Tissue(stack([load_image(path) for path in given.tissue]))
brain = mask_image(load_image(given.t1w), mask)
done = preprocess(dwi, gradients, brain, mask, steps=steps, encoding=encoding, source=source)

for image, path in ((done.mask, out.mask), (done.field_of_view, out.fov)):
    save_image(image, path, dtype=np.uint8)
for name in ("series", "b0", "b0_scanned", "displacement_mm"):
    save_image(getattr(done, name), out[name])
save_matrix(done.to_dwi, out.xfm)
for text, path in zip(format_gradients(done.gradients, done.series.affine), (out.bval, out.bvec), strict=True):
    write_text(text, path)
lost = done.motion.outliers.sum(axis=1)
write_table(pd.DataFrame({"framewise_displacement": done.motion.displacement, "outlier_slices": lost}), out.motion)
agreement = done.distortion.agreement_before, done.distortion.agreement
code = METHOD_CODES[options.distortion]
quality = series_quality(dwi, gradients, done, distortion_code=code, agreement=agreement)
write_table(quality, out.qc)
write_json({"DistortionCorrection": options.distortion, "Steps": steps._asdict()}, out.json)
log.info("%d volumes; %s", dwi.shape[3], ", ".join(f"{q.measure} {q.value:.3g}" for q in quality.itertuples()))
