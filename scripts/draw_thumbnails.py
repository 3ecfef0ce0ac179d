"""A small picture of each step of a participant, for the contact sheets of the study."""

from mndmri.figures.participant import outline_regions, outline_tracts
from mndmri.figures.thumbnails import colour_fa_thumbnail, contour_thumbnail, template_thumbnail, to_webp
from mndmri.io import load_image, read_table, write_bytes
from mndmri.jobs import start_job

log = start_job(snakemake)
given = snakemake.input
t1w = load_image(given.t1w)
tissue = {name: load_image(given[name]) for name in ("gm", "wm")}
pictures = {
    "brain_mask": contour_thumbnail(t1w, {"brain": load_image(given.mask)}),
    "tissue": contour_thumbnail(t1w, tissue),
    "registration": template_thumbnail(load_image(given.t1w_template), load_image(given.template)),
}
if given.fa:
    tracts = outline_tracts(load_image(given.atlas_dwi), read_table(given.table_dwi))
    pictures["tract"] = colour_fa_thumbnail(load_image(given.fa), load_image(given.v1), tracts)
if given.regions and (given.swi or given.chi):
    image = load_image(given.swi or given.chi)
    pictures["swi_regions"] = contour_thumbnail(
        image, outline_regions(load_image(given.regions), read_table(given.names))
    )
for step, picture in pictures.items():
    write_bytes(to_webp(picture), f"{snakemake.output.folder}/{step}.webp")
log.info("%s", ", ".join(pictures))
