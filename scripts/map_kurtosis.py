"""A person's mean, axial and radial kurtosis: maps, and means on the tract."""

from mndmri.diffusion.direction import off_tract
from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.kurtosis import UNITS, fit_kurtosis
from mndmri.diffusion.shells import has_kurtosis_shells
from mndmri.diffusion.tract import measure_on_tract
from mndmri.io import EXACT, load_image, read_table, read_text, save_image, write_json, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
dwi = load_image(given.dwi)
gradients = read_gradients(read_text(given.bval), read_text(given.bvec), dwi.affine)
kurtosis = fit_kurtosis(dwi, gradients, load_image(given.mask))
for name, image in kurtosis._asdict().items():
    save_image(image, made[name])

table = read_table(given.table)
limits = {name: snakemake.params[name] for name in ("min_fa", "min_coverage", "min_voxels")}
measures = measure_on_tract(
    dict(zip(UNITS, kurtosis, strict=True)),
    UNITS,
    *(load_image(given.fa), load_image(given.weights), table, load_image(given.wm)),
    table.set_index(["region", "hemi"])["coverage"],
    beside=off_tract(read_table(given.measures), min_aligned=snakemake.params.min_aligned),
    **limits,
)
write_table(measures, made.measures, digits=EXACT)
_, note = has_kurtosis_shells(gradients)
write_json({"Volumes": note}, made.json)
log.info(note)
