"""A person's visits in the space midway between them, and its registration to the template."""

import numpy as np

from mndmri.anatomy.change import choose_visits
from mndmri.anatomy.midway import join_shifts, meet_midway, visits_of
from mndmri.anatomy.normalisation import Template, as_template, by_way_of, register_brain
from mndmri.grids import stack, to_canonical
from mndmri.io import load_field, load_image, load_parts, save_field, save_image, write_json
from mndmri.jobs import start_job
from mndmri.registration.register import Warp

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
t1w, mask, fov = ([load_image(path) for path in given[name]] for name in ("t1w", "mask", "fov"))
visits = visits_of(options.sessions, list(map(to_canonical, t1w)), mask, fov)
chosen = choose_visits(visits, max_voxel_mm=options.max_voxel_mm)
midway = meet_midway(chosen)
save_image(midway.brain, made.brain)
save_image(midway.mask, made.mask, dtype=np.uint8)
save_image(stack(list(midway.visits.values())), made.visits)
write_json({session: pose.tolist() for session, pose in midway.poses.items()}, made.poses)
save_field(join_shifts(midway), made.shifts)

ways = {"engine": options.engine, "iterations": options.iterations}
target = Template(**load_parts(given, "target"))
warp = register_brain(target, as_template(midway.brain), recorded=midway.recorded, **ways)
if given.study_to_template:
    study = Warp(load_field(given.study_to_template), load_field(given.study_from_template))
    warp = by_way_of(warp, study, template=load_image(given.template), brain=midway.brain)
save_field(warp.moving_to_fixed, made.to_template)
save_field(warp.fixed_to_moving, made.from_template)
log.info("aligned %s; left out for their voxels: %s", ", ".join(chosen), ", ".join(visits.keys() - chosen) or "none")
