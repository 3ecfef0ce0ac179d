"""Measures of a map or contrast in the tract, the callosum, gyri and the precentral cortex."""

import numpy as np

from mndmri.atlas.on_scan import Person
from mndmri.atlas.regions import restrict
from mndmri.diffusion.direction import off_tract
from mndmri.io import (
    EXACT,
    load_field,
    load_image,
    load_matrix,
    load_optional,
    read_table,
    write_json,
    write_table,
)
from mndmri.jobs import start_job
from mndmri.maps.measures import Diffusion, Place, Thresholds, atlas_regions, measure_map
from mndmri.susceptibility.preprocessing import Anatomical
from mndmri.tables.maps import unit_of

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
regions = atlas_regions(options.declared)
atlas, table = restrict(load_image(given.atlas), read_table(given.table), regions, boxed=True)
place = Place(
    person=Person(load_field(given.from_template), load_field(given.to_template), atlas, table, load_image(given.wm)),
    anatomical=Anatomical(
        brain=load_image(given.brain),
        mask=load_image(given.mask),
        grey=load_image(given.gm),
        csf=load_image(given.csf),
        parcellation=load_optional(given.parcellation),
    ),
    to_map=load_matrix(given.xfm),
    diffusion=Diffusion(
        from_template=load_field(given.dwi_from_template),
        to_template=load_field(given.dwi_to_template),
        fa=load_image(given.fa),
        field_of_view=load_image(given.fov),
        beside=off_tract(read_table(given.direction), min_aligned=options.min_aligned),
    )
    if given.fa
    else None,
    veins=load_optional(given.veins),
)
found = measure_map(
    load_image(given.image),
    place,
    options.declared,
    modality=options.modality,
    thresholds=Thresholds(**options.thresholds),
)
write_table(found.rows, made.measures, digits=EXACT)
write_table(found.profile, made.profile, digits=EXACT)
write_json({"Scale": found.scale if np.isfinite(found.scale) else None, "Units": unit_of(options.declared)}, made.json)
log.info("%d of %d measures have a value", (found.rows.status == "ok").sum(), len(found.rows))
