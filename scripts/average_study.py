"""The mean of everybody's brain, in the mean of their shapes."""

from functools import partial

from mndmri.anatomy.normalisation import Template
from mndmri.anatomy.study_template import Registered, average_brains
from mndmri.io import by_participant, load_field, load_image, save_image
from mndmri.jobs import start_job

log = start_job(snakemake)
given = snakemake.input
brains, tissues, fields, fovs = (by_participant(given[name]) for name in ("brain", "tissue", "xfm", "fov"))


def load_person(who: str) -> Registered:
    """Somebody as registered to the study's template."""
    own = Template(load_image(brains[who]), load_image(tissues[who]))
    return Registered(own, load_field(fields[who]), load_image(fovs[who]))


made = average_brains([partial(load_person, who) for who in brains], load_image(given.target_brain))
save_image(made.brain, snakemake.output.brain)
save_image(made.tissue, snakemake.output.tissue)
log.info("%d people", len(brains))
