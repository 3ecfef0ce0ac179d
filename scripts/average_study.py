"""The mean of everybody's brain, in the mean of their shapes."""

from functools import partial

from mndmri.anatomy.brain import mask_image
from mndmri.anatomy.normalisation import as_template
from mndmri.anatomy.study_template import Registered, average_brains
from mndmri.io import load_field, load_image, save_image
from mndmri.jobs import start_job


def load_person(xfm: str, t1w: str, mask: str) -> Registered:
    """Somebody as registered to the study's template."""
    return Registered(as_template(mask_image(load_image(t1w), load_image(mask))), load_field(xfm))


log = start_job(snakemake)
given = snakemake.input
people = [partial(load_person, *paths) for paths in zip(given.xfm, given.t1w, given.mask, strict=True)]
made = average_brains(people, load_image(given.target[0]))
save_image(made.brain, snakemake.output.brain)
save_image(made.tissue, snakemake.output.tissue)
log.info("%d people", len(people))
