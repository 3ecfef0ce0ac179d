"""Signal of a person's corticospinal tract on one contrast, against white matter elsewhere."""

import numpy as np

from mndmri.anatomy.signal import ATLAS_REGIONS, average_over_voxels, measure_signal
from mndmri.atlas.regions import restrict
from mndmri.grids import make_image
from mndmri.io import load_field, load_image, load_matrix, read_table, write_table
from mndmri.jobs import start_job
from mndmri.registration.transforms import resample
from mndmri.tables.coverage import measure_coverage

log = start_job(snakemake)
given = snakemake.input
image, to_image = load_image(given.image), load_matrix(given.xfm)
to_t1w = np.linalg.inv(to_image)
atlas, table = restrict(load_image(given.atlas), read_table(given.table), ATLAS_REGIONS)
# 0 is where the scanner recorded nothing
recorded = make_image((np.asarray(image.dataobj) != 0).astype(np.float32), image)
fov = resample(recorded, atlas, [load_field(given.to_template), to_image])
measures = measure_signal(
    image,
    average_over_voxels(load_image(given.wm), image, [to_t1w]),
    resample(atlas, image, [to_t1w, load_field(given.from_template)]),
    table,
    measure_coverage(atlas, table, fov),
    modality=snakemake.params.modality,
    min_coverage=snakemake.params.min_coverage,
    min_voxels=snakemake.params.min_voxels,
)
write_table(measures, snakemake.output.measures)
log.info("%d of %d levels have a value", (measures.status == "ok").sum(), len(measures))
