"""Signal of a person's corticospinal tract on one contrast, relative to white matter elsewhere."""

from mndmri.anatomy.signal import ATLAS_REGIONS, measure_signal, recorded
from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import restrict
from mndmri.io import EXACT, load_field, load_image, load_matrix, read_table, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
image, to_image, white = load_image(given.image), load_matrix(given.xfm), load_image(given.wm)
atlas, table = restrict(load_image(given.atlas), read_table(given.table), ATLAS_REGIONS, boxed=True)
person = Person(load_field(given.from_template), load_field(given.to_template), atlas, table, white)
here = on_scan(image, person, to_scan=to_image, recorded=recorded(image))
measures = measure_signal(
    image,
    here.white_matter,
    here.weights,
    table,
    here.coverage,
    modality=options.modality,
    min_coverage=options.min_coverage,
    min_voxels=options.min_voxels,
)
write_table(measures, snakemake.output.measures, digits=EXACT)
log.info("%d of %d levels have a value", (measures.status == "ok").sum(), len(measures))
