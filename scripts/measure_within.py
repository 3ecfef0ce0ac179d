"""Volumes of a person's visits in the midway space, and how well the visits are aligned."""

from mndmri.anatomy.change import find_reasons, growth_between, measure_alignment, measure_within
from mndmri.anatomy.midway import as_midway, visits_of
from mndmri.anatomy.volumes import VOLUME_REGIONS
from mndmri.atlas.regions import restrict
from mndmri.figures import to_png
from mndmri.figures.participant import growth_sheet
from mndmri.grids import to_canonical
from mndmri.io import EXACT, load_field, load_image, read_json, read_table, write_bytes, write_table
from mndmri.jobs import start_job
from mndmri.registration.register import Warp

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
t1w, mask, fov = ([load_image(path) for path in given[name]] for name in ("t1w", "mask", "fov"))
visits = visits_of(options.sessions, list(map(to_canonical, t1w)), mask, fov)
midway = as_midway(
    *(load_image(given[name]) for name in ("brain", "midway_mask", "visits")),
    read_json(given.poses),
    load_field(given.shifts),
)
warp = Warp(moving_to_fixed=load_field(given.to_template), fixed_to_moving=load_field(given.from_template))
atlas, table = restrict(load_image(given.atlas), read_table(given.table), VOLUME_REGIONS, boxed=True)
volumes = measure_within(
    midway,
    warp,
    atlas,
    table,
    tissue=load_image(given.template_tissue),
    lobes=load_image(given.lobes),
    nuclei=load_image(given.nuclei),
    reasons=find_reasons(visits, midway.poses, warp, atlas, table, **options.limits),
)
who = f"sub-{snakemake.wildcards.subject}"
for rows, path in ((volumes, made.measures), (measure_alignment(midway, volumes), made.qc)):
    rows.insert(0, "participant_id", who)
    write_table(rows, path, digits=EXACT)
aligned = [session for session in visits if session in midway.visits]
first, last = aligned[0], aligned[-1]
figure = growth_sheet(who, brain=midway.brain, growth=growth_between(midway, first, last), between=(first, last))
write_bytes(to_png(figure), made.figure)
log.info("%d visits aligned of %d", len(midway.visits), len(visits))
