"""Where a gradient-echo scan lies on the T1w image, and the brain and the regions on its own grid."""

import numpy as np

from mndmri.atlas.on_scan import Person
from mndmri.atlas.regions import restrict
from mndmri.grids import to_canonical
from mndmri.io import load_field, load_image, read_table, save_image, save_matrix, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.preprocessing import Anatomical, locate
from mndmri.susceptibility.regions import ATLAS_REGIONS

log = start_job(snakemake)
given, out = snakemake.input, snakemake.output
weighted = [*given.swi, *given.magnitude]
# as a susceptibility map is, or because the image in place of the T1w was made of this scan
aligned = not weighted or snakemake.params.stands_in
atlas, table = restrict(load_image(given.atlas), read_table(given.table), ATLAS_REGIONS, boxed=True)
located = locate(
    to_canonical(load_image([*weighted, *given.chimap][0])),
    Anatomical(
        brain=load_image(given.t1w_brain),
        mask=load_image(given.mask),
        grey=load_image(given.gm),
        csf=load_image(given.csf),
        parcellation=load_image(given.parcellation[0]) if given.parcellation else None,
    ),
    Person(
        from_template=load_field(given.from_template),
        to_template=load_field(given.to_template),
        atlas=atlas,
        table=table,
        white_matter=load_image(given.wm),
    ),
    aligned=aligned,
)
save_image(located.brain, out.brain, dtype=np.uint8)
save_image(located.masks, out.regions, dtype=np.uint8)
write_table(located.names, out.names)
save_image(located.mni_mm, out.mni_mm)
save_matrix(located.to_scan, out.xfm)
log.info("aligned to the T1w by its header" if aligned else "registered to the T1w")
